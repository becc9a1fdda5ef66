/** The other routers of the group, as their entries tell of them. */
import { type ClusterReport, type FromCluster, type PeerStatus } from '../shared/cluster-protocol';
import { type Greeting } from './entries';

/** A peer that says nothing for so long is not there. */
const PEER_MS = 5000;
const MAX_PEERS = 64;
const FORGET_PEER_MS = 600_000;
const NAMESAKE_LOG_MS = 60_000;

interface Peer extends Greeting {
  seenMs: number;
  isHeard: boolean;
}

export class Peers {
  private readonly peers = new Map<string, Peer>();
  private namesakeLogMs = 0;

  /** @param own name of this router @param isOwnRun whether a run is one of ours */
  constructor(
    private readonly own: string,
    private readonly isOwnRun: (run: string) => boolean,
    private readonly tell: (message: FromCluster) => void,
  ) {}

  greeted(greeting: Greeting, nowMs: number): void {
    const { router } = greeting;
    if (router !== this.own) {
      const before = this.peers.get(router);
      if (before === undefined && this.peers.size >= MAX_PEERS) return;
      if (before?.isHeard !== true) this.log(router, 'is heard');
      this.peers.set(router, { ...greeting, seenMs: nowMs, isHeard: true });
    } else if (!this.isOwnRun(greeting.run) && nowMs - this.namesakeLogMs > NAMESAKE_LOG_MS) {
      this.namesakeLogMs = nowMs;
      const message = `another router of the group has our name "${router}": give each its own cluster.name`;
      this.tell({ kind: 'log', level: 'error', message, details: {} });
    }
  }

  /** Call it often. */
  look(nowMs: number): void {
    for (const [name, peer] of this.peers) {
      const silentMs = nowMs - peer.seenMs;
      if (silentMs > PEER_MS && peer.isHeard) {
        peer.isHeard = false;
        this.log(name, 'is no longer heard');
      }
      if (silentMs > FORGET_PEER_MS) this.peers.delete(name);
    }
  }

  /** Which of those that are there have carried out an act. */
  confirmed(generation: number, nowMs: number): { confirmed: string[]; missing: string[] } {
    const there = [...this.peers.values()].filter(({ seenMs }) => nowMs - seenMs < PEER_MS);
    const names = (some: Peer[]) => some.map(({ router }) => router);
    return {
      confirmed: names(there.filter(({ pause }) => pause >= generation)),
      missing: names(there.filter(({ pause }) => pause < generation)),
    };
  }

  /** Also those that are not heard any more. */
  report(nowMs: number): Pick<ClusterReport, 'peers' | 'lagMs'> {
    const peers = [...this.peers.values()]
      .map(({ router: name, ready, lagMs, seenMs, version }): PeerStatus => ({
        ...{ name, ready, lagMs: Math.round(lagMs), seenMs: nowMs - seenMs, version },
      }))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
    const lags = peers.map(({ lagMs, seenMs }) => (seenMs < PEER_MS ? lagMs : 0));
    return { peers, lagMs: Math.max(0, ...lags) };
  }

  private log(peer: string, what: string): void {
    this.tell({ kind: 'log', level: 'info', message: `router ${peer} ${what}`, details: { peer } });
  }
}

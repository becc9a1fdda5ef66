/** The worker's side of the cluster: what the tables tell goes out, what peers' rows say comes in between packets. */
import { ADDRESS_WORDS, type Family } from '../../packet/address';
import { type SplitterState } from '../../splitter/memory/state';
import { RecentSyns } from '../../tables/recent-syns';
import { type ClusterRings } from '../shared/cluster-rings';
import { ChangeFeed } from './change-feed';
import { PeerIntake } from './peer-intake';

export class ClusterLink {
  feed: ChangeFeed | undefined;
  private intake: PeerIntake | undefined;
  /** Outlives reloads. */
  private readonly syns = new Map<Family, RecentSyns>();
  /** Packets came since the last walk. */
  private isBusy = false;

  constructor(private readonly rings: ClusterRings) {}

  /** @param quiet tells listeners that what follows happened on another router */
  follow(state: SplitterState, quiet: (isQuiet: boolean) => void): ChangeFeed {
    for (const family of state.families)
      family.syns = this.synsOf(family.family, family.reportConnections.table.hashSeed);
    const feed = new ChangeFeed(this.rings, state);
    this.feed = feed;
    this.intake = new PeerIntake(this.rings, state, feed, quiet);
    return feed;
  }

  private synsOf(family: Family, seed: number): RecentSyns {
    const known = this.syns.get(family) ?? new RecentSyns(ADDRESS_WORDS[family], seed);
    this.syns.set(family, known);
    return known;
  }

  /** Packets are about to be decided. */
  noteBatch(): void {
    this.isBusy = true;
  }

  /** Before packets are decided, and often while there are none. @param nowMs of the engine's clock @param wallMs ms since 1970 */
  hear(nowMs: number, wallMs: number): void {
    if (this.feed) this.feed.nowMs = wallMs;
    this.intake?.take(nowMs, wallMs, !this.isBusy);
  }

  /** Between packets, some forty times a second. */
  walk(): void {
    this.isBusy = false;
    this.feed?.walk();
  }

  /** After packets, or an operator's act. */
  settle(): void {
    this.feed?.publish();
  }
}

/**
 * What must hold in every story: the packets of one connection reach one server only. A connection is as the CPE sees
 * it: its own address and port, the port at the ACS address, and the opener's initial sequence number.
 */
import { Verdict } from '../../src/packet/batch';
import { TcpFlag } from '../../src/packet/tcp';
import { packetEnds, word } from './packet-ends';
import { nameOf, type Outcome, type Party } from './rig';

interface Seen {
  servers: Set<string>;
  /** By the opener's ISN; a connection excused by a story is stored under its ports alone. */
  name: string;
}

export class StandingChecker {
  private readonly byIsn = new Map<string, Seen>();
  private readonly current = new Map<string, Seen>();
  private readonly excused = new Set<string>();

  /** The connections of these ports may move to another server; the story gives the reason. */
  excuse(cpe: string, cpePort: number, port: number): void {
    this.excused.add(`${cpe}:${cpePort} to ${port}`);
  }

  /**
   * @param before the packet as it arrived @throws Error when a second server is reached, or a second server's packet
   *   passes
   */
  see(from: Party, before: Uint8Array, outcome: Outcome): void {
    if (outcome.verdict !== Verdict.AcceptRewritten) return;
    const { bytes } = outcome;
    const [came, leaves] = [packetEnds(before), packetEnds(bytes)];
    const { tcpAt } = leaves;
    const fromCpe = from === 'cpe';
    const cpe = fromCpe ? leaves.source : leaves.destination;
    const cpePort = fromCpe ? leaves.sourcePort : leaves.destinationPort;
    const port = fromCpe ? came.destinationPort : leaves.sourcePort;
    const server = fromCpe ? leaves.destination : came.source;
    const ports = `${cpe}:${cpePort} to ${port}`;
    const seen = this.connection(ports, bytes, tcpAt);
    seen.servers.add(server);
    if (seen.servers.size > 1 && !this.excused.has(ports)) {
      const names = [...seen.servers].map(nameOf).join(' and ');
      throw new Error(`packets of one connection, ${seen.name}, reach both ${names} (${outcome.text})`);
    }
  }

  private connection(ports: string, bytes: Uint8Array, tcpAt: number): Seen {
    const isSyn = (bytes[tcpAt + 13] & (TcpFlag.Syn | TcpFlag.Ack)) === TcpFlag.Syn;
    if (!isSyn) return this.current.get(ports) ?? this.begin(ports, `${ports}, begun before`);
    const name = `${ports}, ISN ${word(bytes, tcpAt + 4) * 65536 + word(bytes, tcpAt + 6)}`;
    const known = this.byIsn.get(name);
    if (known) this.current.set(ports, known);
    return known ?? this.begin(ports, name);
  }

  private begin(ports: string, name: string): Seen {
    const seen = { servers: new Set<string>(), name };
    this.byIsn.set(name, seen);
    this.current.set(ports, seen);
    return seen;
  }
}

/**
 * The two claims that every traffic test makes about the wires themselves: no packet of one connection of a CPE ever
 * reaches two servers, and a CPE never sees a packet of anybody but the ACS address.
 *
 * A connection is more than its ports, which may be used again with another server at once: its packets are known by
 * the CPE's sequence numbers, which begin at the ISN of its SYN.
 */
import { REPORT_PORT, type World } from '../../../src/lab/world';
import { Capture, hasFlag, isReset, type Sight } from './capture';
import { ADDRESSES } from './family';

const SERVERS: readonly string[] = [ADDRESSES.itms, ADDRESSES.collector, ADDRESSES.secondCollector];
const [FIN, SYN, ACK] = [0x01, 0x02, 0x10];

/** What one server's wire has seen under a CPE's address and port. */
interface Trail {
  /** Initial sequence numbers of the CPE's SYNs. */
  isns: number[];
  /** Positions of all packets in the CPE's sequence space: its own, and what the server acknowledges. */
  positions: number[];
  /** Those that the server acknowledges. */
  answers: number[];
}

export class Wires {
  /** Sources of packets that reached the CPEs' wire. */
  readonly cpePeers = new Set<string>();
  /** Resets on any of the wires, in words. */
  readonly resets: string[] = [];
  /** Packets that a test wants to see, by wire and in order; `keepSights` begins it. */
  readonly sights: (Sight & { wire: 'cpe' | 'server' })[] = [];
  /** Trails by server, then by CPE address and port as one text. */
  private readonly trails = new Map<string, Map<string, Trail>>();
  private readonly closings = new Closings();
  private captures: Capture[] = [];
  private keeps: (sight: Sight) => boolean = () => false;

  /** @param flood a network whose packets are too many to look at on the wires where they belong: CPEs' and ITMS's */
  static async start(world: World, flood?: string): Promise<Wires> {
    const wires = new Wires();
    const filter = flood === undefined ? 'tcp' : `(tcp and not net ${flood})`;
    wires.captures = await Promise.all([
      Capture.start(world, 'cpe', (sight) => wires.onCpeWire(sight), filter),
      Capture.start(world, 'itms', (sight) => wires.onServerWire(sight), filter),
      Capture.start(world, 'collector', (sight) => wires.onServerWire(sight)),
    ]);
    return wires;
  }

  /** Keeps from now on every packet that fits. */
  keepSights(fits: (sight: Sight) => boolean): void {
    this.keeps = fits;
  }

  /** Reads on until everything that has crossed so far is known. */
  async catchUp(): Promise<void> {
    await Promise.all(this.captures.map((capture) => capture.catchUp()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.captures.map((capture) => capture.stop()));
  }

  /** Connections to the report port, as CPE-ADDRESS:PORT, that were seen on a server's wire. */
  connectionsAt(server: string): Set<string> {
    return new Set(this.trails.get(server)?.keys());
  }

  /** Connections of which packets were seen at two servers, in words. */
  shared(): string[] {
    return this.atTwoServers(({ positions }) => positions);
  }

  /** Connections that two servers have answered, in words. */
  answeredByTwo(): string[] {
    return this.atTwoServers(({ answers }) => answers);
  }

  private atTwoServers(positionsOf: (trail: Trail) => number[]): string[] {
    const shared: string[] = [];
    const servers = [...this.trails];
    const seen = new Set<string>();
    for (const [, trails] of servers) {
      for (const connection of trails.keys()) {
        if (seen.has(connection)) continue;
        seen.add(connection);
        const at = servers.filter(([, other]) => other.has(connection));
        if (at.length > 1) shared.push(...this.sharedUnder(connection, at, positionsOf));
      }
    }
    return shared;
  }

  /** The connections among those under one address and port that two servers have seen. */
  private sharedUnder(
    connection: string,
    at: [string, Map<string, Trail>][],
    positionsOf: (trail: Trail) => number[],
  ): string[] {
    const isns = at.flatMap(([, trails]) => trails.get(connection)!.isns);
    const serversByIsn = new Map<number, Set<string>>();
    for (const [server, trails] of at) {
      for (const position of positionsOf(trails.get(connection)!)) {
        const isn = isns.length === 0 ? 0 : nearestBelow(position, isns);
        serversByIsn.set(isn, (serversByIsn.get(isn) ?? new Set()).add(server));
      }
    }
    return [...serversByIsn.values()]
      .filter((servers) => servers.size > 1)
      .map((servers) => `${connection} at ${[...servers].join(' and ')}`);
  }

  private onCpeWire(sight: Sight): void {
    if (this.keeps(sight)) this.sights.push({ ...sight, wire: 'cpe' });
    this.closings.see('CPE', sight);
    if (sight.destination === ADDRESSES.acs) return;
    this.cpePeers.add(sight.source);
    this.note('CPE', sight);
  }

  private onServerWire(sight: Sight): void {
    if (this.keeps(sight)) this.sights.push({ ...sight, wire: 'server' });
    const inbound = SERVERS.includes(sight.destination);
    const [server, port] = inbound ? [sight.destination, sight.destinationPort] : [sight.source, sight.sourcePort];
    this.closings.see(server, sight);
    if (inbound) this.note(server, sight);
    if (port !== REPORT_PORT) return;
    const trails = this.trails.get(server) ?? new Map<string, Trail>();
    this.trails.set(server, trails);
    const connection = inbound
      ? `${sight.source}:${sight.sourcePort}`
      : `${sight.destination}:${sight.destinationPort}`;
    let trail = trails.get(connection);
    if (trail === undefined) trails.set(connection, (trail = { isns: [], positions: [], answers: [] }));
    if (inbound) trail.positions.push(sight.sequence);
    // A reset without ACK acknowledges nothing, so its connection is unknown.
    else if (hasFlag(sight, ACK)) {
      trail.positions.push((sight.acknowledgement - 1) >>> 0);
      trail.answers.push((sight.acknowledgement - 1) >>> 0);
    }
    if (inbound && hasFlag(sight, SYN)) trail.isns.push(sight.sequence);
  }

  private note(at: string, sight: Sight): void {
    // A FIN retransmitted to an end that has forgotten the connection draws a harmless reset.
    if (!isReset(sight) || this.closings.isClosed(at, sight)) return;
    const { source, sourcePort, destination, destinationPort } = sight;
    this.resets.push(`${source}:${sourcePort} to ${destination}:${destinationPort} on the wire of ${at}`);
  }
}

/** Which connections have been closed by both ends, wire by wire. */
class Closings {
  /** By wire and direction of a connection. */
  private readonly finished = new Set<string>();

  see(wire: string, sight: Sight): void {
    if (hasFlag(sight, FIN)) this.finished.add(way(wire, sight));
    else if (hasFlag(sight, SYN)) this.finished.delete(way(wire, sight));
  }

  isClosed(wire: string, sight: Sight): boolean {
    return this.finished.has(way(wire, sight)) && this.finished.has(way(wire, sight, true));
  }
}

function way(wire: string, { source, sourcePort, destination, destinationPort }: Sight, back = false): string {
  const [from, to] = [`${source}:${sourcePort}`, `${destination}:${destinationPort}`];
  return back ? `${wire} ${to} ${from}` : `${wire} ${from} ${to}`;
}

/** The ISN from which a sequence number is the shortest way up, around 2^32. */
function nearestBelow(position: number, isns: readonly number[]): number {
  return isns.reduce((best, isn) => ((position - isn) >>> 0 < (position - best) >>> 0 ? isn : best));
}

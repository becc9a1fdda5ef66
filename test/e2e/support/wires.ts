/**
 * The two claims that every traffic test makes about the wires themselves: no packet of one connection of a CPE ever
 * reaches two servers, and a CPE never sees a packet of anybody but the ACS address.
 */
import { ADDRESSES, REPORT_PORT, type World } from '../../../src/cli/lab/world';
import { Capture, isReset, type Sight } from './capture';

const SERVERS: readonly string[] = [ADDRESSES.itms, ADDRESSES.collector, ADDRESSES.secondCollector];

export class Wires {
  /** Connections to the report port, as CPE-ADDRESS:PORT, by the server whose wire they were seen on. */
  readonly connections = new Map<string, Set<string>>();
  /** Sources of packets that reached the CPEs' wire. */
  readonly cpePeers = new Set<string>();
  /** Resets on any of the wires, in words. */
  readonly resets: string[] = [];
  private captures: Capture[] = [];

  static async start(world: World): Promise<Wires> {
    const wires = new Wires();
    wires.captures = await Promise.all([
      Capture.start(world, 'cpe', (sight) => wires.onCpeWire(sight)),
      Capture.start(world, 'itms', (sight) => wires.onServerWire(sight)),
      Capture.start(world, 'collector', (sight) => wires.onServerWire(sight)),
    ]);
    return wires;
  }

  /** Reads on until everything that has crossed so far is known. */
  async catchUp(): Promise<void> {
    await Promise.all(this.captures.map((capture) => capture.catchUp()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.captures.map((capture) => capture.stop()));
  }

  connectionsAt(server: string): Set<string> {
    return this.connections.get(server) ?? new Set();
  }

  /** Connections of which packets were seen at two servers, in words. */
  shared(): string[] {
    const seen = new Map<string, string>();
    const shared: string[] = [];
    for (const [server, connections] of this.connections) {
      for (const connection of connections) {
        const other = seen.get(connection);
        if (other !== undefined) shared.push(`${connection} at ${other} and ${server}`);
        seen.set(connection, server);
      }
    }
    return shared;
  }

  private onCpeWire(sight: Sight): void {
    if (sight.destination === ADDRESSES.acs) return;
    this.cpePeers.add(sight.source);
    this.note('CPE', sight);
  }

  private onServerWire(sight: Sight): void {
    const inbound = SERVERS.includes(sight.destination);
    const [server, port] = inbound ? [sight.destination, sight.destinationPort] : [sight.source, sight.sourcePort];
    if (inbound) this.note(server, sight);
    if (port !== REPORT_PORT) return;
    const cpe = inbound ? `${sight.source}:${sight.sourcePort}` : `${sight.destination}:${sight.destinationPort}`;
    const connections = this.connections.get(server) ?? new Set();
    this.connections.set(server, connections.add(cpe));
  }

  private note(at: string, sight: Sight): void {
    if (!isReset(sight)) return;
    const { source, sourcePort, destination, destinationPort } = sight;
    this.resets.push(`${source}:${sourcePort} to ${destination}:${destinationPort} on the wire of ${at}`);
  }
}

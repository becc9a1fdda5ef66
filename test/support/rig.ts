/**
 * A splitter on virtual time, one packet at a time. The outcome of a packet is a readable line such as `to c1:
 * diverted`. Every packet that leaves is checked: correct checksums by a full sum, nothing changed but addresses and
 * ports, and a CPE sees no address other than the ACS's.
 */
import { PacketBatch, type PacketFlag, Side, Verdict } from '../../src/packet/batch';
import { buildTcp, ipHeaderChecksum, tcpChecksum, type TcpPacket } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';
import { activationEntries, reportEntries, requestEntries } from '../../src/splitter/entries';
import { EVENTS } from '../../src/splitter/memory/events';
import { REASONS, reasonName } from '../../src/splitter/reasons';
import { Splitter, type SplitterOptions } from '../../src/splitter/splitter';
import { type Topology } from '../../src/splitter/topology';
import { addressNamed, FAMILY, packetIn, topologyIn } from './family';
import { packetEnds, word } from './packet-ends';

export const ACS = '10.1.0.1';
export const REPORT_PORT = 7547;
export const ITMS_PORT = 8080;
export const CPE = '10.1.7.1';
/** Where the CPEs of the tests listen for Connection Requests. */
export const CPE_PORT = 7170;

export const SERVERS = { itms: '10.2.0.2', c1: '10.3.0.2', c2: '10.3.0.3' } as const;
export type Server = keyof typeof SERVERS;
export type Party = 'cpe' | Server;

export const TOPOLOGY: Topology = {
  cpe: { interfaces: [{ in: 'cpe0', out: 'cpe0' }], address: { ipv4: ACS }, networks: ['10.1.0.0/16'] },
  itms: { interface: 'itms0', address: { ipv4: SERVERS.itms } },
  collectors: [
    { name: 'c1', interface: 'col0', address: { ipv4: SERVERS.c1 } },
    { name: 'c2', interface: 'col0', address: { ipv4: SERVERS.c2 } },
  ],
  reportPorts: [REPORT_PORT, 9090],
  itmsPorts: [ITMS_PORT],
};

const SIDE_OF: Record<Party, Side> = { cpe: Side.Cpe, itms: Side.Itms, c1: Side.Collector, c2: Side.Collector };

export const FLAGS = {
  SYN: TcpFlag.Syn,
  'SYN+ACK': TcpFlag.Syn | TcpFlag.Ack,
  ACK: TcpFlag.Ack,
  DATA: TcpFlag.Ack | TcpFlag.Psh,
  FIN: TcpFlag.Fin | TcpFlag.Ack,
  RST: TcpFlag.Rst | TcpFlag.Ack,
  /** Answers an ACK that belongs to nothing; no SYN. */
  'bare RST': TcpFlag.Rst,
} as const;
export type Type = keyof typeof FLAGS;

/**
 * Puts the usual CPE's activation, its report connection and its Connection Request into slot 0 of their tables, which is
 * easily taken for none.
 */
const SEED = FAMILY === 'ipv4' ? 29621997 : 22372694;

export interface Outcome {
  verdict: Verdict;
  reason: string;
  /** As it came. */
  before: Uint8Array;
  /** As it left, or would have. */
  bytes: Uint8Array;
  /** The outcome as a line. */
  text: string;
}

/** A packet as a test describes it; fields left out have ordinary values. */
export interface Fields {
  cpe?: string;
  /** At the CPE: 40001 on report connections, else CPE_PORT. */
  cpePort?: number;
  /** At the other end: the report port, or the server's source port. */
  port?: number;
  /** Where this end continues, unless given. */
  sequence?: number;
  /** Where the other end continues, unless given. */
  acknowledgement?: number;
  payload?: string;
  /** Instead of the type's own. */
  flags?: number;
}

export class Rig {
  splitter: Splitter;
  /** Any beginning will do that is no whole number. */
  nowMs = 86_400_000.5;
  private readonly batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);
  /** Its topology is in IPv4 names. */
  private readonly options: SplitterOptions;
  private identification = 0;
  /** Next sequence number of an end, by `cpe` or `server` and the connection. */
  private readonly next = new Map<string, number>();
  private undo: () => void = () => undefined;
  /** Connection Requests by what the CPE sees of them: their port may differ from the server's own. */
  private readonly connections = new Map<string, string>();

  constructor(options: Partial<SplitterOptions> = {}) {
    const capacityEntries = options.capacityEntries ?? 64;
    const buffer = tableMemory(capacityEntries);
    this.options = { topology: TOPOLOGY, activation: 'auto', seed: SEED, buffer, ...options, capacityEntries };
    this.splitter = splitterOf(this.options);
  }

  /** The engine starts again on the same tables, as after a reload. */
  restart(options: Partial<SplitterOptions>): this {
    this.splitter = splitterOf({ ...this.options, ...options });
    return this;
  }

  /** The engine starts again on empty tables. */
  loseTables(): this {
    this.options.buffer = tableMemory(this.options.capacityEntries);
    return this.restart({ activation: this.splitter.activation });
  }

  /** One of its own, like this one but for the tables' size. */
  withCapacity(capacityEntries: number): Rig {
    const { activation, topology } = this.options;
    return new Rig({ activation, topology, capacityEntries });
  }

  /** In IPv4 names. */
  get topology(): Topology {
    return this.options.topology;
  }

  wait(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  // ---- packets ----

  /** A CPE sends to the ACS address; on a report connection unless another port is named. */
  cpe(type: Type, fields: Fields = {}): string {
    const port = fields.port ?? REPORT_PORT;
    const cpePort = fields.cpePort ?? (TOPOLOGY.reportPorts.includes(port) || port === ITMS_PORT ? 40001 : CPE_PORT);
    return this.send('cpe', {
      source: fields.cpe ?? CPE,
      sourcePort: cpePort,
      destination: ACS,
      destinationPort: port,
      ...this.tcpFields(type, fields, 'cpe', this.connectionOf(`${fields.cpe ?? CPE}:${cpePort} ${port}`)),
    }).text;
  }

  /** A server sends to a CPE. @param fields `port` is the server's own */
  from(server: Server, type: Type, fields: Fields = {}): string {
    const port = fields.port ?? REPORT_PORT;
    const cpePort = fields.cpePort ?? (TOPOLOGY.reportPorts.includes(port) ? 40001 : CPE_PORT);
    const seen = `${fields.cpe ?? CPE}:${cpePort} `;
    const isReport = TOPOLOGY.reportPorts.includes(port);
    const connection = isReport ? `${seen}${port}` : `${server} ${seen}${port}`;
    const { text } = this.send(server, {
      source: SERVERS[server],
      sourcePort: port,
      destination: fields.cpe ?? CPE,
      destinationPort: cpePort,
      ...this.tcpFields(type, fields, 'server', connection),
    });
    if (type === 'SYN') this.connections.set(`${seen}${/^as acs:(\d+)/.exec(text)?.[1] ?? port}`, connection);
    return text;
  }

  /** By what the CPE sees of it. */
  private connectionOf(seen: string): string {
    return this.connections.get(seen) ?? seen;
  }

  private tcpFields(type: Type, fields: Fields, end: 'cpe' | 'server', connection: string) {
    const { payload = '', flags = FLAGS[type] } = fields;
    const opens = (flags & TcpFlag.Syn) !== 0;
    this.undo = () => undefined;
    const own = `${end} ${connection}`;
    const known = this.next.get(own);
    const sequence = fields.sequence ?? (opens ? 1000 : (known ?? 1001));
    const acknowledgement = fields.acknowledgement ?? this.next.get(`${other(end)} ${connection}`) ?? 1;
    const after = (sequence + payload.length + (flags & (TcpFlag.Syn | TcpFlag.Fin) ? 1 : 0)) | 0;
    // A retransmission moves nothing back.
    if ((flags & TcpFlag.Rst) === 0 && (opens || known === undefined || ((after - known) | 0) > 0)) {
      this.next.set(own, after);
      this.undo = () => (known === undefined ? this.next.delete(own) : this.next.set(own, known));
    }
    return { flags, sequence, acknowledgement: flags & TcpFlag.Ack ? acknowledgement : 0, payload };
  }

  send(from: Party, packet: TcpPacket): Outcome {
    this.identification = (this.identification + 1) & 0xffff;
    try {
      return this.sendBytes(from, buildTcp(packetIn({ identification: this.identification, ...packet })));
    } catch (error) {
      // When a worker is killed during a packet, the next one gets the same packet again.
      this.undo();
      throw error;
    }
  }

  /** Any packet, for example ICMP, from a side; the expected result depends on its sender. */
  decideBytes(side: Side, packet: Uint8Array, flags: PacketFlag | 0): Pick<Outcome, 'verdict' | 'reason' | 'bytes'> {
    const { batch } = this;
    batch.count = 0;
    batch.push(side, packet, flags);
    this.splitter.decide(batch, this.nowMs);
    return { verdict: batch.verdict[0], reason: reasonName(batch.reason[0]), bytes: batch.packet(0).slice() };
  }

  /** All that the tables hold, ages included. */
  remembered(): unknown[] {
    const { state } = this.splitter;
    return [requestEntries, reportEntries, activationEntries].map((list) => list(state, { limit: 99 }).entries);
  }

  sendBytes(from: Party, packet: Uint8Array, flags: PacketFlag | 0 = 0): Outcome {
    const { batch } = this;
    batch.count = 0;
    batch.push(SIDE_OF[from], packet, flags);
    this.splitter.decide(batch, this.nowMs);
    const verdict: Verdict = batch.verdict[0];
    const reason = reasonName(batch.reason[0]);
    const bytes = batch.packet(0).slice();
    if (verdict === Verdict.AcceptRewritten) checkRewritten(packet, bytes, from === 'cpe');
    else if (Buffer.compare(bytes, packet) !== 0) throw new Error('a packet was changed that does not leave rewritten');
    return {
      verdict,
      reason,
      before: packet,
      bytes,
      text: describeOutcome(verdict, reason, packet, bytes, from === 'cpe'),
    };
  }

  // ---- usual beginnings ----

  /** `server` wakes the CPE and gets its 200; no FIN yet. */
  wake(server: Server = 'c1', port = 50001, cpe = CPE): this {
    this.ask(server, port, cpe);
    this.cpe('DATA', { cpe, port, payload: OK });
    return this;
  }

  /** `server` opens a Connection Request and asks; the CPE has not answered yet. */
  ask(server: Server = 'c1', port = 50001, cpe = CPE): this {
    this.from(server, 'SYN', { cpe, port, sequence: 500 });
    this.cpe('SYN+ACK', { cpe, port, sequence: 7000 });
    this.from(server, 'ACK', { cpe, port });
    this.from(server, 'DATA', { cpe, port, payload: GET });
    return this;
  }

  /** By the operator's hand. */
  activate(collector: string, cpe = CPE): this {
    expect(this.splitter.activate(addressNamed(cpe), collector, this.nowMs)).toBe(true);
    return this;
  }

  deactivate(cpe = CPE): this {
    expect(this.splitter.deactivate(addressNamed(cpe), this.nowMs)).toBe(true);
    return this;
  }

  /**
   * The woken CPE opens a report connection, which its collector answers; their messages are unreadable, as over TLS.
   */
  divert(server: Server = 'c1', cpePort = 40001, cpe = CPE): this {
    expect(this.cpe('SYN', { cpe, cpePort, sequence: 1000 })).toMatch(new RegExp(`^to ${server}: diverted`));
    expect(this.from(server, 'SYN+ACK', { cpe, cpePort, sequence: 5000 })).toBe('as acs: report-answered');
    expect(this.cpe('ACK', { cpe, cpePort })).toBe(`to ${server}: report-to-owner`);
    this.cpe('DATA', { cpe, cpePort, payload: '\x16\x03\x01 hello' });
    this.from(server, 'DATA', { cpe, cpePort, payload: '\x16\x03\x03 hello' });
    return this;
  }

  // ---- what the tables hold ----

  /** Such as `armed c1`; `none`, also of a CPE that was only asked. */
  activation(cpe = CPE): string {
    this.splitter.sweep(this.nowMs);
    const { entries } = activationEntries(this.splitter.state, { limit: 1, cpe: addressNamed(cpe) });
    const [entry] = entries;
    return entry && entry.phase !== 'asked' ? `${entry.phase} ${entry.collector}` : 'none';
  }

  /** The report connection of a CPE's port, such as `established c1`; `none`. */
  report(cpePort = 40001, cpe = CPE): string {
    this.splitter.sweep(this.nowMs);
    const { entries } = reportEntries(this.splitter.state, { limit: 99, cpe: addressNamed(cpe) });
    const entry = entries.find((one) => one.cpePort === cpePort);
    return entry ? `${entry.phase} ${entry.owner}` : 'none';
  }

  /** The Connection Requests whose own source port is this, such as `fin c1`; `none`. */
  request(ownPort = 50001, cpe = CPE): string {
    this.splitter.sweep(this.nowMs);
    const { entries } = requestEntries(this.splitter.state, { limit: 99, cpe: addressNamed(cpe) });
    const found = entries.filter((one) => one.ownPort === ownPort).map((one) => `${one.phase} ${one.owner}`);
    return found.sort().join(', ') || 'none';
  }

  /** Entries in the three tables, after sweeps that come round all of them. */
  counts(): { requests: number; activated: number; reports: number } {
    for (let step = 0; step < 4; step++) this.splitter.sweep(this.nowMs);
    const { connectionRequests, activatedCpes, reportConnections } = this.splitter.tables;
    return { requests: connectionRequests.count, activated: activatedCpes.count, reports: reportConnections.count };
  }

  /** How often an event was noted. */
  events(name: string): number {
    const index = EVENTS.indexOf(name);
    if (index < 0) throw new Error(`no event is named '${name}'`);
    return this.splitter.state.events.counts[index];
  }

  /** How often a reason was given. */
  reasons(name: string): number {
    const index = REASONS.findIndex((row) => row[0] === name);
    if (index < 0) throw new Error(`no reason is named '${name}'`);
    return this.splitter.counters.byReason[index];
  }
}

function other(end: 'cpe' | 'server'): 'cpe' | 'server' {
  return end === 'cpe' ? 'server' : 'cpe';
}

export const GET = 'GET /wake HTTP/1.1\r\nHost: cpe\r\n\r\n';
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
export const UNAUTHORIZED = 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n';

/** Nothing may change but the address and port of the end that is rewritten, and the two checksums, which are right. */
function checkRewritten(before: Uint8Array, after: Uint8Array, fromCpe: boolean): void {
  const { tcpAt, sourceAt, destinationAt, addressBytes } = packetEnds(before);
  const addressFrom = fromCpe ? destinationAt : sourceAt;
  const isIpv4 = addressBytes === 4;
  const portFrom = tcpAt + (fromCpe ? 2 : 0);
  const isWithin = (at: number, from: number, bytes: number) => at >= from && at < from + bytes;
  for (let at = 0; at < after.length; at++) {
    if (after[at] === before[at] || isWithin(at, addressFrom, addressBytes) || isWithin(at, portFrom, 2)) continue;
    if (!(isIpv4 && isWithin(at, 10, 2)) && !isWithin(at, tcpAt + 16, 2)) throw new Error(`byte ${at} was changed`);
  }
  if (isIpv4) checkSum('IP header', 10, ipHeaderChecksum, before, after);
  checkSum('TCP', tcpAt + 16, tcpChecksum, before, after);
  const { source } = packetEnds(after);
  if (!fromCpe && source !== ACS) throw new Error(`a CPE sees ${source}`);
}

/** A checksum that came right leaves right; one that came wrong leaves wrong by as much, so that it stays visible. */
function checkSum(
  name: string,
  at: number,
  fullSum: (bytes: Uint8Array, ipAt: number) => number,
  before: Uint8Array,
  after: Uint8Array,
): void {
  const wrongBy = (bytes: Uint8Array) => word(bytes, at) - fullSum(bytes, 0);
  const [came, leaves] = [wrongBy(before), wrongBy(after)];
  // One's complement: modulo 2^16 - 1.
  const isAsItCame = came === 0 ? leaves === 0 : (came - leaves) % 0xffff === 0;
  if (!isAsItCame) throw new Error(`the ${name} checksum is wrong by ${leaves}, it came wrong by ${came}`);
}

function describeOutcome(
  verdict: Verdict,
  reason: string,
  before: Uint8Array,
  after: Uint8Array,
  fromCpe: boolean,
): string {
  if (verdict === Verdict.Drop) return `drop: ${reason}`;
  if (verdict === Verdict.Accept) return `untouched: ${reason}`;
  const [came, leaves] = [packetEnds(before), packetEnds(after)];
  const portOf = (ends: typeof came) => (fromCpe ? ends.destinationPort : ends.sourcePort);
  const port = portOf(leaves) === portOf(came) ? '' : `:${portOf(leaves)}`;
  return fromCpe ? `to ${nameOf(leaves.destination)}${port}: ${reason}` : `as acs${port}: ${reason}`;
}

export function nameOf(address: string): string {
  const found = Object.entries(SERVERS).find(([, known]) => known === address);
  return found ? found[0] : address;
}

/** Zeroed memory for a splitter of these tests. */
export function tableMemory(capacityEntries: number): ArrayBuffer {
  return new ArrayBuffer(Splitter.bufferBytes(capacityEntries, topologyIn(TOPOLOGY)));
}

/** @param options with a topology of IPv4 names */
function splitterOf(options: SplitterOptions): Splitter {
  return new Splitter({ ...options, topology: topologyIn(options.topology) });
}

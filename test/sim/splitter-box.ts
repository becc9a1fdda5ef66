/**
 * The splitter on the path: the real core, driven by packets in batches on virtual time, with every verdict checked.
 *
 * The only file here that knows the core. The engine's clock is in whole milliseconds: packets that arrive within one
 * millisecond form a batch.
 */
import { type Tables } from '../reference/context';
import { type Mode, Reference, type Room, type World } from '../reference/reference';
import { parseAddress } from '../../src/packet/address';
import { PacketBatch, Verdict } from '../../src/packet/batch';
import { reasonName } from '../../src/splitter/reasons';
import { Splitter, SWEEP_SLOTS, type SplitterOptions } from '../../src/splitter/splitter';
import { SplitterState } from '../../src/splitter/memory/state';
import { SimFailure } from './failure';
import { Cause } from './ledger';
import { type Network, type Packet } from './network';
import { decisionOf, decisionText, Fate, isSame } from './outcome';
import { ACS, CPE, CPE_NETWORKS, isCpeText, ITMS, ITMS_PORTS, REPORT_PORTS, SERVERS } from './parties';
import { type Timeline } from './timeline';
import { Traced } from './traced';
import { Transcript } from './transcript';
import { checkRewritten } from './wire-checks';
import {
  addressText,
  addressTextAt,
  destinationAtOf,
  destinationOf,
  get16,
  get32,
  sourceAtOf,
  sourceOf,
  tcpAtOf,
} from './wire';

export interface BoxOptions {
  activation: Mode;
  capacityEntries: number;
  /** False: the core runs unwatched, for measurements of scale. */
  isChecked: boolean;
  /** False: the ledger and the limits alone judge. */
  hasReference: boolean;
  family: 'ipv4' | 'ipv6';
}

export interface TableCounts {
  requests: number;
  activations: number;
  reports: number;
}

const BATCH_PACKETS = 64;
/** Packets that wait while no engine runs; those beyond are lost. */
const QUEUE_PACKETS = 16384;
const HEADERS_BYTES = 140;
/** Entries of one CPE in each table of connections; report connections of it that wait for their confirmation. */
const MOST_ENTRIES = 16;
const MOST_PROVISIONAL = 4;
/** Reasons that name a stated limit. */
const LIMITS: ReadonlySet<string> = new Set([
  'request-table-full',
  'request-no-port',
  'request-bound',
  'request-unrecorded',
  'report-table-full',
  'report-bound',
]);

export class SplitterBox {
  splitter: Splitter;
  reference: Reference;
  readonly transcript = new Transcript();
  readonly peaks: TableCounts = { requests: 0, activations: 0, reports: 0 };
  packets = 0;
  batches = 0;
  /** Time inside `decide`, in ns, where `clockNs` is given. */
  decideNs = 0;
  /** Time inside `sweep`, in ns, alike. */
  sweepNs = 0;
  clockNs: (() => number) | undefined = undefined;
  isRunning = true;
  /** CPEs whose packets are logged one by one. */
  readonly traced = new Traced();
  private isFlushDue = false;
  private waiting: Packet[] = [];
  private buffer = new ArrayBuffer(0);
  private readonly batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(BATCH_PACKETS)), BATCH_PACKETS);
  private readonly room: Room & Tables;

  constructor(
    private readonly timeline: Timeline,
    private readonly network: Network,
    private readonly options: BoxOptions,
    seed: number,
  ) {
    const splitterOptions = this.splitterOptions(seed, SERVERS.slice(1));
    this.buffer = new ArrayBuffer(Splitter.bufferBytes(options.capacityEntries, splitterOptions.topology));
    this.splitter = new Splitter({ ...splitterOptions, buffer: this.buffer });
    this.room = {
      requests: false,
      activations: false,
      reports: false,
      hasRequest: (cpe, cpePort, port) => this.tables.connectionRequests.find(words(cpe), cpePort, port) >= 0,
      hasReport: (cpe, cpePort, port) => this.tables.reportConnections.find(words(cpe), cpePort, port) >= 0,
      hasActivation: (cpe) => this.tables.activatedCpes.find(words(cpe)) >= 0,
    };
    this.reference = new Reference(
      worldOf(this.isIpv6),
      options.activation,
      options.capacityEntries,
      this.room,
      this.room,
    );
  }

  /** Bytes of the tables' memory, all of it. */
  static memoryBytes(capacityEntries: number): number {
    return SplitterState.bytes(capacityEntries, ['ipv4']);
  }

  private get isIpv6(): boolean {
    return this.options.family === 'ipv6';
  }

  /** The core's, of the family that runs. */
  private get tables() {
    return this.splitter.state.families[0]!;
  }

  private textOf(address: number): string {
    return addressText(address, this.isIpv6);
  }

  private splitterOptions(seed: number, collectors: readonly (typeof SERVERS)[number][]): SplitterOptions {
    const { family } = this.options;
    const side = ({ address, queue }: (typeof SERVERS)[number]) => ({
      interface: `if${queue}`,
      address: { [family]: this.textOf(address) },
    });
    return {
      topology: {
        cpe: {
          interfaces: [{ in: 'if0', out: 'if0' }],
          address: { [family]: this.textOf(ACS) },
          networks: [CPE_NETWORKS[family]],
        },
        itms: side(SERVERS[ITMS]!),
        collectors: collectors.map((collector) => ({ name: collector.name, ...side(collector) })),
        reportPorts: [...REPORT_PORTS],
        itmsPorts: [...ITMS_PORTS],
      },
      activation: this.options.activation,
      capacityEntries: this.options.capacityEntries,
      seed,
      buffer: this.buffer,
    };
  }

  // ---- the engine's life ----

  /** The engine is gone; packets wait in the kernel. */
  stop(): void {
    this.isRunning = false;
  }

  /**
   * It is back, with a seed of its own as always.
   *
   * @param keepsState false: the memory of the tables was lost
   * @param isReversed the configuration names the collectors in another order: owners are known by name
   */
  start(keepsState: boolean, seed: number, isReversed: boolean): void {
    if (!keepsState) {
      this.buffer = new ArrayBuffer(this.buffer.byteLength);
      this.reference.forget();
    }
    const collectors = SERVERS.slice(1);
    if (isReversed) collectors.reverse();
    this.splitter = new Splitter(this.splitterOptions(seed, collectors));
    this.reference.context.isPaused = false;
    this.isRunning = true;
    if (this.waiting.length > 0) this.scheduleFlush();
  }

  pause(isPaused: boolean): void {
    this.splitter.paused = isPaused;
    this.reference.context.isPaused = isPaused;
  }

  activate(cpe: number, collector: number): void {
    const nowMs = Math.floor(this.timeline.nowMs);
    this.updateRoom();
    this.splitter.activate(words(this.textOf(cpe)), SERVERS[collector]!.name, nowMs);
    this.reference.activate(this.textOf(cpe), SERVERS[collector]!.name, nowMs);
  }

  deactivate(cpe: number): void {
    const nowMs = Math.floor(this.timeline.nowMs);
    const stood = this.splitter.deactivate(words(this.textOf(cpe)), nowMs);
    if (this.reference.deactivate(this.textOf(cpe), nowMs) === stood || !this.options.hasReference) return;
    throw new SimFailure('decisions', nowMs, `deactivate ${this.textOf(cpe)}: ${stood ? 'an' : 'no'} activation stood`);
  }

  // ---- packets ----

  arrive(packet: Packet): void {
    if (this.waiting.length >= QUEUE_PACKETS) {
      if (packet.connection !== undefined) packet.connection.causes |= Cause.Queue;
      this.network.release(packet);
      return;
    }
    this.waiting.push(packet);
    if (!this.isFlushDue && this.isRunning) this.scheduleFlush();
  }

  private scheduleFlush(): void {
    this.isFlushDue = true;
    this.timeline.at(Math.floor(this.timeline.nowMs) + 1, this);
  }

  due(): void {
    this.isFlushDue = false;
    if (!this.isRunning) return;
    const { waiting } = this;
    this.waiting = [];
    for (let from = 0; from < waiting.length;) {
      const isTight = this.updateRoom();
      const to = Math.min(waiting.length, from + (isTight ? 1 : BATCH_PACKETS));
      this.decide(waiting, from, to, this.timeline.nowMs);
      from = to;
    }
  }

  private decide(packets: Packet[], from: number, to: number, nowMs: number): void {
    const { batch, clockNs } = this;
    batch.count = 0;
    for (let i = from; i < to; i++) {
      const packet = packets[i]!;
      const queue = packet.sender === CPE ? 0 : SERVERS[packet.sender]!.queue;
      batch.push(queue, packet.bytes.subarray(0, packet.length));
    }
    const startedNs = clockNs === undefined ? 0 : clockNs();
    this.splitter.decide(batch, nowMs);
    if (clockNs !== undefined) this.decideNs += clockNs() - startedNs;
    this.batches++;
    this.packets += to - from;
    for (let i = from; i < to; i++) this.settle(packets[i]!, i - from, nowMs);
  }

  /** Checks a verdict and carries it out. */
  private settle(packet: Packet, index: number, nowMs: number): void {
    const { batch } = this;
    const after = batch.packet(index);
    const verdict: Verdict = batch.verdict[index]!;
    const fate = verdict === Verdict.Drop ? Fate.Drop : verdict === Verdict.Accept ? Fate.Accept : Fate.Rewrite;
    if (this.options.isChecked) this.check(packet, fate, index, nowMs);
    this.transcript.add(nowMs, batch.queue[index]!, fate, after, packet.length);
    if (fate === Fate.Rewrite) {
      const headers = packet.length < HEADERS_BYTES ? packet.length : HEADERS_BYTES;
      for (let at = 0; at < headers; at++) packet.bytes[at] = after[at]!;
      this.network.forward(packet);
      return;
    }
    this.network.release(packet);
  }

  private check(packet: Packet, fate: Fate, index: number, nowMs: number): void {
    const { batch } = this;
    const after = batch.packet(index);
    const queue = batch.queue[index]!;
    const fromCpe = queue === 0;
    const before = packet.bytes.subarray(0, packet.length);
    const found = decisionOf(fate, after);
    const { connection } = packet;
    if (typeof found === 'object') {
      checkRewritten(before, after, fromCpe, connection !== undefined && !packet.isCorrupt, found, nowMs);
    }
    const must = this.options.hasReference ? this.reference.decide(fromCpe, before, nowMs, found) : found;
    if (connection !== undefined) {
      const isLimited = this.reference.context.isLimited || LIMITS.has(reasonName(batch.reason[index]!));
      if (isLimited) connection.causes |= Cause.Limit;
      connection.meetSplitter(packet.sender, packet.isCorrupt ? 0 : before[tcpAtOf(before) + 13]!, nowMs);
    }
    const cpe = before.length < 40 ? undefined : fromCpe ? sourceOf(before) : destinationOf(before);
    if (cpe !== undefined && cpe === this.traced.cpe) {
      this.traced.line(nowMs, packetText(before, queue), reasonName(batch.reason[index]!), found, packet);
    }
    const reason = reasonName(batch.reason[index]!);
    const mustReason = this.options.hasReference ? this.reference.reason : reason;
    // What is no TCP packet for the splitter has reasons that are the core's own; and of several limits it names one.
    const isFree = mustReason === 'foreign' || this.reference.context.isLimited;
    if (isSame(found, must) && (reason === mustReason || isFree)) return;
    const core = `the core did ${decisionText(found)} (${reason})`;
    const detail = `the reference says ${decisionText(must)} (${mustReason}), ${core}`;
    throw new SimFailure('decisions', nowMs, `${packetText(before, queue)}: ${detail}`, cpe);
  }

  // ---- tables ----

  /** One step of sweeping, and the limits that hold at any time. */
  sweep(): void {
    if (!this.isRunning) return;
    const { clockNs } = this;
    const startedNs = clockNs === undefined ? 0 : clockNs();
    this.splitter.sweep(Math.floor(this.timeline.nowMs));
    if (clockNs !== undefined) this.sweepNs += clockNs() - startedNs;
    const counts = this.counts();
    this.peaks.requests = Math.max(this.peaks.requests, counts.requests);
    this.peaks.activations = Math.max(this.peaks.activations, counts.activations);
    this.peaks.reports = Math.max(this.peaks.reports, counts.reports);
    const most = Math.max(counts.requests, counts.activations, counts.reports);
    if (most > this.options.capacityEntries) {
      throw new SimFailure('limits', this.timeline.nowMs, `${most} entries, more than the capacity`);
    }
  }

  counts(): TableCounts {
    const { connectionRequests, activatedCpes, reportConnections } = this.splitter.tables;
    return { requests: connectionRequests.count, activations: activatedCpes.count, reports: reportConnections.count };
  }

  /** Sweeps everything: the tables then hold exactly what the reference holds. */
  audit(): void {
    if (!this.isRunning || !this.options.isChecked) return;
    const nowMs = Math.floor(this.timeline.nowMs);
    const slots = this.tables.connectionRequests.table.slotCount;
    for (let swept = 0; swept < 3 * slots + SWEEP_SLOTS; swept += SWEEP_SLOTS) this.splitter.sweep(nowMs);
    this.checkBounds(nowMs);
    if (!this.options.hasReference) return;
    const seen = JSON.stringify(this.counts());
    const must = JSON.stringify(this.reference.counts(nowMs));
    if (seen !== must) throw new SimFailure('tables', nowMs, `entries ${seen}, the reference has ${must}`);
  }

  /** No CPE, however it behaves, takes more than its share of a table. */
  private checkBounds(nowMs: number): void {
    const { connectionRequests, reportConnections } = this.tables;
    for (const [table, mostWaiting] of [
      [connectionRequests, MOST_ENTRIES],
      [reportConnections, MOST_PROVISIONAL],
    ] as const) {
      const counts = new Map<string, { all: number; waiting: number }>();
      for (let slot = 0; slot < table.table.slotCount; slot++) {
        if (!table.table.isLive(slot)) continue;
        const cpe = table.cpe(slot).join();
        const count = counts.get(cpe) ?? { all: 0, waiting: 0 };
        counts.set(cpe, count);
        count.all++;
        if (!table.isAnswered(slot) && !table.isClosed(slot)) count.waiting++;
        if (count.all <= MOST_ENTRIES && count.waiting <= mostWaiting) continue;
        const detail = `${count.all} entries of one CPE, of which ${count.waiting} wait`;
        throw new SimFailure('limits', nowMs, detail, table.cpe(slot).at(-1));
      }
    }
  }

  /** After quiet and the longest life nothing is left, not even an index. */
  checkEmpty(): void {
    this.audit();
    const left = { ...this.counts(), remaps: this.tables.connectionRequests.remapCount };
    if (Object.values(left).every((count) => count === 0)) return;
    throw new SimFailure('tables', this.timeline.nowMs, `left after the end: ${JSON.stringify(left)}`);
  }

  /** Which tables could refuse an entry within the next batch. */
  private updateRoom(): boolean {
    const { room, options } = this;
    const { connectionRequests } = this.tables;
    const most = options.capacityEntries - BATCH_PACKETS;
    const counts = this.counts();
    const mostRemaps = Math.max(64, options.capacityEntries / 16) - BATCH_PACKETS;
    room.requests = counts.requests >= most || connectionRequests.remapCount >= mostRemaps;
    room.activations = counts.activations >= most;
    room.reports = counts.reports >= most;
    return room.requests || room.activations || room.reports;
  }
}

/** The reference's view of the parties. */
function worldOf(isIpv6: boolean): World {
  const text = ({ address }: (typeof SERVERS)[number]) => addressText(address, isIpv6);
  return {
    acs: addressText(ACS, isIpv6),
    itms: text(SERVERS[ITMS]!),
    collectors: Object.fromEntries(SERVERS.slice(1).map((one) => [one.name, text(one)])),
    isCpe: isCpeText,
    reportPorts: REPORT_PORTS,
    itmsPorts: ITMS_PORTS,
  };
}

function words(address: string): Int32Array {
  return parseAddress(address)!;
}

const FLAG_LETTERS = 'FSRPAUEC';

/** A packet in a line, as far as it can be read. */
function packetText(bytes: Uint8Array, queue: number): string {
  const tcpAt = tcpAtOf(bytes);
  if (bytes.length < Math.max(20, tcpAt) + 20) return `${bytes.length} bytes on queue ${queue}`;
  const flags = [...FLAG_LETTERS].filter((_, bit) => bytes[tcpAt + 13]! & (1 << bit)).join('');
  const end = (addressAt: number, portAt: number) => `${addressTextAt(bytes, addressAt)} port ${get16(bytes, portAt)}`;
  const numbers = `seq ${get32(bytes, tcpAt + 4) >>> 0} ack ${get32(bytes, tcpAt + 8) >>> 0}`;
  const length = `${bytes.length - tcpAt - ((bytes[tcpAt + 12]! >>> 4) << 2)} bytes`;
  const ends = `${end(sourceAtOf(bytes), tcpAt)} > ${end(destinationAtOf(bytes), tcpAt + 2)}`;
  return `${flags} on queue ${queue}, ${ends}, ${numbers}, ${length}`;
}

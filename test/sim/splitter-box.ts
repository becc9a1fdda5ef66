/**
 * The splitter on its path: the real core, driven by packets in batches on virtual time, and every verdict checked.
 *
 * The only file here that knows the core. The engine's clock is in whole milliseconds: packets that arrive within one
 * are a batch.
 */
import { type Mode, Reference, type Room, type World } from '../reference/reference';
import { PacketBatch, Verdict } from '../../src/packet/batch';
import { Splitter, SWEEP_SLOTS, type SplitterOptions } from '../../src/splitter/splitter';
import { SplitterState } from '../../src/splitter/memory/state';
import { SimFailure } from './failure';
import { Cause } from './ledger';
import { type Network, type Packet } from './network';
import { decisionOf, decisionText, Fate, isSame, type Outcome } from './outcome';
import { ACS_TEXT, CPE, CPE_NETWORK, isCpeAddress, ITMS, ITMS_PORTS, REPORT_PORTS, SERVERS } from './parties';
import { type Timeline } from './timeline';
import { Traced } from './traced';
import { Transcript } from './transcript';
import { checkRewritten } from './wire-checks';
import { addressOf, addressText, FIN, get16, get32, RST, SYN } from './wire';

export interface BoxOptions {
  activation: Mode;
  capacityEntries: number;
  /** False: the core runs unwatched, for measurements of scale. */
  isChecked: boolean;
}

export interface TableCounts {
  requests: number;
  activations: number;
  reports: number;
}

const BATCH_PACKETS = 64;
/** Packets that wait while no engine runs; those beyond are lost. */
const QUEUE_PACKETS = 16384;
const HEADERS_BYTES = 120;

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
  /** Whose packets are told one by one. */
  readonly traced = new Traced();
  private isFlushDue = false;
  private waiting: Packet[] = [];
  private buffer = new ArrayBuffer(0);
  private readonly batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(BATCH_PACKETS)), BATCH_PACKETS);
  private readonly room: Room;
  private readonly seen: Outcome = { fate: Fate.Drop, source: 0, sourcePort: 0, destination: 0, destinationPort: 0 };

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
      hasRequest: (cpe, cpePort, port) =>
        this.splitter.state.ipv4!.connectionRequests.find(words(cpe), cpePort, port) >= 0,
      hasActivation: (cpe) => this.splitter.state.ipv4!.activatedCpes.find(words(cpe)) >= 0,
    };
    this.reference = new Reference(WORLD, options.activation, options.capacityEntries, this.room);
  }

  /** Bytes of the tables' memory, all of it. */
  static memoryBytes(capacityEntries: number): number {
    return SplitterState.bytes(capacityEntries, ['ipv4']);
  }

  private splitterOptions(seed: number, collectors: readonly (typeof SERVERS)[number][]): SplitterOptions {
    const side = ({ text, queue }: (typeof SERVERS)[number]) => ({
      interface: `if${queue}`,
      address: { ipv4: text },
    });
    return {
      topology: {
        cpe: { interfaces: [{ in: 'if0', out: 'if0' }], address: { ipv4: ACS_TEXT }, networks: [CPE_NETWORK] },
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
    this.splitter.activate(Int32Array.of(cpe), SERVERS[collector]!.name, nowMs);
    this.reference.activate(addressText(cpe), SERVERS[collector]!.name, nowMs);
  }

  deactivate(cpe: number): void {
    const nowMs = Math.floor(this.timeline.nowMs);
    const stood = this.splitter.deactivate(Int32Array.of(cpe), nowMs);
    if (this.reference.deactivate(addressText(cpe), nowMs) === stood || !this.options.isChecked) return;
    throw new SimFailure('decisions', nowMs, `deactivate ${addressText(cpe)}: ${stood ? 'an' : 'no'} activation stood`);
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

  /** Checks a verdict, and does what it says. */
  private settle(packet: Packet, index: number, nowMs: number): void {
    const { batch, seen } = this;
    const after = batch.packet(index);
    const verdict: Verdict = batch.verdict[index]!;
    seen.fate = verdict === Verdict.Drop ? Fate.Drop : verdict === Verdict.Accept ? Fate.Accept : Fate.Rewrite;
    if (this.options.isChecked) this.check(packet, after, batch.queue[index]!, nowMs);
    this.transcript.add(nowMs, batch.queue[index]!, seen.fate, after, packet.length);
    if (seen.fate === Fate.Rewrite) {
      const headers = packet.length < HEADERS_BYTES ? packet.length : HEADERS_BYTES;
      for (let at = 0; at < headers; at++) packet.bytes[at] = after[at]!;
      this.network.forward(packet);
      return;
    }
    this.network.release(packet);
  }

  private check(packet: Packet, after: Uint8Array, queue: number, nowMs: number): void {
    const { seen } = this;
    const before = packet.bytes.subarray(0, packet.length);
    const isWhole = packet.connection !== undefined && !packet.isCorrupt;
    if (seen.fate === Fate.Rewrite) {
      const tcpAt = (after[0]! & 15) << 2;
      seen.source = get32(after, 12);
      seen.destination = get32(after, 16);
      seen.sourcePort = get16(after, tcpAt);
      seen.destinationPort = get16(after, tcpAt + 2);
      const didRemap = queue !== 0 && seen.sourcePort !== get16(before, tcpAt);
      if (packet.connection !== undefined && didRemap) packet.connection.isRemapped = true;
      checkRewritten(before, after, queue === 0, isWhole, seen, nowMs);
    }
    const found = decisionOf(seen);
    const must = this.reference.decide(queue === 0, before, nowMs, found);
    if (packet.connection !== undefined) {
      if (this.reference.context.isLimited) packet.connection.causes |= Cause.Limit;
      packet.connection.meetSplitter(packet.sender, isFin(before), nowMs);
    }
    const cpe = before.length < 20 ? undefined : get32(before, queue === 0 ? 12 : 16);
    if (cpe !== undefined && cpe === this.traced.cpe) this.traced.line(nowMs, packetText(before, queue), seen, packet);
    if (isSame(found, must)) return;
    const detail = `the reference says ${decisionText(must)}, the core did ${decisionText(found)}`;
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
    const slots = this.splitter.state.ipv4!.connectionRequests.table.slotCount;
    for (let swept = 0; swept < 3 * slots + SWEEP_SLOTS; swept += SWEEP_SLOTS) this.splitter.sweep(nowMs);
    const seen = JSON.stringify(this.counts());
    const must = JSON.stringify(this.reference.counts(nowMs));
    if (seen !== must) throw new SimFailure('tables', nowMs, `entries ${seen}, the reference has ${must}`);
  }

  /** After quiet and the longest life nothing is left, not even an index. */
  checkEmpty(): void {
    this.audit();
    const { requests, activations, reports } = this.counts();
    const left = requests + activations + reports + this.splitter.state.ipv4!.connectionRequests.remapCount;
    if (left !== 0) throw new SimFailure('tables', this.timeline.nowMs, `${left} entries are left after the end`);
  }

  /** Which tables could refuse an entry within the next batch. */
  private updateRoom(): boolean {
    const { room, options } = this;
    const most = options.capacityEntries - BATCH_PACKETS;
    const counts = this.counts();
    const mostRemaps = Math.max(64, options.capacityEntries / 16) - BATCH_PACKETS;
    room.requests = counts.requests >= most || this.splitter.state.ipv4!.connectionRequests.remapCount >= mostRemaps;
    room.activations = counts.activations >= most;
    room.reports = counts.reports >= most;
    return room.requests || room.activations || room.reports;
  }
}

/** The reference's view of the parties. */
const WORLD: World = {
  acs: ACS_TEXT,
  itms: SERVERS[ITMS]!.text,
  collectors: Object.fromEntries(SERVERS.slice(1).map(({ name, text }) => [name, text])),
  isCpe: (address) => isCpeAddress(addressOf(address)),
  reportPorts: REPORT_PORTS,
  itmsPorts: ITMS_PORTS,
};

function words(address: string): Int32Array {
  return Int32Array.of(addressOf(address));
}

/** As far as a spoiled packet can be read. */
function isFin(bytes: Uint8Array): boolean {
  const tcpAt = bytes.length === 0 ? 0 : (bytes[0]! & 15) << 2;
  return bytes.length >= tcpAt + 20 && (bytes[tcpAt + 13]! & (FIN | SYN | RST)) === FIN;
}

const FLAG_LETTERS = 'FSRPAUEC';

/** A packet in a line, as far as it can be read. */
function packetText(bytes: Uint8Array, queue: number): string {
  const tcpAt = bytes.length === 0 ? 0 : (bytes[0]! & 15) << 2;
  if (bytes.length < Math.max(20, tcpAt) + 20) return `${bytes.length} bytes on queue ${queue}`;
  const flags = [...FLAG_LETTERS].filter((_, bit) => bytes[tcpAt + 13]! & (1 << bit)).join('');
  const end = (addressAt: number, portAt: number) => `${addressText(get32(bytes, addressAt))}:${get16(bytes, portAt)}`;
  const numbers = `seq ${get32(bytes, tcpAt + 4) >>> 0} ack ${get32(bytes, tcpAt + 8) >>> 0}`;
  return `${flags} on queue ${queue}, ${end(12, tcpAt)} > ${end(16, tcpAt + 2)}, ${numbers}`;
}

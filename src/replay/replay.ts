/**
 * Drives the splitter from captures: capture packets -> splitter.decide(batch, captureMs) -> capture and transcript.
 *
 * Packets are decided in the reader's window: the windows lie in the batch's own region and the batch's offsets point
 * into them, so no input is copied. A batch has one time, so it holds packets of one millisecond only. The clock is
 * capture time since the first packet; it drives the sweep too.
 */
import { PacketBatch, PacketFlag, Verdict } from '../packet/batch';
import { Reason } from '../splitter/reasons';
import { type Splitter } from '../splitter/splitter';
import { type Topology } from '../splitter/topology';
import { type ByteSource } from './byte-io';
import { CaptureError } from './capture-error';
import { CaptureClock } from './capture-clock';
import { type CaptureReader } from './capture-reader';
import { type CaptureWriter, emptyOutgoing, type OutgoingPacket } from './capture-writer';
import { locateIp } from './link-layer';
import { Merge } from './merge';
import { clearLength, fillLength } from './missing-length';
import { noIp, NoIpCause, NoIpCounts, type NoIpKind } from './no-ip';
import { openCapture, WINDOW_BYTES } from './open-capture';
import { FILE_HEADER_BYTES } from './pcap-format';
import { PcapReader } from './pcap-reader';
import { type PcapFlavour } from './pcap-writer';
import { PendingPackets } from './pending';
import { SideChooser, type CapturedSide } from './side';
import { type Transcript } from './transcript';

/** Fixed seed of the splitter's hashes, so that the same capture gives the same run. */
export const REPLAY_SEED = 0x61637370;
/** Most captures read at once: one per interface, with room for a rotated set. */
export const MAX_INPUTS = 64;

/** Most packets of one millisecond decided at once. */
const CAPACITY = 64;
/** Capture time between two steps of the sweep: `Splitter.sweep` expects about forty a second. */
const SWEEP_EVERY_MS = 25;

export interface ReplayOptions {
  /** At least one, at most MAX_INPUTS. Closed when the replay ends. */
  sources: ByteSource[];
  splitter: Splitter;
  topology: Topology;
  /** The side of every packet; by interface name or address when absent. */
  side?: CapturedSide;
  /** Makes the output's writer when the inputs are open. Closed when the replay ends. */
  openWriter?: (flavour: PcapFlavour) => CaptureWriter;
  /** Write dropped packets too, unchanged. */
  keepDropped?: boolean;
  transcript?: Transcript;
  /** Called after each read of an input. */
  onProgress?: (bytesRead: number, packets: number) => void;
}

export interface ReplayResult {
  packets: number;
  /** Packets by Verdict. */
  verdicts: number[];
  /** Packets cut by the capture's snaplen: headers are rewritten, payloads were not seen. */
  cut: number;
  /** Packets older than the one before them. */
  outOfOrder: number;
  /** Packets without a timestamp. */
  untimed: number;
  /** Frames without an IP packet that can be read, by link type and cause, the most frequent first. */
  noIp: NoIpKind[];
  /** From the first packet to the last, in seconds of capture time. */
  spanSeconds: number;
  /** What could not be read, in the order of the inputs. Everything before it was replayed. */
  errors: CaptureError[];
}

/**
 * Replays sources that never have to be waited for to their ends. Throws what sinks and sources throw; bad captures are
 * reported, not thrown.
 */
export function replay(options: ReplayOptions): ReplayResult {
  try {
    const run = new Replay(options);
    if (run.advance()) throw new TypeError('a live source needs replayLive');
    return run.finish();
  } finally {
    for (const source of options.sources) source.close();
  }
}

/** As `replay`, for sources of any kind: while a live one is silent, everything decided so far is written out. */
export async function replayLive(options: ReplayOptions): Promise<ReplayResult> {
  try {
    for (const source of options.sources) await source.arrived?.(FILE_HEADER_BYTES);
    const run = new Replay(options);
    for (let silent = run.advance(); silent; silent = run.advance()) await silent.arrived?.(1);
    return run.finish();
  } finally {
    for (const source of options.sources) source.close();
  }
}

class Replay {
  private readonly batch: PacketBatch;
  private readonly pending = new PendingPackets(CAPACITY);
  private readonly noIp = new NoIpCounts();
  private readonly readers: CaptureReader[] = [];
  /** By reader. */
  private readonly sources: ByteSource[] = [];
  private readonly merge: Merge;
  /** By reader: set if its records can be copied to the output without rebuilding them. */
  private readonly copied: (PcapReader | undefined)[] = [];
  private readonly sides: SideChooser;
  private readonly limit: number;
  private readonly outgoing: OutgoingPacket;
  private writer: CaptureWriter | undefined = undefined;
  private readonly clock = new CaptureClock();
  /** The millisecond of capture time that the batch's packets share. */
  private groupMs = 0;
  private sweptMs = 0;
  private readonly result: ReplayResult = {
    packets: 0,
    verdicts: [0, 0, 0],
    cut: 0,
    outOfOrder: 0,
    untimed: 0,
    noIp: [],
    spanSeconds: 0,
    errors: [],
  };

  constructor(private readonly options: ReplayOptions) {
    const { length } = options.sources;
    if (length < 1 || length > MAX_INPUTS) throw new RangeError(`1 to ${MAX_INPUTS} captures at once`);
    // The batch's slots serve as windows: packets are read into the memory in which they are decided.
    const windowsAt = PacketBatch.slotsOffset(CAPACITY);
    const needed = windowsAt + length * WINDOW_BYTES;
    this.batch = new PacketBatch(new ArrayBuffer(Math.max(PacketBatch.regionBytes(CAPACITY), needed)), CAPACITY);
    this.sides = new SideChooser(options.topology, options.side);
    // A transcript's line tells the events of its own packet, so each batch holds one packet.
    this.limit = options.transcript ? 1 : CAPACITY;
    this.outgoing = emptyOutgoing(this.batch.bytes);
    options.sources.forEach((source, index) => this.open(source, index));
    // Do not create an output when no input can be read.
    if (this.readers.length > 0) this.openWriter();
    this.merge = new Merge(this.readers, () => this.beforeRefill());
  }

  /** Replays until all sources have ended. Returns a source that has nothing yet: call again when bytes have arrived. */
  advance(): ByteSource | undefined {
    const { merge } = this;
    const behind = merge.catchUp();
    if (behind >= 0) return this.pauseAt(behind);
    for (let index = merge.earliest(); index >= 0; index = merge.earliest()) {
      this.take(index);
      if (!merge.advance(index)) return this.pauseAt(index);
    }
    return undefined;
  }

  /** Completes the outputs. */
  finish(): ReplayResult {
    const { options, result, readers, sources, clock } = this;
    if (readers.length === 0) return result;
    this.settle();
    this.writer?.close();
    options.transcript?.end();
    result.spanSeconds = clock.spanSeconds;
    result.outOfOrder = clock.outOfOrder;
    readers.forEach((reader, index) => {
      // A signal may end a source within a packet; that is no fault of the capture.
      if (reader.error && !sources[index].isStopped) result.errors.push(reader.error);
      result.untimed += reader.untimed;
    });
    result.noIp = this.noIp.sorted();
    return result;
  }

  private open(source: ByteSource, index: number): void {
    const start = PacketBatch.slotsOffset(CAPACITY) + index * WINDOW_BYTES;
    try {
      this.readers.push(openCapture(source, this.batch.bytes, start));
      this.sources.push(source);
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error;
      if (!source.isStopped) this.result.errors.push(error);
    }
  }

  /** The output takes the format of the first classic input; records of inputs in that format need not be rebuilt. */
  private openWriter(): void {
    const model = this.readers.find((reader) => reader instanceof PcapReader);
    const flavour: PcapFlavour = model
      ? { little: model.little, unitNanoseconds: model.unitNanoseconds, snapLength: model.captureInterface.snapLength }
      : { little: true, unitNanoseconds: 1, snapLength: 0 };
    if (this.readers.length > 1) flavour.snapLength = 0;
    for (const reader of this.readers) {
      const same =
        reader instanceof PcapReader &&
        reader.little === flavour.little &&
        reader.unitNanoseconds === flavour.unitNanoseconds;
      this.copied.push(same ? reader : undefined);
    }
    this.writer = this.options.openWriter?.(flavour);
  }

  /** The reader's source is silent: shows everything decided so far. */
  private pauseAt(index: number): ByteSource {
    this.writer?.flush();
    this.options.transcript?.flush();
    return this.sources[index];
  }

  private beforeRefill(): void {
    this.settle();
    this.writer?.settle();
    const { onProgress } = this.options;
    if (!onProgress) return;
    let bytesRead = 0;
    for (const reader of this.readers) bytesRead += reader.bytesRead;
    onProgress(bytesRead, this.result.packets);
  }

  /** Adds reader `index`'s packet to the batch, after deciding packets of an earlier millisecond. */
  private take(index: number): void {
    const reader = this.readers[index];
    const nowMs = this.clock.advance(reader.seconds, reader.nanoseconds);
    const { batch, pending } = this;
    if (batch.count > 0 && (nowMs !== this.groupMs || batch.count === this.limit)) this.settle();
    this.groupMs = nowMs;

    const { packetAt, capturedBytes, captureInterface } = reader;
    const i = batch.count;
    const ipAt = locateIp(captureInterface.linkType, batch.bytes, packetAt, capturedBytes);
    const isCut = reader.originalBytes > capturedBytes;
    // A frame without IP becomes an empty packet, which the splitter accepts as not-ip.
    const length = ipAt < 0 ? 0 : packetAt + capturedBytes - ipAt;
    const wireBytes = isCut ? length + reader.originalBytes - capturedBytes : length;
    pending.beyondLength[i] = ipAt < 0 ? -1 : fillLength(batch.bytes, ipAt, length, wireBytes);
    batch.offset[i] = ipAt < 0 ? packetAt : ipAt;
    batch.length[i] = length;
    batch.queue[i] = this.sides.sideOf(captureInterface, batch.bytes, ipAt, length);
    batch.flags[i] = isCut ? PacketFlag.Captured | PacketFlag.Snapped : PacketFlag.Captured;
    batch.packetId[i] = 0;
    batch.count = i + 1;

    const copied = this.copied[index];
    pending.packetAt[i] = packetAt;
    pending.capturedBytes[i] = capturedBytes;
    pending.originalBytes[i] = reader.originalBytes;
    pending.seconds[i] = reader.seconds;
    pending.nanoseconds[i] = reader.nanoseconds;
    pending.recordAt[i] = copied ? copied.recordAt : -1;
    pending.recordBytes[i] = copied ? copied.recordBytes : 0;
    pending.captureInterface[i] = captureInterface;
    this.result.packets++;
    if (isCut) this.result.cut++;
  }

  /** Decides the batch's packets, passes them on and empties the batch. */
  private settle(): void {
    const { batch, options, groupMs } = this;
    if (batch.count === 0) return;
    const { splitter, transcript } = options;
    const sinceSweep = groupMs - this.sweptMs;
    if (sinceSweep >= SWEEP_EVERY_MS || sinceSweep < 0) {
      this.sweptMs = groupMs;
      splitter.sweep(groupMs);
    }
    transcript?.before(batch, Math.max(0, this.pending.beyondLength[0]));
    splitter.decide(batch, groupMs);
    for (let i = 0; i < batch.count; i++) this.passOn(i);
    batch.count = 0;
  }

  private passOn(i: number): void {
    const { batch, pending, outgoing, writer, options, clock } = this;
    const verdict = batch.verdict[i];
    this.result.verdicts[verdict]++;
    if (batch.reason[i] === Reason.NotIp) this.countNoIp(i);
    if (options.transcript) {
      const nanoseconds = pending.nanoseconds[i] - clock.firstNanoseconds;
      options.transcript.after(batch, pending.seconds[i] - clock.firstSeconds, nanoseconds);
    }
    if (pending.beyondLength[i] >= 0) clearLength(batch.bytes, batch.offset[i]);
    if (!writer || (verdict === Verdict.Drop && !options.keepDropped)) return;
    outgoing.packetAt = pending.packetAt[i];
    outgoing.capturedBytes = pending.capturedBytes[i];
    outgoing.originalBytes = pending.originalBytes[i];
    outgoing.seconds = pending.seconds[i];
    outgoing.nanoseconds = pending.nanoseconds[i];
    outgoing.captureInterface = pending.captureInterface[i];
    outgoing.recordAt = pending.recordAt[i];
    outgoing.recordBytes = pending.recordBytes[i];
    outgoing.verdict = verdict;
    outgoing.reason = batch.reason[i];
    writer.write(outgoing);
  }

  private countNoIp(i: number): void {
    const { batch, pending } = this;
    const { linkType } = pending.captureInterface[i];
    const at = pending.packetAt[i];
    const ipAt = locateIp(linkType, batch.bytes, at, pending.capturedBytes[i]);
    this.noIp.add(linkType, ipAt < 0 ? ipAt : noIp(NoIpCause.Version, batch.bytes[ipAt] >>> 4));
  }
}

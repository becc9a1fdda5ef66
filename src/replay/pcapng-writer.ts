/**
 * Writes pcapng: one little-endian section with nanosecond timestamps, a description of each interface before its first
 * packet, and a comment with verdict and reason on every packet.
 */
import { type Verdict } from '../packet/batch';
import { REASONS } from '../splitter/reasons';
import { type ByteSink } from './byte-io';
import { CaptureError } from './capture-error';
import { type CaptureInterface } from './capture-reader';
import { type CaptureWriter, type OutgoingPacket } from './capture-writer';
import { writeUnsigned16, writeUnsigned32 } from './endian';
import * as pcapng from './pcapng-format';
import { joinNanoseconds } from './timestamp';
import { verdictName } from './verdict-name';

const LITTLE = true;
/** Most interfaces in one file, over all inputs and their sections. */
const MAX_INTERFACES = 65536;
const UNKNOWN_LENGTH = 0xffffffff;

export class PcapngWriter implements CaptureWriter {
  private readonly fixed = new Uint8Array(pcapng.PACKET_FIXED_BYTES);
  private readonly halves = new Uint32Array(2);
  /** Comment option and end of options, by reason. */
  private readonly tails = REASONS.map((row, reason) => commentOptions(reason, row[1]));
  private readonly padding = new Uint8Array(4);
  private readonly trailer = new Uint8Array(pcapng.TRAILER_BYTES);
  private readonly ids = new Map<string, number>();
  private lastInterface: CaptureInterface | undefined = undefined;
  private lastId = 0;
  private begun = false;

  constructor(
    private readonly sink: ByteSink,
    /** The file's name for error messages. */
    private readonly name: string,
  ) {}

  write(packet: OutgoingPacket): void {
    const { fixed, sink, halves } = this;
    const id = this.idOf(packet.captureInterface);
    const padding = -packet.capturedBytes & 3;
    const tail = this.tails[packet.reason];
    const blockBytes = pcapng.PACKET_FIXED_BYTES + packet.capturedBytes + padding + tail.length + pcapng.TRAILER_BYTES;
    joinNanoseconds(packet.seconds, packet.nanoseconds, halves);
    writeUnsigned32(fixed, pcapng.TYPE_AT, pcapng.ENHANCED_PACKET, LITTLE);
    writeUnsigned32(fixed, pcapng.LENGTH_AT, blockBytes, LITTLE);
    writeUnsigned32(fixed, pcapng.INTERFACE_ID_AT, id, LITTLE);
    writeUnsigned32(fixed, pcapng.STAMP_HIGH_AT, halves[0], LITTLE);
    writeUnsigned32(fixed, pcapng.STAMP_LOW_AT, halves[1], LITTLE);
    writeUnsigned32(fixed, pcapng.CAPTURED_AT, packet.capturedBytes, LITTLE);
    writeUnsigned32(fixed, pcapng.ORIGINAL_AT, packet.originalBytes, LITTLE);
    sink.write(fixed, 0, fixed.length);
    sink.write(packet.bytes, packet.packetAt, packet.capturedBytes);
    sink.write(this.padding, 0, padding);
    sink.write(tail, 0, tail.length);
    writeUnsigned32(this.trailer, 0, blockBytes, LITTLE);
    sink.write(this.trailer, 0, pcapng.TRAILER_BYTES);
  }

  settle(): void {
    // `write` has copied every packet.
  }

  flush(): void {
    this.sink.flush();
  }

  close(): void {
    this.begin();
    this.sink.close();
  }

  /** The interface's number in this file. Describes it before its first packet. */
  private idOf(captureInterface: CaptureInterface): number {
    if (captureInterface === this.lastInterface) return this.lastId;
    this.begin();
    const { linkType, snapLength, name } = captureInterface;
    const key = `${linkType} ${snapLength} ${name}`;
    let id = this.ids.get(key);
    if (id === undefined) {
      id = this.ids.size;
      if (id === MAX_INTERFACES) throw new CaptureError(this.name, 0, `more than ${MAX_INTERFACES} interfaces`);
      this.ids.set(key, id);
      this.describe(captureInterface);
    }
    this.lastInterface = captureInterface;
    this.lastId = id;
    return id;
  }

  private begin(): void {
    if (this.begun) return;
    this.begun = true;
    const options = withEnd([option(pcapng.USER_APPLICATION, Buffer.from('acsplit'))]);
    const block = new Uint8Array(pcapng.SECTION_FIXED_BYTES + options.length + pcapng.TRAILER_BYTES);
    writeUnsigned32(block, pcapng.BYTE_ORDER_AT, pcapng.BYTE_ORDER_MAGIC, LITTLE);
    writeUnsigned16(block, pcapng.SECTION_MAJOR_AT, pcapng.MAJOR_VERSION, LITTLE);
    writeUnsigned32(block, pcapng.SECTION_LENGTH_AT, UNKNOWN_LENGTH, LITTLE);
    writeUnsigned32(block, pcapng.SECTION_LENGTH_AT + 4, UNKNOWN_LENGTH, LITTLE);
    block.set(options, pcapng.SECTION_FIXED_BYTES);
    this.finish(block, pcapng.SECTION_HEADER);
  }

  private describe(captureInterface: CaptureInterface): void {
    const options = withEnd([
      ...(captureInterface.name ? [option(pcapng.INTERFACE_NAME, Buffer.from(captureInterface.name))] : []),
      option(pcapng.TIMESTAMP_RESOLUTION, Uint8Array.of(pcapng.NANOSECOND_RESOLUTION)),
    ]);
    const block = new Uint8Array(pcapng.INTERFACE_FIXED_BYTES + options.length + pcapng.TRAILER_BYTES);
    writeUnsigned16(block, pcapng.LINK_TYPE_AT, captureInterface.linkType, LITTLE);
    writeUnsigned32(block, pcapng.SNAP_LENGTH_AT, captureInterface.snapLength, LITTLE);
    block.set(options, pcapng.INTERFACE_FIXED_BYTES);
    this.finish(block, pcapng.INTERFACE_DESCRIPTION);
  }

  private finish(block: Uint8Array, type: number): void {
    writeUnsigned32(block, pcapng.TYPE_AT, type, LITTLE);
    writeUnsigned32(block, pcapng.LENGTH_AT, block.length, LITTLE);
    writeUnsigned32(block, block.length - pcapng.TRAILER_BYTES, block.length, LITTLE);
    this.sink.write(block, 0, block.length);
  }
}

function option(code: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(pcapng.OPTION_HEADER_BYTES + ((value.length + 3) & ~3));
  writeUnsigned16(bytes, 0, code, LITTLE);
  writeUnsigned16(bytes, 2, value.length, LITTLE);
  bytes.set(value, pcapng.OPTION_HEADER_BYTES);
  return bytes;
}

function withEnd(options: Uint8Array[]): Uint8Array {
  return Buffer.concat([...options, option(pcapng.END_OF_OPTIONS, new Uint8Array(0))]);
}

function commentOptions(reason: number, verdict: Verdict): Uint8Array {
  return withEnd([option(pcapng.COMMENT, Buffer.from(`${verdictName(verdict)}: ${REASONS[reason][0]}`))]);
}

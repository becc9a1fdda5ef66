/** Reads classic pcap with micro- or nanoseconds in both byte orders. Checks every length. */
import { CaptureError } from './capture-error';
import { type CaptureInterface, type CaptureReader, MAX_CAPTURED_BYTES, Step } from './capture-reader';
import { type ByteWindow } from './byte-window';
import { isSupportedLinkType } from './link-layer';
import { linkTypeText } from './no-ip';
import * as pcap from './pcap-format';

const NANOSECONDS = 1_000_000_000;

export class PcapReader implements CaptureReader {
  readonly format = 'pcap';
  readonly name: string;
  packetAt = 0;
  capturedBytes = 0;
  originalBytes = 0;
  seconds = 0;
  nanoseconds = 0;
  captureInterface: CaptureInterface;
  readonly untimed = 0;
  /** Offset and size of the record around the frame, which can be copied to a file of the same format. */
  recordAt = 0;
  recordBytes = 0;
  error: CaptureError | undefined = undefined;
  /** Nanoseconds in one unit of a timestamp's fraction. */
  readonly unitNanoseconds: number;
  private readonly view: DataView;

  /**
   * @param window holds at least the file header
   * @param little whether the magic number is little endian
   * @throws CaptureError on a header that this reader does not support
   */
  constructor(
    private readonly window: ByteWindow,
    readonly little: boolean,
  ) {
    const { view, cursor } = window;
    this.view = view;
    this.name = window.source.name;
    const major = view.getUint16(cursor + pcap.MAJOR_VERSION_AT, little);
    const minor = view.getUint16(cursor + pcap.MINOR_VERSION_AT, little);
    if (major !== pcap.MAJOR_VERSION || minor !== pcap.MINOR_VERSION) {
      const at = window.fileOffset(cursor + pcap.MAJOR_VERSION_AT);
      throw new CaptureError(this.name, at, `pcap version ${major}.${minor}, expected 2.4`);
    }
    const magic = view.getUint32(cursor, little);
    this.unitNanoseconds = magic === pcap.NANOSECOND_MAGIC ? 1 : 1000;
    this.captureInterface = {
      linkType: view.getUint32(cursor + pcap.LINK_TYPE_AT, little) & pcap.LINK_TYPE_MASK,
      name: '',
      snapLength: view.getUint32(cursor + pcap.SNAP_LENGTH_AT, little),
    };
    if (!isSupportedLinkType(this.captureInterface.linkType)) {
      const at = window.fileOffset(cursor + pcap.LINK_TYPE_AT);
      throw new CaptureError(this.name, at, unsupported(this.captureInterface.linkType));
    }
    window.skip(pcap.FILE_HEADER_BYTES);
  }

  get bytesRead(): number {
    return this.window.fileOffset(this.window.cursor);
  }

  advance(): Step {
    const { window, view, little } = this;
    const at = window.cursor;
    const available = window.end - at;
    if (available < pcap.RECORD_HEADER_BYTES) return this.starve('a record header', pcap.RECORD_HEADER_BYTES);
    const captured = view.getUint32(at + pcap.CAPTURED_AT, little);
    if (captured > MAX_CAPTURED_BYTES) {
      return this.fail(at + pcap.CAPTURED_AT, `a packet of ${captured} bytes, at most ${MAX_CAPTURED_BYTES} can be`);
    }
    const recordBytes = pcap.RECORD_HEADER_BYTES + captured;
    if (available < recordBytes) return this.starve(`a packet of ${captured} bytes`, recordBytes);
    const fraction = view.getUint32(at + pcap.FRACTION_AT, little) * this.unitNanoseconds;
    const carry = fraction < NANOSECONDS ? 0 : Math.floor(fraction / NANOSECONDS);
    this.seconds = view.getUint32(at + pcap.SECONDS_AT, little) + carry;
    this.nanoseconds = fraction - carry * NANOSECONDS;
    this.originalBytes = view.getUint32(at + pcap.ORIGINAL_AT, little);
    this.capturedBytes = captured;
    this.packetAt = at + pcap.RECORD_HEADER_BYTES;
    this.recordAt = at;
    this.recordBytes = recordBytes;
    window.cursor = at + recordBytes;
    return Step.Packet;
  }

  refill(): boolean {
    return this.window.refill();
  }

  close(): void {
    this.window.source.close();
  }

  /** Asks for more bytes or, at the end of the file, reports what is missing. */
  private starve(what: string, neededBytes: number): Step {
    const { window } = this;
    if (!window.ended) return Step.Refill;
    if (window.available === 0) return Step.End;
    return this.fail(
      window.end,
      `the file ends in the middle of ${what}: ${neededBytes - window.available} bytes are missing`,
    );
  }

  private fail(at: number, complaint: string): Step {
    this.error = new CaptureError(this.name, this.window.fileOffset(at), complaint);
    return Step.End;
  }
}

function unsupported(linkType: number): string {
  return `${linkTypeText(linkType)} is not supported; docs/replay.md lists the link types that are`;
}

/**
 * Reads pcapng: both byte orders, several sections and interfaces, each with its own timestamp format, and enhanced,
 * simple and obsolete packet blocks. Skips unknown blocks and options. Checks every length.
 */
import { CaptureError } from './capture-error';
import { type CaptureInterface, type CaptureReader, MAX_CAPTURED_BYTES, Step } from './capture-reader';
import { type ByteWindow } from './byte-window';
import * as pcapng from './pcapng-format';
import { type PcapngInterface, readInterface } from './pcapng-interface';

/** Largest interface description block accepted. */
const MAX_INTERFACE_BYTES = 65536;
/** Most interfaces in one section. */
const MAX_INTERFACES = 4096;

/** The block loop's next step. */
const enum Next {
  Packet,
  Block,
  Starve,
}

export class PcapngReader implements CaptureReader {
  readonly format = 'pcapng';
  readonly name: string;
  packetAt = 0;
  capturedBytes = 0;
  originalBytes = 0;
  seconds = 0;
  nanoseconds = 0;
  captureInterface: CaptureInterface = { linkType: 0, name: '', snapLength: 0 };
  error: CaptureError | undefined = undefined;
  untimed = 0;
  private little = true;
  private interfaces: PcapngInterface[] = [];
  private readonly view: DataView;
  /** The total length that the trailer at the cursor must repeat; 0 at the start of a block. */
  private trailer = 0;
  /** Where the current block begins in the file, for error messages. */
  private blockOffset = 0;

  /** @param window its cursor is at the first section header */
  constructor(private readonly window: ByteWindow) {
    this.view = window.view;
    this.name = window.source.name;
  }

  get bytesRead(): number {
    return this.window.fileOffset(this.window.cursor);
  }

  advance(): Step {
    try {
      for (;;) {
        const next = this.trailer > 0 ? this.checkTrailer() : this.readBlock();
        if (next === Next.Packet) return Step.Packet;
        if (next === Next.Starve) return this.starve();
      }
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error;
      this.error = error;
      return Step.End;
    }
  }

  refill(): boolean {
    return this.window.refill();
  }

  close(): void {
    this.window.source.close();
  }

  private readBlock(): Next {
    const { window, view } = this;
    if (window.available < pcapng.MIN_BLOCK_BYTES) return Next.Starve;
    const at = window.cursor;
    this.blockOffset = window.fileOffset(at);
    const type = view.getUint32(at + pcapng.TYPE_AT, this.little);
    if (type === pcapng.SECTION_HEADER) return this.readSection(at);
    const blockBytes = this.blockLength(at);
    switch (type) {
      case pcapng.ENHANCED_PACKET:
      case pcapng.PACKET:
        return this.readPacket(at, blockBytes, type);
      case pcapng.SIMPLE_PACKET:
        return this.readSimplePacket(at, blockBytes);
      case pcapng.INTERFACE_DESCRIPTION:
        return this.readInterface(at, blockBytes);
      default:
        return this.leave(at, 0, blockBytes);
    }
  }

  /** Reads the byte order first: the length before it depends on it. */
  private readSection(at: number): Next {
    const { window, view } = this;
    if (window.available < pcapng.SECTION_FIXED_BYTES) return Next.Starve;
    const little = view.getUint32(at + pcapng.BYTE_ORDER_AT, true) === pcapng.BYTE_ORDER_MAGIC;
    if (!little && view.getUint32(at + pcapng.BYTE_ORDER_AT, false) !== pcapng.BYTE_ORDER_MAGIC) {
      throw this.complaint(at + pcapng.BYTE_ORDER_AT, 'a section header without a byte-order magic');
    }
    this.little = little;
    const blockBytes = this.blockLength(at);
    this.require(at, blockBytes, pcapng.SECTION_FIXED_BYTES + pcapng.TRAILER_BYTES, 'section header');
    const major = view.getUint16(at + pcapng.SECTION_MAJOR_AT, little);
    const minor = view.getUint16(at + pcapng.SECTION_MINOR_AT, little);
    if (major !== pcapng.MAJOR_VERSION) {
      throw this.complaint(at + pcapng.SECTION_MAJOR_AT, `pcapng version ${major}.${minor}, expected 1.x`);
    }
    this.interfaces = [];
    return this.leave(at, 0, blockBytes);
  }

  private readInterface(at: number, blockBytes: number): Next {
    const { window } = this;
    this.require(at, blockBytes, pcapng.INTERFACE_FIXED_BYTES + pcapng.TRAILER_BYTES, 'interface description');
    if (blockBytes > MAX_INTERFACE_BYTES) {
      const complaint = `an interface description of ${blockBytes} bytes, at most ${MAX_INTERFACE_BYTES} are read`;
      throw this.complaint(at + pcapng.LENGTH_AT, complaint);
    }
    if (this.interfaces.length === MAX_INTERFACES) {
      throw this.complaint(at, `more than ${MAX_INTERFACES} interfaces in one section`);
    }
    if (window.available < blockBytes) return Next.Starve;
    this.interfaces.push(readInterface(window, at, blockBytes, this.little));
    return this.leave(at, 0, blockBytes);
  }

  private readPacket(at: number, blockBytes: number, type: number): Next {
    const { window, view, little } = this;
    this.require(at, blockBytes, pcapng.PACKET_FIXED_BYTES + pcapng.TRAILER_BYTES, 'packet');
    if (window.available < pcapng.PACKET_FIXED_BYTES) return Next.Starve;
    const captured = view.getUint32(at + pcapng.CAPTURED_AT, little);
    const room = blockBytes - pcapng.PACKET_FIXED_BYTES - pcapng.TRAILER_BYTES;
    this.checkCaptured(at + pcapng.CAPTURED_AT, captured, room);
    if (window.available < pcapng.PACKET_FIXED_BYTES + captured) return Next.Starve;
    const idAt = at + pcapng.INTERFACE_ID_AT;
    const id = type === pcapng.PACKET ? view.getUint16(idAt, little) : view.getUint32(idAt, little);
    const { scale } = this.enter(idAt, id);
    const high = view.getUint32(at + pcapng.STAMP_HIGH_AT, little);
    scale.split(high, view.getUint32(at + pcapng.STAMP_LOW_AT, little));
    this.seconds = scale.seconds;
    this.nanoseconds = scale.nanoseconds;
    this.originalBytes = view.getUint32(at + pcapng.ORIGINAL_AT, little);
    return this.present(at, pcapng.PACKET_FIXED_BYTES, captured, blockBytes);
  }

  /** A simple packet block has no interface and no timestamp: take the first interface and the previous packet's time. */
  private readSimplePacket(at: number, blockBytes: number): Next {
    const { window, view, little } = this;
    this.require(at, blockBytes, pcapng.SIMPLE_FIXED_BYTES + pcapng.TRAILER_BYTES, 'simple packet');
    const original = view.getUint32(at + pcapng.SIMPLE_ORIGINAL_AT, little);
    const { snapLength } = this.enter(at, 0);
    const captured = snapLength > 0 ? Math.min(original, snapLength) : original;
    const room = blockBytes - pcapng.SIMPLE_FIXED_BYTES - pcapng.TRAILER_BYTES;
    this.checkCaptured(at + pcapng.SIMPLE_ORIGINAL_AT, captured, room);
    if (window.available < pcapng.SIMPLE_FIXED_BYTES + captured) return Next.Starve;
    this.untimed++;
    this.originalBytes = original;
    return this.present(at, pcapng.SIMPLE_FIXED_BYTES, captured, blockBytes);
  }

  private present(at: number, fixedBytes: number, captured: number, blockBytes: number): Next {
    this.packetAt = at + fixedBytes;
    this.capturedBytes = captured;
    this.leave(at, fixedBytes + captured, blockBytes);
    return Next.Packet;
  }

  /** Skips padding and options, which may not have been read yet, up to the block's trailer. */
  private leave(at: number, readBytes: number, blockBytes: number): Next {
    this.window.cursor = at + readBytes;
    this.window.skip(blockBytes - pcapng.TRAILER_BYTES - readBytes);
    this.trailer = blockBytes;
    return Next.Block;
  }

  private checkTrailer(): Next {
    const { window } = this;
    if (window.isSkipping || window.available < pcapng.TRAILER_BYTES) return Next.Starve;
    const repeated = this.view.getUint32(window.cursor, this.little);
    if (repeated !== this.trailer) {
      throw this.complaint(window.cursor, `a block of ${this.trailer} bytes whose trailing length is ${repeated}`);
    }
    window.cursor += pcapng.TRAILER_BYTES;
    this.trailer = 0;
    return Next.Block;
  }

  private blockLength(at: number): number {
    const length = this.view.getUint32(at + pcapng.LENGTH_AT, this.little);
    if (length < pcapng.MIN_BLOCK_BYTES || length % 4 !== 0) {
      throw this.complaint(at + pcapng.LENGTH_AT, `a block of ${length} bytes; expected a multiple of 4, at least 12`);
    }
    return length;
  }

  private require(at: number, blockBytes: number, leastBytes: number, what: string): void {
    if (blockBytes >= leastBytes) return;
    throw this.complaint(
      at + pcapng.LENGTH_AT,
      `a ${what} block of ${blockBytes} bytes, at least ${leastBytes} expected`,
    );
  }

  private checkCaptured(at: number, captured: number, room: number): void {
    if (captured > room) throw this.complaint(at, `a packet of ${captured} bytes in a block with room for ${room}`);
    if (captured > MAX_CAPTURED_BYTES) {
      throw this.complaint(at, `a packet of ${captured} bytes, at most ${MAX_CAPTURED_BYTES} can be`);
    }
  }

  /** Sets the packet's interface, which this section must have described. */
  private enter(at: number, id: number): PcapngInterface {
    const found = this.interfaces[id];
    if (!found) {
      const known = this.interfaces.length;
      throw this.complaint(at, `a packet of interface ${id}, but the section has described ${known} so far`);
    }
    this.captureInterface = found;
    return found;
  }

  private starve(): Step {
    const { window } = this;
    if (!window.ended) return Step.Refill;
    if (window.available === 0 && this.trailer === 0) return Step.End;
    const begun = this.trailer > 0 ? this.blockOffset : window.fileOffset(window.cursor);
    this.error = this.complaint(window.end, `the file ends in the middle of the block that begins at byte ${begun}`);
    return Step.End;
  }

  private complaint(at: number, text: string): CaptureError {
    return new CaptureError(this.name, this.window.fileOffset(at), text);
  }
}

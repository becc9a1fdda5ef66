/**
 * Writes classic pcap. Records that are already in the output's format are not rebuilt: the packets were rewritten in
 * place, and runs of records are written straight from the reader's memory. This makes replay twice as fast as
 * tcprewrite (docs/replay.md).
 */
import { type ByteSink } from './byte-io';
import { type CaptureWriter, type OutgoingPacket } from './capture-writer';
import { MAX_CAPTURED_BYTES } from './capture-reader';
import { writeUnsigned16, writeUnsigned32 } from './endian';
import { LinkType } from './link-layer';
import * as pcap from './pcap-format';

/** The variable fields of a file header. */
export interface PcapFlavour {
  little: boolean;
  /** Nanoseconds in one unit of a timestamp's fraction: 1000 or 1. */
  unitNanoseconds: number;
  /** Largest captured length to declare; 0: the limit of the format. */
  snapLength: number;
}

const NO_RUN = -1;

export class PcapWriter implements CaptureWriter {
  private readonly record = new Uint8Array(pcap.RECORD_HEADER_BYTES);
  private linkType = -1;
  private runBytes: Uint8Array = new Uint8Array(0);
  private runAt = NO_RUN;
  private runEnd = NO_RUN;

  constructor(
    private readonly sink: ByteSink,
    private readonly flavour: PcapFlavour,
    /** The file's name for error messages. */
    private readonly name: string,
  ) {}

  write(packet: OutgoingPacket): void {
    const { linkType } = packet.captureInterface;
    if (linkType !== this.linkType) this.begin(linkType);
    if (packet.recordAt >= 0) this.copy(packet);
    else this.build(packet);
  }

  settle(): void {
    if (this.runAt === NO_RUN) return;
    this.sink.write(this.runBytes, this.runAt, this.runEnd - this.runAt);
    this.runAt = NO_RUN;
    this.runEnd = NO_RUN;
  }

  flush(): void {
    this.settle();
    this.sink.flush();
  }

  close(): void {
    this.settle();
    if (this.linkType < 0) this.begin(LinkType.Ethernet);
    this.sink.close();
  }

  private copy(packet: OutgoingPacket): void {
    if (packet.recordAt !== this.runEnd) {
      this.settle();
      this.runBytes = packet.bytes;
      this.runAt = packet.recordAt;
    }
    this.runEnd = packet.recordAt + packet.recordBytes;
  }

  private build(packet: OutgoingPacket): void {
    this.settle();
    const { record, flavour } = this;
    const seconds = Math.min(Math.max(packet.seconds, 0), 0xffffffff);
    writeUnsigned32(record, pcap.SECONDS_AT, seconds, flavour.little);
    const fraction = Math.floor(packet.nanoseconds / flavour.unitNanoseconds);
    writeUnsigned32(record, pcap.FRACTION_AT, fraction, flavour.little);
    writeUnsigned32(record, pcap.CAPTURED_AT, packet.capturedBytes, flavour.little);
    writeUnsigned32(record, pcap.ORIGINAL_AT, packet.originalBytes, flavour.little);
    this.sink.write(record, 0, record.length);
    this.sink.write(packet.bytes, packet.packetAt, packet.capturedBytes);
  }

  private begin(linkType: number): void {
    if (this.linkType >= 0) {
      const other = `${this.name}: pcap holds one link type, and the packets have ${this.linkType} and ${linkType}`;
      throw new RangeError(`${other}; write to a name that ends in .pcapng`);
    }
    this.linkType = linkType;
    const { little, unitNanoseconds, snapLength } = this.flavour;
    const header = new Uint8Array(pcap.FILE_HEADER_BYTES);
    writeUnsigned32(header, 0, unitNanoseconds === 1 ? pcap.NANOSECOND_MAGIC : pcap.MICROSECOND_MAGIC, little);
    writeUnsigned16(header, pcap.MAJOR_VERSION_AT, pcap.MAJOR_VERSION, little);
    writeUnsigned16(header, pcap.MINOR_VERSION_AT, pcap.MINOR_VERSION, little);
    writeUnsigned32(header, pcap.SNAP_LENGTH_AT, snapLength || MAX_CAPTURED_BYTES, little);
    writeUnsigned32(header, pcap.LINK_TYPE_AT, linkType, little);
    this.sink.write(header, 0, header.length);
  }
}

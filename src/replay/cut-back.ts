/**
 * Truncates a capture whose writing failed, on a full disk for example, to its last whole packet, so that other programs
 * can read it. Reads the whole file, which a failed command can afford. Knows the file system.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { type DescriptorSink } from './byte-io';
import * as pcap from './pcap-format';
import * as pcapng from './pcapng-format';

interface Whole {
  bytes: number;
  packets: number;
}

/** Discards the sink's buffer. Returns the packets left in the file, or undefined where it cannot be truncated. */
export function cutBack(sink: DescriptorSink): number | undefined {
  sink.forget();
  if (!sink.isOurs) return undefined;
  try {
    const stats = fstatSync(sink.descriptor);
    if (!stats.isFile()) return undefined;
    const { bytes, packets } = measure(sink.descriptor, stats.size);
    ftruncateSync(sink.descriptor, bytes);
    return packets;
  } catch {
    // The disk fails altogether: report the first error, not this one.
    return undefined;
  }
}

/** The sink's descriptor is write-only. /proc leads to the same file even if its name has changed. */
function measure(descriptor: number, size: number): Whole {
  const reading = openSync(`/proc/self/fd/${descriptor}`, 'r');
  try {
    const head = headAt(reading, 0);
    return head.getUint32(0) === pcapng.SECTION_HEADER ? wholeBlocks(reading, size) : wholeRecords(reading, size);
  } finally {
    closeSync(reading);
  }
}

function wholeBlocks(descriptor: number, size: number): Whole {
  const whole = { bytes: 0, packets: 0 };
  while (whole.bytes + pcapng.MIN_BLOCK_BYTES <= size) {
    const head = headAt(descriptor, whole.bytes);
    const length = head.getUint32(pcapng.LENGTH_AT, true);
    if (length < pcapng.MIN_BLOCK_BYTES || whole.bytes + length > size) break;
    if (head.getUint32(pcapng.TYPE_AT, true) === pcapng.ENHANCED_PACKET) whole.packets++;
    whole.bytes += length;
  }
  return whole;
}

function wholeRecords(descriptor: number, size: number): Whole {
  if (size < pcap.FILE_HEADER_BYTES) return { bytes: 0, packets: 0 };
  const magic = headAt(descriptor, 0).getUint32(0, true);
  const little = magic === pcap.MICROSECOND_MAGIC || magic === pcap.NANOSECOND_MAGIC;
  const whole = { bytes: pcap.FILE_HEADER_BYTES, packets: 0 };
  while (whole.bytes + pcap.RECORD_HEADER_BYTES <= size) {
    const length = pcap.RECORD_HEADER_BYTES + headAt(descriptor, whole.bytes).getUint32(pcap.CAPTURED_AT, little);
    if (whole.bytes + length > size) break;
    whole.bytes += length;
    whole.packets++;
  }
  return whole;
}

/** The first bytes of a block or record, filled up with zeros at the end of the file. */
function headAt(descriptor: number, at: number): DataView {
  const head = new DataView(new ArrayBuffer(pcap.RECORD_HEADER_BYTES));
  readSync(descriptor, head, 0, head.byteLength, at);
  return head;
}

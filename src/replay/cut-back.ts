/**
 * A capture whose writing failed ends where the disk was full. It is cut back to its last whole packet, so that whatever
 * reads it finds no damage. Takes its time, of which a failed command has plenty; knows the file system.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { type DescriptorSink } from './byte-io';
import * as pcap from './pcap-format';
import * as pcapng from './pcapng-format';

interface Whole {
  bytes: number;
  packets: number;
}

/** What is held back is lost. Returns how many packets are in the file; undefined where nothing can be cut. */
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
    // A disk that fails altogether: the first complaint is what counts.
    return undefined;
  }
}

/** The sink's descriptor is for writing alone; whatever has become of the file's name, /proc leads to the same file. */
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

/** The first bytes of a block or record; zeros where the file has ended. */
function headAt(descriptor: number, at: number): DataView {
  const head = new DataView(new ArrayBuffer(pcap.RECORD_HEADER_BYTES));
  readSync(descriptor, head, 0, head.byteLength, at);
  return head;
}

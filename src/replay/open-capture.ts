/** Recognizes a capture's format by its first bytes and opens it. */
import { type ByteSource } from './byte-io';
import { ByteWindow } from './byte-window';
import { CaptureError } from './capture-error';
import { type CaptureReader, MAX_CAPTURED_BYTES } from './capture-reader';
import * as pcap from './pcap-format';
import { PcapReader } from './pcap-reader';
import * as pcapng from './pcapng-format';
import { PcapngReader } from './pcapng-reader';

/** Larger than the largest record. Frequent refills cost little; a window larger than the cache costs more. */
export const WINDOW_BYTES = 2 * MAX_CAPTURED_BYTES;

const MAGIC_BYTES = 4;
/** A patched libpcap format with longer record headers, and common compression formats. */
const KNOWN_STRANGERS: readonly (readonly [magic: number, mask: number, what: string])[] = [
  [0xa1b2cd34, 0xffffffff, 'a modified pcap (Kuznetzov)'],
  [0x34cdb2a1, 0xffffffff, 'a modified pcap (Kuznetzov)'],
  [0x1f8b0000, 0xffff0000, 'gzip: unpack it first, zcat FILE | acsplit replay -'],
  [0x28b52ffd, 0xffffffff, 'zstd: unpack it first, zstdcat FILE | acsplit replay -'],
  [0xfd377a58, 0xffffffff, 'xz: unpack it first, xzcat FILE | acsplit replay -'],
];

/**
 * @param bytes memory for the window: WINDOW_BYTES from `start` on
 * @throws CaptureError when this is no capture or cannot be read
 */
export function openCapture(source: ByteSource, bytes: Uint8Array, start: number): CaptureReader {
  const window = new ByteWindow(source, bytes, start, WINDOW_BYTES);
  fill(window, MAGIC_BYTES);
  if (window.available < MAGIC_BYTES) {
    throw new CaptureError(
      source.name,
      window.available,
      window.available === 0 ? 'the file is empty' : 'the file is too short to be a capture',
    );
  }
  const { view } = window;
  const magic = view.getUint32(start, false);
  if (magic === pcapng.SECTION_HEADER) return new PcapngReader(window);
  for (const little of [false, true]) {
    const inOrder = view.getUint32(start, little);
    if (inOrder !== pcap.MICROSECOND_MAGIC && inOrder !== pcap.NANOSECOND_MAGIC) continue;
    fill(window, pcap.FILE_HEADER_BYTES);
    if (window.available < pcap.FILE_HEADER_BYTES) {
      throw new CaptureError(source.name, window.available, 'the file ends in the middle of the pcap header');
    }
    return new PcapReader(window, little);
  }
  const stranger = KNOWN_STRANGERS.find(([known, mask]) => (magic & mask) >>> 0 === known);
  const found = `0x${magic.toString(16).padStart(8, '0')}${stranger ? `, ${stranger[2]}` : ''}`;
  throw new CaptureError(source.name, 0, `neither pcap nor pcapng: it begins with ${found}`);
}

function fill(window: ByteWindow, leastBytes: number): void {
  while (window.available < leastBytes && !window.ended) window.refill();
}

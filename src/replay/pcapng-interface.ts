/** Reads a pcapng interface description block: link type, name and timestamp format. */
import { CaptureError } from './capture-error';
import { type CaptureInterface } from './capture-reader';
import { type ByteWindow } from './byte-window';
import * as pcapng from './pcapng-format';
import { TimestampScale } from './timestamp';

/** Names of up to 65536 interfaces are kept. Linux names have up to 15 bytes, Windows names about 50. */
const MAX_NAME_BYTES = 256;

export interface PcapngInterface extends CaptureInterface {
  scale: TimestampScale;
}

/**
 * @param at offset of the block in the window, which holds all of it
 * @param blockBytes the block's total length, checked
 * @throws CaptureError when an option does not fit into the block
 */
export function readInterface(window: ByteWindow, at: number, blockBytes: number, little: boolean): PcapngInterface {
  const { bytes, view } = window;
  const end = at + blockBytes - pcapng.TRAILER_BYTES;
  let name = '';
  let resolution = pcapng.MICROSECOND_RESOLUTION;
  let offsetSeconds = 0;
  for (let option = at + pcapng.INTERFACE_FIXED_BYTES; option + pcapng.OPTION_HEADER_BYTES <= end;) {
    const code = view.getUint16(option, little);
    const length = view.getUint16(option + 2, little);
    const value = option + pcapng.OPTION_HEADER_BYTES;
    if (code === pcapng.END_OF_OPTIONS) break;
    if (value + length > end) {
      const complaint = `an option of ${length} bytes in an interface description that has ${end - value} left`;
      throw new CaptureError(window.source.name, window.fileOffset(option + 2), complaint);
    }
    if (code === pcapng.INTERFACE_NAME) name = textOf(bytes.subarray(value, value + length));
    if (code === pcapng.TIMESTAMP_RESOLUTION && length === 1) resolution = bytes[value];
    if (code === pcapng.TIMESTAMP_OFFSET && length === 8) offsetSeconds = readSigned64(view, value, little);
    option = value + ((length + 3) & ~3);
  }
  return {
    linkType: view.getUint16(at + pcapng.LINK_TYPE_AT, little),
    snapLength: view.getUint32(at + pcapng.SNAP_LENGTH_AT, little),
    name: name.replace(/\0+$/, ''),
    scale: new TimestampScale(resolution, offsetSeconds),
  };
}

function readSigned64(view: DataView, at: number, little: boolean): number {
  const high = view.getUint32(at + (little ? 4 : 0), little) | 0;
  const low = view.getUint32(at + (little ? 0 : 4), little);
  return high * 4294967296 + low;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, MAX_NAME_BYTES)).toString('utf8');
}

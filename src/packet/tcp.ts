/** TCP header (RFC 9293 section 3.1): offsets in bytes from the header's first byte. */

export const SOURCE_PORT = 0;
export const DESTINATION_PORT = 2;
export const SEQUENCE = 4;
export const ACKNOWLEDGEMENT = 8;
export const DATA_OFFSET = 12;
export const FLAGS = 13;
export const WINDOW = 14;
export const CHECKSUM = 16;

export const MIN_HEADER_BYTES = 20;
export const MAX_HEADER_BYTES = 60;

/** Bits of the FLAGS byte. */
export const enum TcpFlag {
  Fin = 0x01,
  Syn = 0x02,
  Rst = 0x04,
  Psh = 0x08,
  Ack = 0x10,
  Urg = 0x20,
  Ece = 0x40,
  Cwr = 0x80,
}

/** Kinds of options (RFC 9293 section 3.2, RFC 7323 section 2.2). */
const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_WINDOW_SCALE = 3;
const WINDOW_SCALE_BYTES = 3;
const MAX_WINDOW_SCALE = 14;
/** A SYN that offers no window scale. */
export const NO_WINDOW_SCALE = 15;

/** The window scale that a SYN's options offer, 0 to 14, or NO_WINDOW_SCALE. @param at of the TCP header */
export function windowScale(bytes: Uint8Array, at: number, payloadAt: number): number {
  let option = at + MIN_HEADER_BYTES;
  while (option < payloadAt && bytes[option] !== OPTION_END) {
    if (bytes[option] === OPTION_NOP) {
      option++;
      continue;
    }
    const length = option + 1 < payloadAt ? bytes[option + 1] : 0;
    if (length < 2 || option + length > payloadAt) break;
    if (bytes[option] === OPTION_WINDOW_SCALE && length === WINDOW_SCALE_BYTES) {
      return Math.min(bytes[option + 2], MAX_WINDOW_SCALE);
    }
    option += length;
  }
  return NO_WINDOW_SCALE;
}

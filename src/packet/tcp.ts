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

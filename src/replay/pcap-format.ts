/** Classic pcap (draft-ietf-opsawg-pcap): offsets and constants. */

/** Read in the file's own byte order. */
export const MICROSECOND_MAGIC = 0xa1b2c3d4;
export const NANOSECOND_MAGIC = 0xa1b23c4d;

/** File header. */
export const FILE_HEADER_BYTES = 24;
export const MAJOR_VERSION_AT = 4;
export const MINOR_VERSION_AT = 6;
export const SNAP_LENGTH_AT = 16;
export const LINK_TYPE_AT = 20;
export const MAJOR_VERSION = 2;
export const MINOR_VERSION = 4;
/** The upper bits of this word describe the frame check sequence. */
export const LINK_TYPE_MASK = 0x03ffffff;

/** Record header. */
export const RECORD_HEADER_BYTES = 16;
export const SECONDS_AT = 0;
export const FRACTION_AT = 4;
export const CAPTURED_AT = 8;
export const ORIGINAL_AT = 12;

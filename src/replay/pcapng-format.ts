/** pcapng (draft-ietf-opsawg-pcapng): block types, offsets from a block's first byte, options. */

export const SECTION_HEADER = 0x0a0d0d0a;
export const INTERFACE_DESCRIPTION = 1;
/** Obsolete; old files hold it. */
export const PACKET = 2;
export const SIMPLE_PACKET = 3;
export const ENHANCED_PACKET = 6;

/** Every block: type, total length, body, total length again. */
export const TYPE_AT = 0;
export const LENGTH_AT = 4;
export const BLOCK_HEADER_BYTES = 8;
export const TRAILER_BYTES = 4;
export const MIN_BLOCK_BYTES = 12;

/** Section header block. */
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
export const BYTE_ORDER_AT = 8;
export const SECTION_MAJOR_AT = 12;
export const SECTION_MINOR_AT = 14;
export const SECTION_LENGTH_AT = 16;
export const SECTION_FIXED_BYTES = 24;
export const MAJOR_VERSION = 1;

/** Interface description block. */
export const LINK_TYPE_AT = 8;
export const SNAP_LENGTH_AT = 12;
export const INTERFACE_FIXED_BYTES = 16;

/** Enhanced packet block. The obsolete packet block differs in its 16-bit interface id only. */
export const INTERFACE_ID_AT = 8;
export const STAMP_HIGH_AT = 12;
export const STAMP_LOW_AT = 16;
export const CAPTURED_AT = 20;
export const ORIGINAL_AT = 24;
export const PACKET_FIXED_BYTES = 28;

/** Simple packet block. */
export const SIMPLE_ORIGINAL_AT = 8;
export const SIMPLE_FIXED_BYTES = 12;

/** Options: code and length, 16 bits each, value padded to 32 bits. */
export const OPTION_HEADER_BYTES = 4;
export const END_OF_OPTIONS = 0;
export const COMMENT = 1;
export const INTERFACE_NAME = 2;
export const TIMESTAMP_RESOLUTION = 9;
export const TIMESTAMP_OFFSET = 14;
export const USER_APPLICATION = 4;

export const MICROSECOND_RESOLUTION = 6;
export const NANOSECOND_RESOLUTION = 9;

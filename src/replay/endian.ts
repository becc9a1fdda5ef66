/** Numbers in the byte order that a capture's magic number has shown. Results are unsigned. */

export function readUnsigned16(bytes: Uint8Array, at: number, little: boolean): number {
  return little ? bytes[at] | (bytes[at + 1] << 8) : (bytes[at] << 8) | bytes[at + 1];
}

export function readUnsigned32(bytes: Uint8Array, at: number, little: boolean): number {
  return little
    ? (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
    : ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

export function writeUnsigned16(bytes: Uint8Array, at: number, value: number, little: boolean): void {
  bytes[at + (little ? 0 : 1)] = value;
  bytes[at + (little ? 1 : 0)] = value >>> 8;
}

export function writeUnsigned32(bytes: Uint8Array, at: number, value: number, little: boolean): void {
  writeUnsigned16(bytes, at + (little ? 0 : 2), value & 0xffff, little);
  writeUnsigned16(bytes, at + (little ? 2 : 0), value >>> 16, little);
}

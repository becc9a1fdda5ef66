/** Writes numbers in the byte order of a capture. */

export function writeUnsigned16(bytes: Uint8Array, at: number, value: number, little: boolean): void {
  bytes[at + (little ? 0 : 1)] = value;
  bytes[at + (little ? 1 : 0)] = value >>> 8;
}

export function writeUnsigned32(bytes: Uint8Array, at: number, value: number, little: boolean): void {
  writeUnsigned16(bytes, at + (little ? 0 : 2), value & 0xffff, little);
  writeUnsigned16(bytes, at + (little ? 2 : 0), value >>> 16, little);
}

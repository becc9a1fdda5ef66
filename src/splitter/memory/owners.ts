/**
 * Servers by stable id. Tables store ids, and the list of names is stored beside them. So a reload that reorders
 * collectors moves no diversion, and an owner that is no longer configured is recognised: its packets go to the ITMS.
 * [D]
 */

/** Id of the ITMS, in every list. */
export const ITMS = 0;
/** Stands for no server. */
export const NOBODY = -1;
export const MAX_OWNERS = 1024;
/** Most bytes of a name, in UTF-8. */
export const MAX_NAME_BYTES = 31;
const ROW_BYTES = MAX_NAME_BYTES + 1;

export class Owners {
  static readonly BYTES = MAX_OWNERS * ROW_BYTES;
  private readonly bytes: Uint8Array;

  /** @param buffer memory of Owners.BYTES from `at`, zeroed or from an earlier run */
  constructor(buffer: ArrayBuffer, at: number) {
    this.bytes = new Uint8Array(buffer, at, Owners.BYTES);
  }

  /**
   * The id of a collector's name, new if necessary. Throws RangeError when the name is too long or the list is full.
   */
  idOf(name: string): number {
    const encoded = new TextEncoder().encode(name);
    if (encoded.length === 0 || encoded.length > MAX_NAME_BYTES) {
      throw new RangeError(`collector name '${name}' must be 1 to ${MAX_NAME_BYTES} bytes`);
    }
    for (let id = ITMS + 1; id < MAX_OWNERS; id++) {
      const known = this.name(id);
      if (known === name) return id;
      if (known !== '') continue;
      this.bytes.set(encoded, id * ROW_BYTES + 1);
      this.bytes[id * ROW_BYTES] = encoded.length;
      return id;
    }
    throw new RangeError(`more than ${MAX_OWNERS - 1} collectors over the life of the tables`);
  }

  /** The id of a name, which may no longer be configured; NOBODY when it was never known. */
  find(name: string): number {
    for (let id = ITMS; id < MAX_OWNERS; id++) {
      const known = this.name(id);
      if (known === name) return id;
      if (known === '') return NOBODY;
    }
    return NOBODY;
  }

  /** The name of an id; 'itms' for the ITMS, '' when unknown. */
  name(id: number): string {
    if (id === ITMS) return 'itms';
    // Behind the end of the list there is no name.
    const length = Math.min(this.bytes[id * ROW_BYTES] ?? 0, MAX_NAME_BYTES);
    return new TextDecoder().decode(this.bytes.subarray(id * ROW_BYTES + 1, id * ROW_BYTES + 1 + length));
  }
}

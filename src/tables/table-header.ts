/** What the memory of a TtlTable begins with: enough to know a table of another run again, and to refuse a stranger. */

const MAGIC = 0x61637370; // "acsp"
const VERSION = 4;

export const HEADER_BYTES = 64;

/** int32 words; the times are float64, at half the index. */
export const enum Header {
  Magic,
  Version,
  Slots,
  RowWords,
  Seed,
  Count,
  /** Slot + 1 of the hole that a deletion is filling; 0 when none is. */
  Redo,
  /** How often a new entry was refused for want of room; wraps. */
  Full,
  /** The latest time seen. */
  LastMs = 8,
  /** When the sweep last came round. */
  RoundMs = 10,
  /** Over what never changes: a flipped bit there would move every entry. */
  Check = 12,
}

const SEALED = [Header.Version, Header.Slots, Header.RowWords, Header.Seed];

/** The magic comes last: what a crash leaves half written is written again. */
export function writeHeader(
  header: Int32Array,
  times: Float64Array,
  slots: number,
  rowWords: number,
  seed: number,
): void {
  header[Header.Version] = VERSION;
  header[Header.Slots] = slots;
  header[Header.RowWords] = rowWords;
  header[Header.Seed] = seed;
  times[Header.LastMs / 2] = Number.NEGATIVE_INFINITY;
  header[Header.Check] = checkOf(header);
  header[Header.Magic] = MAGIC;
}

function checkOf(header: Int32Array): number {
  let check = 0x811c9dc5;
  for (const word of SEALED) check = Math.imul(check ^ header[word], 0x01000193) ^ (check >>> 15);
  return check | 0;
}

/** Throws Error where the memory holds something else than a table of this shape. */
export function checkHeader(header: Int32Array, slots: number, rowWords: number, version = VERSION): void {
  if (header[Header.Magic] !== MAGIC || header[Header.Version] !== version) throw new Error('not a table of ours');
  if (header[Header.Slots] !== slots || header[Header.RowWords] !== rowWords) {
    throw new Error('a table of another shape');
  }
  if (header[Header.Check] !== checkOf(header)) throw new Error('a damaged table header');
}

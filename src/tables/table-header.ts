/** The header of a TtlTable's memory: enough to recognise a table of an earlier run and to refuse anything else. */

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
  /** Slot + 1 of the hole that a deletion is filling; 0 when there is none. */
  Redo,
  /** How often a new entry was refused because the table was full; wraps. */
  Full,
  /** The latest time seen. */
  LastMs = 8,
  /** When the sweep last completed a round. */
  RoundMs = 10,
  /** Covers the words that never change: a flipped bit there would move every entry. */
  Check = 12,
}

const SEALED = [Header.Version, Header.Slots, Header.RowWords, Header.Seed];

/** Writes the magic last: a header that a crash left half written is written again. */
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

/** Throws Error unless the memory holds a table of this shape. */
export function checkHeader(header: Int32Array, slots: number, rowWords: number, version = VERSION): void {
  if (header[Header.Magic] !== MAGIC || header[Header.Version] !== version) throw new Error('not an acsplit table');
  if (header[Header.Slots] !== slots || header[Header.RowWords] !== rowWords) {
    throw new Error('a table of another shape');
  }
  if (header[Header.Check] !== checkOf(header)) throw new Error('a damaged table header');
}

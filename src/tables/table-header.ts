/** What the memory of a TtlTable begins with: enough to know a table of another run again, and to refuse a stranger. */

const MAGIC = 0x61637370; // "acsp"
const VERSION = 1;

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
  /** What tick 0 is, in ms of the caller's clock. */
  EpochMs = 8,
  /** The latest time seen. */
  LastMs = 10,
  /** When the sweep last came round. */
  RoundMs = 12,
}

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
  header[Header.Magic] = MAGIC;
}

/** Throws Error where the memory holds something else than a table of this shape. */
export function checkHeader(header: Int32Array, slots: number, rowWords: number): void {
  if (header[Header.Magic] !== MAGIC || header[Header.Version] !== VERSION) throw new Error('not a table of ours');
  if (header[Header.Slots] !== slots || header[Header.RowWords] !== rowWords) {
    throw new Error('a table of another shape');
  }
}

/**
 * A connection in the maps of the fast path (struct flow in native/fast-path/layout.h), and what moves between it and the
 * report table's row. A test compares the layout with the header.
 */
import { asked, withSegmentsOf } from '../../splitter/decide/http-head';
import { Word } from '../../tables/connection-row';
import { type ConnectionTable } from '../../tables/connection-table';

/** Who has the connection: enum flow_state. */
export const enum FlowState {
  OfEngine,
  Offered,
  Carried,
  Handed,
  Gone,
}

/** Words of struct numbers; from Isn on they stand in the order of Word. */
export const enum FlowWord {
  /** ns, CLOCK_BOOTTIME: two words each. */
  Spoke = 0,
  Data = 2,
  State = 4,
  Server = 5,
  Isn = 9,
  HeadAt = Isn + Word.HeadAt,
  Marks = Isn + Word.Marks,
}
export const FLOW_BYTES = 80;
export const NUMBERS_BYTES = 72;
/** In struct flow, behind the lock. */
export const NUMBERS_AT = FLOW_BYTES - NUMBERS_BYTES;

/** In the word of marks, where the row has the head: HEAD_SHIFT in connection-table.ts. */
const HEAD_SHIFT = 8;
/** The CPE has sent new data since the server's last copied segment. */
const ASKED = 1 << 22;
const MARKS = ASKED - 1;

const WORD = 2 ** 32;
const NS_PER_MS = 1e6;

export class FlowValue {
  readonly bytes = new Uint8Array(FLOW_BYTES);
  readonly words = new Int32Array(this.bytes.buffer, NUMBERS_AT);

  get state(): FlowState {
    return this.words[FlowWord.State];
  }

  /** The row's numbers, as the program continues them. @param bootMs CLOCK_BOOTTIME now */
  fill(entries: ConnectionTable, slot: number, state: FlowState, server: Int32Array, bootMs: number): void {
    const { words } = this;
    words.fill(0);
    words[FlowWord.State] = state;
    const swapped = new DataView(this.bytes.buffer, NUMBERS_AT);
    for (let i = 0; i < server.length; i++) swapped.setInt32((FlowWord.Server + i) * 4, server[i]);
    for (let word: Word = Word.Isn; word <= Word.Marks; word++) words[FlowWord.Isn + word] = entries.word(slot, word);
    words[FlowWord.Marks] &= MARKS;
    const ns = (bootMs - entries.idleMs(slot)) * NS_PER_MS;
    words[FlowWord.Spoke] = (ns % WORD) | 0;
    words[FlowWord.Spoke + 1] = (ns / WORD) | 0;
  }

  isAt(server: Int32Array): boolean {
    const view = new DataView(this.bytes.buffer, NUMBERS_AT);
    for (let i = 0; i < server.length; i++) {
      if (view.getInt32((FlowWord.Server + i) * 4) !== server[i]) return false;
    }
    return true;
  }
}

/** Writes the program's numbers into the row. */
export function takeNumbers(entries: ConnectionTable, slot: number, words: Int32Array, bootMs: number): void {
  for (let word: Word = Word.ServerNext; word <= Word.CpeEdge; word++) {
    entries.setWord(slot, word, words[FlowWord.Isn + word]);
  }
  const marks = words[FlowWord.Marks];
  const head = withSegmentsOf(entries.head(slot), (marks & MARKS) >>> HEAD_SHIFT);
  if (marks & ASKED) {
    entries.setWord(slot, Word.HeadAt, words[FlowWord.HeadAt]);
    entries.setHead(slot, asked(head));
  } else {
    entries.countHead(slot, head);
  }
  touch(entries, slot, words, bootMs);
  const dataMs = sinceMs(words, FlowWord.Data, bootMs);
  const { table } = entries;
  if (dataMs !== Infinity) entries.setWord(slot, Word.DataAt, (table.tick - dataMs) | 0);
}

/** The row lives from the connection's last valid packet on. */
export function touch(entries: ConnectionTable, slot: number, words: Int32Array, bootMs: number): void {
  entries.table.touchAt(slot, (entries.table.tick - sinceMs(words, FlowWord.Spoke, bootMs)) | 0);
}

/** ms since a time of the program; Infinity: never. */
function sinceMs(words: Int32Array, at: number, bootMs: number): number {
  const ns = (words[at + 1] >>> 0) * WORD + (words[at] >>> 0);
  return ns === 0 ? Infinity : Math.max(0, Math.round(bootMs - ns / NS_PER_MS));
}

/**
 * Replies of Valkey or Redis, RESP 2 (https://valkey.io/topics/protocol), from bytes that arrive in pieces. Each byte is
 * read once, and what an unfinished reply may hold is bounded: the server may be hostile.
 */

export type Reply = string | number | null | Reply[] | StoreError;

/** The store refuses a command. */
export class StoreError extends Error {}

/** What no Valkey or Redis sends. */
export class BrokenStore extends Error {}

const MAX_BYTES = 64 * 1024 * 1024;
const MAX_LINE_BYTES = 65_536;
const MAX_ELEMENTS = 1_000_000;
/** Lists in lists: XREAD's answer has four. */
const MAX_DEPTH = 6;
const MOST_SAID = 200;
const COLON = 58;
const PLUS = 43;
const MINUS = 45;
const DOLLAR = 36;
const STAR = 42;

interface List {
  left: number;
  items: Reply[];
}

export class ReplyReader {
  private pieces: Buffer[] = [];
  private piecesBytes = 0;
  /** Fewer bytes than this hold nothing new. */
  private neededBytes = 1;
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  /** Lists that are not complete, the outermost first. */
  private lists: List[] = [];
  private elements = 0;
  /** Of an unfinished reply, in earlier pieces. */
  private readBytes = 0;

  /** @param maxElements of a whole reply, lists in lists included */
  constructor(private readonly maxElements = MAX_ELEMENTS) {}

  /** @returns the replies that are complete now @throws BrokenStore on what is none */
  read(piece: Buffer): Reply[] {
    this.pieces.push(piece);
    this.piecesBytes += piece.length;
    if (this.piecesBytes < this.neededBytes) return [];
    this.bytes = this.pieces.length === 1 ? piece : Buffer.concat(this.pieces);
    this.at = 0;
    this.neededBytes = 1;
    const replies: Reply[] = [];
    for (let isMore = true; isMore;) isMore = this.step(replies);
    this.readBytes += this.at;
    if (this.lists.length === 0) this.readBytes = 0;
    if (this.readBytes > MAX_BYTES) throw tooLong();
    const rest = this.bytes.subarray(this.at);
    this.pieces = rest.length > 0 ? [rest] : [];
    this.piecesBytes = rest.length;
    return replies;
  }

  /** Reads one element. @returns false when there is no whole one */
  private step(replies: Reply[]): boolean {
    const { bytes, at } = this;
    const end = bytes.indexOf('\r\n', at);
    if (end < 0 || end - at > MAX_LINE_BYTES) {
      if (bytes.length - at > MAX_LINE_BYTES) throw notAStore();
      return this.lack(bytes.length + 1);
    }
    const line = bytes.toString('utf8', at + 1, end);
    this.at = end + 2;
    switch (bytes[at]) {
      case PLUS:
        return this.place(line, replies);
      case MINUS:
        return this.place(new StoreError(printable(line)), replies);
      case COLON:
        return this.place(numberIn(line), replies);
      case DOLLAR:
        return this.text(at, numberIn(line), replies);
      case STAR:
        return this.list(numberIn(line), replies);
      default:
        throw notAStore();
    }
  }

  private text(start: number, length: number, replies: Reply[]): boolean {
    if (length < 0) return this.place(null, replies);
    if (length > MAX_BYTES) throw tooLong();
    const end = this.at + length;
    if (this.bytes.length < end + 2) {
      this.at = start;
      return this.lack(end + 2);
    }
    const text = this.bytes.toString('utf8', this.at, end);
    this.at = end + 2;
    return this.place(text, replies);
  }

  private list(length: number, replies: Reply[]): boolean {
    if (length < 0) return this.place(null, replies);
    if (length === 0) return this.place([], replies);
    if (length > this.maxElements || this.lists.length === MAX_DEPTH) throw tooLong();
    this.lists.push({ left: length, items: [] });
    return this.count();
  }

  /** An element is complete, and with it perhaps the lists that it ends. */
  private place(element: Reply, replies: Reply[]): boolean {
    this.count();
    let whole = element;
    for (;;) {
      const list = this.lists.at(-1);
      if (list === undefined) break;
      list.items.push(whole);
      if (--list.left > 0) return true;
      this.lists.pop();
      whole = list.items;
    }
    replies.push(whole);
    this.elements = 0;
    return true;
  }

  private count(): true {
    if (++this.elements > this.maxElements) throw tooLong();
    return true;
  }

  private lack(bytes: number): false {
    this.neededBytes = bytes - this.at;
    return false;
  }
}

/** The error for an answer that Valkey and Redis do not give. */
export function notAStore(): Error {
  return new BrokenStore('the server is neither Valkey nor Redis');
}

/** What a server says, as a terminal and a log may show it. */
export function printable(text: string): string {
  return text.replace(/[^ -~]/g, '?').slice(0, MOST_SAID);
}

function tooLong(): Error {
  return new BrokenStore('an answer is longer than any of Valkey or Redis: it is not a store of ours');
}

function numberIn(line: string): number {
  if (!/^-?\d{1,15}$/.test(line)) throw notAStore();
  return Number(line);
}

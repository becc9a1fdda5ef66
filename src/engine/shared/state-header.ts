/** The state file's first page: its owner, its shape, and what else outlives every worker besides the tables. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { HANDS } from './engine-clock';

export const HEADER_BYTES = 4096;
const MAGIC = 0x53706361; // "acpS"
/** Raise it whenever the splitter's memory changes its meaning without changing its size. */
export const STATE_LAYOUT = 3;

/** int32 words of the header. */
const enum Word {
  Magic,
  Layout,
  Capacity,
  /** Of the memory, in units of 8 bytes. */
  Size,
  /** Eight random bytes that identify this memory. A change tells readers that event numbers have restarted. */
  Id = 4,
  /** The kernel's boot id, 16 bytes: times are CLOCK_BOOTTIME, which restarts at boot. */
  Boot = 6,
  Check = 10,
  /**
   * 1 while the operator has paused diverting. It changes, so the check word does not cover it. It is here in every
   * layout, because a pause outlives a change of layout.
   */
  Paused = 11,
  /** Of the engine's clock, float64. Not covered by the check word either. */
  Hands = 12,
  /** The instance's name: UTF-8, ended by a zero. Empty in files from before there were names. */
  Name = 24,
  /** Of the name alone: a damaged name is none, and refuses nobody. */
  NameCheck = 40,
}

/** Bytes of the name, its zero included. */
const NAME_BYTES = 64;

export interface Shape {
  capacityEntries: number;
  /** Splitter.bufferBytes. */
  memoryBytes: number;
}

export class StateHeader {
  /** See EngineClock. */
  readonly hands: Float64Array;
  private readonly words: Int32Array;

  constructor(buffer: ArrayBuffer) {
    this.words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.hands = new Float64Array(buffer, Word.Hands * 4, HANDS);
  }

  get id(): string {
    return Buffer.from(this.words.buffer, Word.Id * 4, 8).toString('hex');
  }

  /** The instance that these tables belong to; empty if the header does not tell. */
  get name(): string {
    if (!this.isOurs || this.words[Word.NameCheck] !== this.nameCheck()) return '';
    return Buffer.from(this.nameBytes()).toString('utf8').split('\0', 1)[0];
  }

  set name(name: string) {
    const bytes = Buffer.from(name, 'utf8');
    if (bytes.length >= NAME_BYTES) throw new RangeError(`an instance's name has at most ${NAME_BYTES - 1} bytes`);
    const place = this.nameBytes().fill(0);
    place.set(bytes);
    this.words[Word.NameCheck] = this.nameCheck();
  }

  get paused(): boolean {
    return this.words[Word.Paused] === 1;
  }

  set paused(paused: boolean) {
    this.words[Word.Paused] = paused ? 1 : 0;
  }

  /** Written by an engine, of any capacity, layout or boot, and not damaged. */
  get isOurs(): boolean {
    return this.words[Word.Magic] === MAGIC && this.words[Word.Check] === this.check();
  }

  /** `paused`, for any capacity, layout or boot; undefined when the header is damaged or foreign. */
  get believablePause(): boolean | undefined {
    return this.isOurs ? this.paused : undefined;
  }

  /** Prevents anybody from taking this state over. */
  spoil(): void {
    this.words[Word.Magic] = 0;
  }

  /** @param name of the instance */
  write({ capacityEntries, memoryBytes }: Shape, name: string, paused = false): void {
    const { words } = this;
    words.fill(0);
    this.paused = paused;
    this.name = name;
    words[Word.Layout] = STATE_LAYOUT;
    words[Word.Capacity] = capacityEntries;
    words[Word.Size] = Math.ceil(memoryBytes / 8);
    words.set(new Int32Array(new Uint8Array(randomBytes(8)).buffer), Word.Id);
    words.set(bootId(), Word.Boot);
    words[Word.Check] = this.check();
    words[Word.Magic] = MAGIC;
  }

  /** The capacity of acsplit 0.1.0's tables written since the host's last boot; undefined when they are not that. */
  earlier(layout: number): { capacityEntries: number; memoryBytes: number } | undefined {
    const { words } = this;
    if (words[Word.Magic] !== MAGIC || words[Word.Check] !== this.check() || words[Word.Layout] !== layout)
      return undefined;
    if (!this.isOfThisBoot()) return undefined;
    return { capacityEntries: words[Word.Capacity], memoryBytes: words[Word.Size] * 8 };
  }

  private isOfThisBoot(): boolean {
    return bootId().every((word, index) => this.words[Word.Boot + index] === word);
  }

  /** Why the header does not fit a state of this shape; undefined when it does. */
  objection({ capacityEntries, memoryBytes }: Shape): string | undefined {
    const { words } = this;
    if (words[Word.Magic] !== MAGIC) return 'it is not a state file of ours';
    if (words[Word.Check] !== this.check()) return 'its header is damaged';
    const isOurVersion = words[Word.Layout] === STATE_LAYOUT;
    if (!isOurVersion) return `it is of another version (layout ${words[Word.Layout]}, ours is ${STATE_LAYOUT})`;
    if (!this.isOfThisBoot()) return 'the host was booted since';
    if (words[Word.Capacity] !== capacityEntries) {
      return `tables.capacity was ${words[Word.Capacity]} and is ${capacityEntries}`;
    }
    return words[Word.Size] === Math.ceil(memoryBytes / 8) ? undefined : 'its tables have another shape';
  }

  private nameBytes(): Uint8Array {
    return new Uint8Array(this.words.buffer, this.words.byteOffset + Word.Name * 4, NAME_BYTES);
  }

  private check(): number {
    return this.checkOf(Word.Layout, Word.Check);
  }

  private nameCheck(): number {
    return this.checkOf(Word.Name, Word.NameCheck);
  }

  private checkOf(from: number, to: number): number {
    let check = 0x811c9dc5;
    for (let word = from; word < to; word++) {
      check = Math.imul(check ^ this.words[word], 0x01000193) ^ (check >>> 15);
    }
    return check | 0;
  }
}

function bootId(): Int32Array {
  const text = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
  return new Int32Array(new Uint8Array(Buffer.from(text.replace(/[^0-9a-f]/g, ''), 'hex')).buffer);
}

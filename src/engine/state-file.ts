/**
 * The state file: tables, counters and events in a file of the state directory, mapped by the worker, which writes, and
 * by the supervisor, which reads. It outlives both; docs/decisions/state-file.md.
 *
 *     header    4096 bytes, below; bears a check word, the magic is written last
 *     memory    Splitter.bufferBytes, laid out by the splitter alone
 *
 * What does not fit exactly (torn, foreign, of another version, shape or boot) is made anew, and that is said.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type SystemError, loadAddon } from './binding';
import { HANDS } from './engine-clock';
import { EngineError } from './engine-error';
import { makeDirectory } from './state-directory';

export const HEADER_BYTES = 4096;
const MAGIC = 0x53706361; // "acpS"
/** To be raised whenever the splitter's memory changes its meaning without changing its size. */
export const STATE_LAYOUT = 2;

/** int32 words of the header. */
const enum Word {
  Magic,
  Layout,
  Capacity,
  /** Of the memory, in units of 8 bytes. */
  Size,
  /** Random, eight bytes: names this memory, so that a reader knows when its event numbers begin anew. */
  Id = 4,
  /** The kernel's boot id, 16 bytes: times are CLOCK_BOOTTIME, which begins anew at a boot. */
  Boot = 6,
  Check = 10,
  /** 1 while the operator has paused diverting. Not under the check word: it changes. */
  Paused = 11,
  /** Of the engine's clock, float64. Not under the check word either. */
  Hands = 12,
}

const FILE_MODE = 0o600;

export interface StateFile {
  /** Stays open for as long as a worker may need it. */
  fd: number;
  header: StateHeader;
  /** What the splitter lays out. */
  memory: ArrayBuffer;
  /** Why an earlier file was not taken over; undefined when it was, or when there was none. */
  replaced: string | undefined;
}

export interface StateOptions {
  directory: string;
  capacityEntries: number;
  /** Splitter.bufferBytes. */
  memoryBytes: number;
  /** Tries the memory out, before any worker does. @throws Error, and the file is made anew */
  tryOut: (memory: ArrayBuffer) => void;
}

type Shape = Pick<StateOptions, 'capacityEntries' | 'memoryBytes'>;

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

  get paused(): boolean {
    return this.words[Word.Paused] === 1;
  }

  set paused(paused: boolean) {
    this.words[Word.Paused] = paused ? 1 : 0;
  }

  /** Nobody takes this state over any more. */
  spoil(): void {
    this.words[Word.Magic] = 0;
  }

  write({ capacityEntries, memoryBytes }: Shape): void {
    const { words } = this;
    words[Word.Layout] = STATE_LAYOUT;
    words[Word.Capacity] = capacityEntries;
    words[Word.Size] = Math.ceil(memoryBytes / 8);
    words.set(new Int32Array(new Uint8Array(randomBytes(8)).buffer), Word.Id);
    words.set(bootId(), Word.Boot);
    words[Word.Check] = this.check();
    words[Word.Magic] = MAGIC;
  }

  /** What is wrong with the header for a state of this shape; undefined when nothing is. */
  objection({ capacityEntries, memoryBytes }: Shape): string | undefined {
    const { words } = this;
    if (words[Word.Magic] !== MAGIC) return 'it is not a state file of ours';
    if (words[Word.Check] !== this.check()) return 'its header is damaged';
    const isOurVersion = words[Word.Layout] === STATE_LAYOUT;
    if (!isOurVersion) return `it is of another version (layout ${words[Word.Layout]}, ours is ${STATE_LAYOUT})`;
    if (bootId().some((word, index) => words[Word.Boot + index] !== word)) return 'the host was booted since';
    if (words[Word.Capacity] !== capacityEntries) {
      return `tables.capacity was ${words[Word.Capacity]} and is ${capacityEntries}`;
    }
    return words[Word.Size] === Math.ceil(memoryBytes / 8) ? undefined : 'its tables have another shape';
  }

  private check(): number {
    let check = 0x811c9dc5;
    for (let word: number = Word.Layout; word < Word.Check; word++) {
      check = Math.imul(check ^ this.words[word], 0x01000193) ^ (check >>> 15);
    }
    return check | 0;
  }
}

export function stateFilePath(directory: string): string {
  return join(directory, 'tables.state');
}

/** @throws EngineError when there is no room, or no right to write there */
export function openState(options: StateOptions): StateFile {
  const { directory } = options;
  const path = stateFilePath(directory);
  makeDirectory(directory);
  const found = takeOver(path, options);
  if (typeof found !== 'string' && found !== undefined) return found;
  const made = inWords(options, () => make(path, options));
  options.tryOut(made.memory);
  return { ...made, replaced: found };
}

/** Maps what another process has opened. */
export function mapState(fd: number, memoryBytes: number): Pick<StateFile, 'header' | 'memory'> {
  const { mapFile } = loadAddon();
  return {
    header: new StateHeader(mapFile(fd, 0, HEADER_BYTES)),
    memory: mapFile(fd, HEADER_BYTES, memoryBytes),
  };
}

/** A state that fits; why it does not; undefined when there is none. */
function takeOver(
  path: string,
  { capacityEntries, memoryBytes, tryOut }: StateOptions,
): StateFile | string | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? undefined : message;
  }
  let objection: string | undefined;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) objection = 'it is no file';
    else if (stat.size < HEADER_BYTES) objection = 'it is cut short';
    else
      objection = new StateHeader(loadAddon().mapFile(fd, 0, HEADER_BYTES)).objection({ capacityEntries, memoryBytes });
    const wanted = HEADER_BYTES + memoryBytes;
    if (objection === undefined && stat.size !== wanted) objection = `it has ${stat.size} bytes instead of ${wanted}`;
    if (objection === undefined) {
      // A file with holes could find the disk full later, where nobody can be told.
      loadAddon().reserveFile(fd, wanted);
      const mapped = mapState(fd, memoryBytes);
      tryOut(mapped.memory);
      return { fd, ...mapped, replaced: undefined };
    }
  } catch (error) {
    objection = (error as Error).message;
  }
  closeSync(fd);
  return objection;
}

/** Under another name until it is whole: a file under the right name was complete once. */
function make(path: string, shape: Shape): Omit<StateFile, 'replaced'> {
  const draft = `${path}.new`;
  remove(draft);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const fd = openSync(draft, flags, FILE_MODE);
  try {
    // What is in the way goes first: there may not be room for both.
    remove(path);
    loadAddon().reserveFile(fd, HEADER_BYTES + shape.memoryBytes);
    const mapped = mapState(fd, shape.memoryBytes);
    mapped.header.write(shape);
    renameSync(draft, path);
    return { fd, ...mapped };
  } catch (error) {
    closeSync(fd);
    remove(draft);
    throw error;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function inWords<T>({ directory, memoryBytes }: StateOptions, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { code, message } = error as SystemError;
    const mebibytes = Math.ceil((HEADER_BYTES + memoryBytes) / 2 ** 20);
    const mend = 'lower tables.capacity or choose another stateDirectory';
    if (code === 'ENOSPC' || code === 'EFBIG' || code === 'ENOMEM' || code === 'EDQUOT') {
      throw new EngineError(`no room for the state file: ${directory} must hold ${mebibytes} MiB; ${mend} (${code})`, {
        cause: error,
      });
    }
    throw new EngineError(`the state file cannot be made in ${directory}: ${message}`, { cause: error });
  }
}

function bootId(): Int32Array {
  const text = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
  return new Int32Array(new Uint8Array(Buffer.from(text.replace(/[^0-9a-f]/g, ''), 'hex')).buffer);
}

/**
 * The state file: tables, counters and events in a file of the state directory, mapped by the worker, which writes, and
 * by the supervisor, which reads. It outlives both; docs/decisions/state-file.md.
 *
 *     header    4096 bytes, state-header.ts; bears a check word, the magic is written last
 *     memory    Splitter.bufferBytes, laid out by the splitter alone
 *
 * What does not fit exactly (torn, foreign, of another version, shape or boot) is made anew, and that is said; a pause
 * outlives it where the header tells. The tables of acsplit 0.1.0 are taken over row by row.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  statfsSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { EARLIER_LAYOUT } from '../../splitter/memory/earlier-layout';
import { type SystemError, loadAddon } from './binding';
import { EngineError } from './engine-error';
import { makeDirectory } from './state-directory';
import { HEADER_BYTES, type Shape, StateHeader } from './state-header';

const FILE_MODE = 0o600;

export interface StateFile {
  /** Stays open for as long as a worker may need it. */
  fd: number;
  header: StateHeader;
  /** What the splitter lays out. */
  memory: ArrayBuffer;
  /** Why earlier tables were not taken over; undefined when they were, or when there were none. */
  replaced: string | undefined;
  /** Entries of an earlier layout that were taken over; undefined when there was no such file. */
  adopted: number | undefined;
  /** Nobody can tell whether diverting was paused before. */
  isPauseUnknown: boolean;
}

export interface StateOptions extends Shape {
  directory: string;
  /** Tries the memory out, before any worker does. @throws Error, and the file is made anew */
  tryOut: (memory: ArrayBuffer) => void;
  /** Writes what tables of an earlier layout hold into zeroed memory; how many entries. @throws Error when they are of no use */
  adopt: (earlier: EarlierState, memory: ArrayBuffer) => number;
}

/** A copy of another layout's tables. */
export interface EarlierState extends Shape {
  memory: ArrayBuffer;
  /** Of the engine's clock, which goes on. */
  hands: Float64Array;
}

type Mapped = Pick<StateFile, 'header' | 'memory'>;

/** A file that is of no use. */
interface Refused {
  objection: string;
  /** undefined: its header does not tell. */
  paused: boolean | undefined;
  earlier?: EarlierState | undefined;
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
  if (found !== undefined && 'fd' in found) return found;
  const made = inWords(options, () => make(path, options, found?.paused));
  const isPauseUnknown = found !== undefined && found.paused === undefined;
  const taken = found?.earlier === undefined ? { replaced: found?.objection } : adopt(found.earlier, made, options);
  options.tryOut(made.memory);
  return { ...made, adopted: undefined, ...taken, isPauseUnknown };
}

function adopt(
  earlier: EarlierState,
  { header, memory }: Mapped,
  options: StateOptions,
): Pick<StateFile, 'replaced'> & Partial<Pick<StateFile, 'adopted'>> {
  header.hands.set(earlier.hands);
  try {
    return { replaced: undefined, adopted: options.adopt(earlier, memory) };
  } catch (error) {
    new Uint8Array(memory).fill(0);
    return { replaced: (error as Error).message };
  }
}

/** Maps what another process has opened. */
export function mapState(fd: number, memoryBytes: number): Mapped {
  const { mapFile } = loadAddon();
  return {
    header: new StateHeader(mapFile(fd, 0, HEADER_BYTES)),
    memory: mapFile(fd, HEADER_BYTES, memoryBytes),
  };
}

/**
 * The same file with tables that begin anew: it takes no room, and whoever looks on goes on looking. Only where no worker
 * has it mapped. A crash in between leaves a file without its magic, which the next start makes anew.
 * @returns whether diverting is paused as it was; undefined, and not paused, where the header does not tell
 */
export function beginAnew({ header, memory }: Mapped, options: StateOptions): boolean | undefined {
  const paused = header.believablePause;
  header.spoil();
  new Uint8Array(memory).fill(0);
  header.write(options, paused);
  options.tryOut(memory);
  return paused;
}

/** A state that fits, or that does after its tables have begun anew; why there is none; undefined without a file. */
function takeOver(path: string, options: StateOptions): StateFile | Refused | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? undefined : { objection: message, paused: undefined };
  }
  let paused: boolean | undefined;
  let earlier: EarlierState | undefined;
  try {
    const header = readHeader(fd);
    paused = header.believablePause;
    earlier = readEarlier(fd, header);
    const wanted = HEADER_BYTES + options.memoryBytes;
    const objection = header.objection(options) ?? objectionToSize(fd, wanted);
    if (objection !== undefined) throw new Error(objection);
    // A file with holes could find the disk full later, where nobody can be told.
    loadAddon().reserveFile(fd, wanted);
    const mapped = mapState(fd, options.memoryBytes);
    return { fd, ...mapped, replaced: tryOut(mapped, options), adopted: undefined, isPauseUnknown: false };
  } catch (error) {
    closeSync(fd);
    return { objection: (error as Error).message, paused, earlier };
  }
}

/** @returns why the tables had to begin anew, if they had to */
function tryOut(mapped: Mapped, options: StateOptions): string | undefined {
  try {
    options.tryOut(mapped.memory);
    return undefined;
  } catch (error) {
    beginAnew(mapped, options);
    return (error as Error).message;
  }
}

/** A copy: what is mapped keeps its room on the disk, though it is removed, until the mapping is collected. */
function readHeader(fd: number): StateHeader {
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw new Error('it is no file');
  if (stat.size < HEADER_BYTES) throw new Error('it is cut short');
  const bytes = new Uint8Array(HEADER_BYTES);
  readSync(fd, bytes, 0, HEADER_BYTES, 0);
  return new StateHeader(bytes.buffer);
}

function readEarlier(fd: number, header: StateHeader): EarlierState | undefined {
  const shape = header.earlier(EARLIER_LAYOUT);
  if (shape === undefined || objectionToSize(fd, HEADER_BYTES + shape.memoryBytes) !== undefined) return undefined;
  const memory = new ArrayBuffer(shape.memoryBytes);
  readSync(fd, new Uint8Array(memory), 0, shape.memoryBytes, HEADER_BYTES);
  return { ...shape, memory, hands: header.hands.slice() };
}

function objectionToSize(fd: number, wanted: number): string | undefined {
  const { size } = fstatSync(fd);
  return size === wanted ? undefined : `it has ${size} bytes instead of ${wanted}`;
}

/** Under another name until it is whole: a file under the right name was complete once. */
function make(path: string, shape: Shape, paused: boolean | undefined): Mapped & { fd: number } {
  const draft = `${path}.new`;
  remove(draft);
  requireRoom(path, shape);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const fd = openSync(draft, flags, FILE_MODE);
  try {
    // What is in the way goes first: there may not be room for both.
    remove(path);
    loadAddon().reserveFile(fd, HEADER_BYTES + shape.memoryBytes);
    const mapped = mapState(fd, shape.memoryBytes);
    mapped.header.write(shape, paused);
    renameSync(draft, path);
    return { fd, ...mapped };
  } catch (error) {
    closeSync(fd);
    remove(draft);
    throw error;
  }
}

/** Tables that are there, and a pause, must not be lost to a start that fails. */
function requireRoom(path: string, { memoryBytes }: Shape): void {
  const { blocks, bfree, bsize } = statfsSync(dirname(path));
  // A file system without a limit does not count.
  if (blocks === 0) return;
  const earlier = lstatSync(path, { throwIfNoEntry: false })?.blocks ?? 0;
  const missing = HEADER_BYTES + memoryBytes - bfree * bsize - earlier * 512;
  if (missing > 0) throw Object.assign(new Error(`${missing} bytes missing`), { code: 'ENOSPC' });
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

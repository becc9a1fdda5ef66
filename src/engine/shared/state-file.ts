/**
 * The state file: tables, counters and events in a file in the state directory, mapped by the worker, which writes, and
 * by the supervisor, which reads. It outlives both. docs/decisions/state-file.md
 *
 *     header    4096 bytes, state-header.ts; has a check word, the magic is written last
 *     memory    Splitter.bufferBytes, laid out by the splitter alone
 *
 * A file that does not fit exactly (truncated, foreign, or of another version, shape or boot) is replaced, with a log
 * line. A pause survives if the header is readable. The tables of acsplit 0.1.0 are taken over row by row.
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
  /** Stays open as long as a worker may need it. */
  fd: number;
  header: StateHeader;
  /** Laid out by the splitter. */
  memory: ArrayBuffer;
  /** Why earlier tables were not taken over; undefined when they were, or when there were none. */
  replaced: string | undefined;
  /** Entries taken over from an earlier layout; undefined when there was no such file. */
  adopted: number | undefined;
  /** Whether diverting was paused before is unknown. */
  isPauseUnknown: boolean;
}

export interface StateOptions extends Shape {
  directory: string;
  /** The instance that the tables belong to. */
  name: string;
  /** Tests the memory before any worker uses it. @throws Error, which makes the file be replaced */
  tryOut: (memory: ArrayBuffer) => void;
  /**
   * Copies the tables of an earlier layout into zeroed memory and returns how many entries. @throws Error when they are
   * unusable
   */
  adopt: (earlier: EarlierState, memory: ArrayBuffer) => number;
}

/** A copy of another layout's tables. */
export interface EarlierState extends Shape {
  memory: ArrayBuffer;
  /** Of the engine's clock, which continues. */
  hands: Float64Array;
}

type Mapped = Pick<StateFile, 'header' | 'memory'>;

/** An unusable file. */
interface Refused {
  objection: string;
  /** Undefined when its header does not tell. */
  paused: boolean | undefined;
  earlier?: EarlierState | undefined;
}

export function stateFilePath(directory: string): string {
  return join(directory, 'tables.state');
}

/** @throws EngineError when there is no room, no permission to write there, or when it belongs to another instance */
export function openState(options: StateOptions): StateFile {
  const { directory } = options;
  const path = stateFilePath(directory);
  makeDirectory(directory);
  const found = takeOver(path, options);
  if (found !== undefined && 'fd' in found) {
    found.header.name = options.name;
    return found;
  }
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

/** Maps a file that another process has opened. */
export function mapState(fd: number, memoryBytes: number): Mapped {
  const { mapFile } = loadAddon();
  return {
    header: new StateHeader(mapFile(fd, 0, HEADER_BYTES)),
    memory: mapFile(fd, HEADER_BYTES, memoryBytes),
  };
}

/**
 * Resets the tables within the same file, so it takes no extra space and readers keep their mapping. Only call this
 * while no worker has it mapped. A crash in between leaves a file without its magic, which the next start replaces.
 * @returns whether diverting is still paused; undefined, and not paused, where the header does not tell
 */
export function resetTables({ header, memory }: Mapped, options: StateOptions): boolean | undefined {
  const paused = header.believablePause;
  header.spoil();
  new Uint8Array(memory).fill(0);
  header.write(options, options.name, paused);
  options.tryOut(memory);
  return paused;
}

/** A state that fits, or fits after a reset of its tables; the reason if there is none; undefined without a file. */
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
    requireOwn(header, path, options);
    paused = header.believablePause;
    earlier = readEarlier(fd, header);
    const wanted = HEADER_BYTES + options.memoryBytes;
    const objection = header.objection(options) ?? objectionToSize(fd, wanted);
    if (objection !== undefined) throw new Error(objection);
    // A sparse file could find the disk full later, when the write can no longer fail cleanly.
    loadAddon().reserveFile(fd, wanted);
    const mapped = mapState(fd, options.memoryBytes);
    return { fd, ...mapped, replaced: tryOut(mapped, options), adopted: undefined, isPauseUnknown: false };
  } catch (error) {
    closeSync(fd);
    if (error instanceof EngineError) throw error;
    return { objection: (error as Error).message, paused, earlier };
  }
}

/** @throws EngineError when the file belongs to another instance, whose tables must not be lost to a typing error */
function requireOwn({ name: found }: StateHeader, path: string, { directory, name }: StateOptions): void {
  if (found === '' || found === name) return;
  throw new EngineError(
    `stateDirectory ${directory} belongs to instance "${found}": give "${name}" another, or remove ${path} if "${found}" is gone`,
  );
}

/** @returns why the tables had to be reset, if they had to be */
function tryOut(mapped: Mapped, options: StateOptions): string | undefined {
  try {
    options.tryOut(mapped.memory);
    return undefined;
  } catch (error) {
    resetTables(mapped, options);
    return (error as Error).message;
  }
}

/** A copy: a mapping keeps a removed file's disk space until it is collected. */
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

/** Under a temporary name until it is complete, so a file under the right name was complete once. */
function make(path: string, shape: Shape & { name: string }, paused: boolean | undefined): Mapped & { fd: number } {
  const draft = `${path}.new`;
  remove(draft);
  requireRoom(path, shape);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const fd = openSync(draft, flags, FILE_MODE);
  try {
    // Remove the old file first: there may not be room for both.
    remove(path);
    loadAddon().reserveFile(fd, HEADER_BYTES + shape.memoryBytes);
    const mapped = mapState(fd, shape.memoryBytes);
    mapped.header.write(shape, shape.name, paused);
    renameSync(draft, path);
    return { fd, ...mapped };
  } catch (error) {
    closeSync(fd);
    remove(draft);
    throw error;
  }
}

/** A start that fails must not destroy existing tables or a pause. */
function requireRoom(path: string, { memoryBytes }: Shape): void {
  const { blocks, bfree, bsize } = statfsSync(dirname(path));
  // A file system without a limit reports none.
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
    throw new EngineError(`the state file cannot be created in ${directory}: ${message}`, { cause: error });
  }
}

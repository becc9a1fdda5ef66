/** Opens a replay's files: one-line errors, and no output that is also an input. */

import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  type Stats,
  statSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { type Readable } from 'node:stream';
import { isatty, ReadStream } from 'node:tty';
import { type ByteSource, DescriptorSink, DescriptorSource } from '../replay/byte-io';
import { LiveSource } from '../replay/live-source';
import { Failure, UsageError } from '../configuration/errors';
import { fileFailure } from './file-errors';

/** The name that means stdin or stdout. */
export const STANDARD = '-';

/** Captures of Connection Requests hold credentials. */
const PRIVATE_MODE = 0o600;

const STDIN = 0;
const STDOUT = 1;

/** Linux: major 1, minor 3. */
const NULL_DEVICE = 0x103;
/** The access mode in open(2)'s flags. */
const ACCESS_MODE = 3;

/** Remembers the open files: an output must not be one of them, and all are closed at the end. */
export class ReplayFiles {
  /** Bytes of all inputs; NaN when one is not a regular file. */
  inputBytes = 0;
  /** Inputs that a signal ends: pipes, sockets, terminals. */
  readonly live: LiveSource[] = [];
  private readonly open: { name: string; stats: Stats; close: () => void }[] = [];

  add(name: string, stats: Stats, close: () => void = () => undefined): void {
    this.open.push({ name, stats, close });
  }

  /** A file that is read but not by us, and must not be overwritten either. */
  protect(path: string): void {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats) this.add(path, stats);
  }

  /** Refuses an output that is open already, under any name. Terminals and /dev/null may be, and inetd's sockets. */
  refuseSame(name: string, stats: Stats): void {
    if (stats.isCharacterDevice() || stats.isSocket()) return;
    const same = this.open.find((one) => isSameFile(one.stats, stats));
    if (same) throw new UsageError(`${name} is already in use as ${same.name}`);
  }

  closeAll(): void {
    for (const { close } of this.open) close();
  }
}

function isSameFile(one: Stats, other: Stats): boolean {
  // A block device may have several names with an inode each.
  if (one.isBlockDevice() && other.isBlockDevice()) return one.rdev === other.rdev;
  return one.ino === other.ino && one.dev === other.dev;
}

/** A capture. Pipes, sockets and terminals become live sources. */
export function openInput(files: ReplayFiles, name: string): ByteSource {
  const isStdin = name === STANDARD;
  const descriptor = isStdin ? STDIN : attempt(`cannot read ${name}`, () => openSync(name, 'r'));
  const stats = fstatSync(descriptor);
  const shown = isStdin ? 'stdin' : name;
  const source = sourceOf(shown, descriptor, stats, !isStdin);
  files.add(shown, stats, () => source.close());
  if (stats.isDirectory()) throw new Failure(`cannot read ${shown}: it is a directory`);
  files.inputBytes += stats.isFile() ? stats.size : Number.NaN;
  if (source instanceof LiveSource) files.live.push(source);
  return source;
}

/** A text that is read as a replay goes on; reading from a pipe waits. */
export function openText(files: ReplayFiles, name: string): ByteSource {
  const descriptor = attempt(`cannot read ${name}`, () => openSync(name, 'r'));
  const source = new DescriptorSource(name, descriptor, true);
  files.add(name, fstatSync(descriptor), () => source.close());
  return source;
}

function sourceOf(name: string, descriptor: number, stats: Stats, owned: boolean): ByteSource {
  if (stats.isFIFO() || stats.isSocket() || isatty(descriptor)) {
    return new LiveSource(name, owned ? streamOf(descriptor) : process.stdin);
  }
  return new DescriptorSource(name, descriptor, owned);
}

function streamOf(descriptor: number): Readable {
  return isatty(descriptor) ? new ReadStream(descriptor) : new Socket({ fd: descriptor, readable: true });
}

/** Opens an output. It is truncated only after it is known not to be an input. */
export function openOutput(files: ReplayFiles, name: string): DescriptorSink {
  if (name === STANDARD) return openStdout(files);
  const flags = constants.O_WRONLY | constants.O_CREAT;
  const descriptor = attempt(`cannot write ${name}`, () => openSync(name, flags, PRIVATE_MODE));
  const stats = fstatSync(descriptor);
  try {
    files.refuseSame(name, stats);
    if (stats.isFile()) makeEmpty(descriptor);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  const sink = new DescriptorSink(name, descriptor, true);
  files.add(name, stats, () => sink.abandon());
  return sink;
}

/** Stdout as a place for data. A write to a pipe whose reader has gone fails, and so does this where there is none. */
export function openStdout(files: ReplayFiles): DescriptorSink {
  const stats = fstatSync(STDOUT);
  if (isClosed(stats)) throw new Failure('cannot write stdout: it is closed');
  files.refuseSame('stdout', stats);
  files.add('stdout', stats);
  return new DescriptorSink('stdout', STDOUT, false);
}

/** Node opens /dev/null for reading and writing where it finds stdout closed; `>/dev/null` opens it for writing only. */
function isClosed(stats: Stats): boolean {
  if (!stats.isCharacterDevice() || stats.rdev !== NULL_DEVICE) return false;
  const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${STDOUT}`, 'latin1'))?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & ACCESS_MODE) === constants.O_RDWR;
}

/** A file that was there before also becomes private, unless it is somebody else's. */
function makeEmpty(descriptor: number): void {
  ftruncateSync(descriptor);
  try {
    fchmodSync(descriptor, PRIVATE_MODE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

function attempt<T>(complaint: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw fileFailure(complaint, error);
  }
}

/**
 * The one door through which doctor sees this host: files, programs, sockets. Tests plant facts behind it.
 * Reads and tries, changes nothing: what is tried is tried in a network namespace that goes with the trial.
 */

import { accessSync, constants, readFileSync, statfsSync, statSync } from 'node:fs';
import {
  askEngine,
  controlSocketPath,
  findQueueHolder,
  findQueuePort,
  findSocketHolder,
  type Holder,
  loadAddon,
  NoEngineError,
  type Status,
} from '../engine';
import { type Outcome, runProgram } from '../steering/iptables';

export interface Entry {
  isDirectory: boolean;
  /** The permission bits. */
  mode: number;
  isWritable: boolean;
  /** On disk. */
  bytes: number;
}

/** It is there, or may be, and is not ours to look at. */
export interface Hidden {
  isHidden: true;
}

export interface Room {
  totalBytes: number;
  freeBytes: number;
}

/** How the engine answered: with its status; not, because nobody listens; or oddly, in words. */
export type EngineAnswer = { status: Status } | { isAbsent: true } | { complaint: string };

export interface Host {
  /** A file's text; `undefined` where it is not there or not ours to read. */
  read(file: string): string | undefined;
  /** What stands at a path; `undefined` for nothing, as there is below a file. */
  entry(path: string): Entry | Hidden | undefined;
  /** The file system of a path that exists. */
  room(path: string): Room;
  /** Runs a program to its end, in sbin too. */
  run(program: string, words: readonly string[], input?: string): Outcome;
  /** The same in a network namespace of its own, which ends with it. */
  runInScratch(program: string, words: readonly string[], input?: string): Outcome;
  /** Who has bound a queue; `undefined`: nobody. */
  queueHolder(queue: number): Holder | Hidden | undefined;
  /** Who has a socket open, by the inode that /proc/net names. */
  socketHolder(inode: string): Holder | undefined;
  askEngine(stateDirectory: string): Promise<EngineAnswer>;
  /** Why the native addon cannot be loaded; `undefined` when it can. */
  addonComplaint(): string | undefined;
}

export const LIVE_HOST: Host = {
  read: readText,
  entry: findEntry,
  room: (path) => {
    const { blocks, bavail, bsize } = statfsSync(path);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  },
  run: (program, words, input) => runProgram(program, [...words], input),
  runInScratch: (program, words, input) => runProgram('unshare', ['--net', '--', program, ...words], input),
  queueHolder: (queue) => {
    const port = findQueuePort(queue);
    return port === undefined ? undefined : (findQueueHolder(port) ?? { isHidden: true });
  },
  socketHolder: (inode) => findSocketHolder(inode),
  askEngine: answerOf,
  addonComplaint: () => {
    try {
      loadAddon();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  },
};

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function findEntry(path: string): Entry | Hidden | undefined {
  try {
    const found = statSync(path);
    return {
      isDirectory: found.isDirectory(),
      mode: found.mode & 0o7777,
      isWritable: isWritable(path),
      bytes: found.blocks * 512,
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EACCES') return { isHidden: true };
    throw error;
  }
}

/** What stands at a path, as far as it is ours to look at. */
export function visible(found: Entry | Hidden | undefined): Entry | undefined {
  return found === undefined || 'isHidden' in found ? undefined : found;
}

/** Asked of the kernel: root may be refused too, by a read-only file system. */
function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function answerOf(stateDirectory: string): Promise<EngineAnswer> {
  try {
    return { status: (await askEngine(controlSocketPath(stateDirectory), { command: 'status' })) as Status };
  } catch (error) {
    return error instanceof NoEngineError ? { isAbsent: true } : { complaint: (error as Error).message };
  }
}

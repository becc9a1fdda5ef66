/**
 * The only way doctor sees this host: files, programs, sockets. Tests plant facts behind this interface.
 * It changes nothing: trials run in a scratch network namespace that ends with them.
 */

import { accessSync, constants, readFileSync, statfsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import {
  type MacQuestion,
  askEngine,
  controlSocketPath,
  type EchoAnswer,
  type EchoQuestion,
  findQueueHolder,
  findQueuePort,
  findSocketHolder,
  type Holder,
  loadAddon,
  NoEngineError,
  type QueueOptions,
  type FlowCheck,
  type Status,
  tryQueues,
} from '../engine';
import { lockRules, type Outcome, runProgram } from '../steering/iptables';

export interface Entry {
  isDirectory: boolean;
  /** The permission bits. */
  mode: number;
  isWritable: boolean;
  /** On disk. */
  bytes: number;
}

/** It may exist, but we may not look at it. */
export interface Hidden {
  isHidden: true;
}

export interface Room {
  totalBytes: number;
  freeBytes: number;
}

/** How the engine answered: with its status; not at all, because none listens; or with an error. */
export type EngineAnswer = { status: Status; flows?: FlowCheck } | { isAbsent: true } | { complaint: string };

/** A connection to a server. */
export interface Attempt {
  /**
   * `connected`: and answered, if asked; `silent`: no SYN+ACK came; `mute`: accepted, and no answer came; `reset`: accepted,
   * and reset before it was asked; or an error's code.
   */
  outcome: string;
  /** From the SYN to the SYN+ACK; 0 if none came. */
  connectMs: number;
  /** From the question to the first byte, or to the end of the connection; 0 if it was not asked. */
  answerMs: number;
}

export interface Host {
  /** A file's text; `undefined` if it does not exist or may not be read. */
  read(file: string): string | undefined;
  /** What is at a path; `undefined` for nothing, also below a file. */
  entry(path: string): Entry | Hidden | undefined;
  /** Space on the file system of an existing path. */
  room(path: string): Room;
  /** Runs a program to its end; searches sbin too. */
  run(program: string, words: readonly string[], input?: string): Outcome;
  /** The same in a scratch network namespace, which ends with it. */
  runInScratch(program: string, words: readonly string[], input?: string): Outcome;
  /** Waits until nobody else reads or writes rules; the answer ends our turn. */
  lockRules(): () => void;
  /** The process that has bound a queue; `undefined`: none. */
  queueHolder(queue: number): Holder | Hidden | undefined;
  /** The process that has a socket open, by its inode in /proc/net. */
  socketHolder(inode: string): Holder | undefined;
  askEngine(stateDirectory: string): Promise<EngineAnswer>;
  /** Connects by TCP, asks over HTTP if `isAsking`, and closes. */
  connect(address: string, port: number, isAsking: boolean): Promise<Attempt>;
  /** See the addon: MACs that answer for each address. */
  askMacs(questions: readonly MacQuestion[], waitMs: number): string[][];
  echo(questions: readonly EchoQuestion[], waitMs: number): EchoAnswer[];
  /** Binds queues in a scratch network namespace; the buffer that the kernel granted. @throws QueueError */
  tryQueues(options: QueueOptions): { receiveBufferBytes: number };
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
  lockRules,
  queueHolder: (queue) => {
    const port = findQueuePort(queue);
    return port === undefined ? undefined : (findQueueHolder(port) ?? { isHidden: true });
  },
  socketHolder: (inode) => findSocketHolder(inode),
  askEngine: answerOf,
  connect: tryConnect,
  askMacs: (questions, waitMs) => loadAddon().askMacs(questions, waitMs),
  echo: (questions, waitMs) => loadAddon().echo(questions, waitMs),
  tryQueues,
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

/** What is at a path, if we may look at it. */
export function visible(found: Entry | Hidden | undefined): Entry | undefined {
  return found === undefined || 'isHidden' in found ? undefined : found;
}

/** Asks the kernel: a read-only file system refuses even root. */
function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** A healthy engine answers within milliseconds; with all other checks doctor is to take less than ten seconds. */
const STATUS_TIMEOUT_MS = 5000;

async function answerOf(stateDirectory: string): Promise<EngineAnswer> {
  try {
    const socket = controlSocketPath(stateDirectory);
    const status = (await askEngine(socket, { command: 'status' }, STATUS_TIMEOUT_MS)) as Status;
    if (!status.fastPath?.carries) return { status };
    // An older engine does not know the command.
    const flows = (await askEngine(socket, { command: 'flows' }).catch(() => undefined)) as FlowCheck | undefined;
    return { status, ...(flows && { flows }) };
  } catch (error) {
    return error instanceof NoEngineError ? { isAbsent: true } : { complaint: (error as Error).message };
  }
}

/** For a second SYN to be answered, too: the first is repeated after one second. */
const CONNECT_TIMEOUT_MS = 2000;
/** Within this time comes the RST of a server that accepts connections and resets them. */
const RESET_WAIT_MS = 100;
const ANSWER_TIMEOUT_MS = 3000;

function tryConnect(address: string, port: number, isAsking: boolean): Promise<Attempt> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const beganMs = performance.now();
    let connectMs = 0;
    let askedMs = 0;
    const end = (outcome: string) => {
      socket.destroy();
      resolve({ outcome, connectMs, answerMs: askedMs === 0 ? 0 : performance.now() - askedMs });
    };
    // A server that speaks TLS answers with an alert, or closes.
    const ask = () => {
      askedMs = performance.now();
      socket.write(
        `GET / HTTP/1.1\r\nHost: ${address.includes(':') ? `[${address}]` : address}\r\nConnection: close\r\n\r\n`,
      );
      socket.setTimeout(ANSWER_TIMEOUT_MS);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS);
    socket.once('timeout', () => end(askedMs === 0 ? 'silent' : 'mute'));
    socket.once('connect', () => {
      connectMs = performance.now() - beganMs;
      if (isAsking) setTimeout(ask, RESET_WAIT_MS);
      else end('connected');
    });
    for (const answer of ['data', 'end']) socket.once(answer, () => end('connected'));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ETIMEDOUT') end('silent');
      else if (code === 'ECONNRESET') end(askedMs === 0 ? 'reset' : 'connected');
      else end(code ?? 'silent');
    });
  });
}

/**
 * The control socket: a unix stream socket in the state directory. One JSON line in, one JSON line out, then closed.
 *
 *     { "command": "status" }      ->  { "ok": true, "result": { … } }
 *     { "command": "statsu" }      ->  { "ok": false, "error": "…" }
 *
 * Who may connect is the file's mode, 0660, and its group. Size, time and number of connections are bounded: nobody who
 * connects can hold up the packets.
 */

import { chmodSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { findGroup, giveToGroup } from './control-group';
import { EngineError } from './engine-error';
import { makeDirectory } from './state-directory';

const MAX_REQUEST_BYTES = 4096;
const MAX_RESPONSE_BYTES = 16 * 1024 * 1024;
const MAX_CONNECTIONS = 32;
/** For a request to arrive whole and for its response to be taken. */
const CONNECTION_TIMEOUT_MS = 5000;
const SOCKET_MODE = 0o660;

export type ControlRequest = { command: string } & Record<string, unknown>;

/** What answers a command, at once or later; it must be plain JSON. A thrown error becomes the response's `error`. */
export type ControlCommands = Readonly<Record<string, (request: ControlRequest) => unknown>>;

export interface ControlServer {
  /** Whoever asks at the path asks this server: nobody has removed or replaced the socket's file. */
  isThere(): boolean;
  /** Idempotent; removes the socket's file. */
  close(): Promise<void>;
}

/** Nobody listens at the socket. */
export class NoEngineError extends EngineError {}

/** Somebody listens, and does not speak as an engine should. */
class OddAnswerError extends EngineError {}

export function controlSocketPath(stateDirectory: string): string {
  return join(stateDirectory, 'control.sock');
}

/**
 * Answers `commands` at `path`. A socket that a dead engine left is replaced.
 * @param group whose members may connect; else our own
 * @throws EngineError when a living engine has the socket, or when none can be made there
 */
export async function serveControl(path: string, commands: ControlCommands, group?: string): Promise<ControlServer> {
  const groupNumber = group === undefined ? -1 : findGroup(group);
  makeDirectory(dirname(path));
  await clearStale(path);
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    serveConnection(socket, commands);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, path);
  const close = () =>
    new Promise<void>((resolve) => {
      for (const socket of open) socket.destroy();
      server.close(() => resolve());
    });
  try {
    if (groupNumber >= 0) giveToGroup(path, groupNumber);
    const own = lstatSync(path);
    return { isThere: () => isSame(path, own), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function isSame(path: string, own: Stats): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.dev === own.dev && found.ino === own.ino;
}

/**
 * Asks the engine behind `path` and gives its result.
 * @throws NoEngineError when nobody listens; EngineError when it refuses, or is silent for `timeoutMs`
 */
export function askEngine(path: string, request: ControlRequest, timeoutMs = 10_000): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const received: Buffer[] = [];
    let size = 0;
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(timeoutMs, () => fail(new OddAnswerError(`the engine at ${path} does not answer`)));
    socket.on('connect', () => socket.end(`${JSON.stringify(request)}\n`));
    socket.on('data', (chunk) => {
      received.push(chunk);
      size += chunk.length;
      if (size > MAX_RESPONSE_BYTES) fail(new OddAnswerError(`the engine at ${path} answers without end`));
    });
    socket.on('end', () => {
      try {
        resolve(readResponse(Buffer.concat(received).toString('utf8'), path));
      } catch (error) {
        fail(error as Error);
      }
    });
    socket.on('error', (error: NodeJS.ErrnoException) => fail(connectError(error, path)));
  });
}

/** No file, a file that is no socket, a socket without a listener. */
const NOBODY_CODES: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ENOTSOCK', 'ECONNREFUSED']);

function connectError(error: NodeJS.ErrnoException, path: string): EngineError {
  if (NOBODY_CODES.has(error.code ?? '')) {
    return new NoEngineError(`no engine is running here (nobody listens at ${path}); start one with: acsplit run`);
  }
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return new EngineError(`permission denied at ${path}; run as root, or as a member of the socket's group`);
  }
  return new EngineError(`cannot reach the engine at ${path}: ${error.message}`);
}

function readResponse(text: string, path: string): unknown {
  let response: { ok?: unknown; result?: unknown; error?: unknown };
  try {
    response = JSON.parse(text) as typeof response;
  } catch {
    throw new OddAnswerError(`the engine at ${path} broke off its answer`);
  }
  if (response.ok === true) return response.result;
  throw new EngineError(typeof response.error === 'string' ? response.error : `the engine at ${path} refused`);
}

function serveConnection(socket: Socket, commands: ControlCommands): void {
  let text = '';
  let isAnswered = false;
  let isAsked = false;
  const ask = (line: string) => {
    isAsked = true;
    void respond(line, commands).then(answer);
  };
  const answer = (response: unknown) => {
    if (isAnswered) return;
    isAnswered = true;
    // Whoever goes on sending finds nobody to read it.
    if (!socket.destroyed) socket.end(`${JSON.stringify(response)}\n`, () => socket.destroy());
  };
  // Not the socket's own time-out, which starts anew with every byte: a trickle must not stay for ever.
  const limit = setTimeout(() => socket.destroy(), CONNECTION_TIMEOUT_MS);
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    if (isAsked || isAnswered) return;
    text += chunk;
    const end = text.indexOf('\n');
    if (end >= 0 && end <= MAX_REQUEST_BYTES) ask(text.slice(0, end));
    else if (text.length > MAX_REQUEST_BYTES) answer(refuse(`a request has at most ${MAX_REQUEST_BYTES} bytes`));
  });
  socket.on('end', () => {
    // Asked before anything is carried out: a command must not happen a second time because its caller hangs up.
    if (isAsked || isAnswered) return;
    if (text === '') answer(refuse('an empty request'));
    else ask(text);
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => clearTimeout(limit));
}

function refuse(error: string) {
  return { ok: false, error };
}

async function respond(line: string, commands: ControlCommands): Promise<unknown> {
  let request: unknown;
  try {
    request = JSON.parse(line);
  } catch {
    return refuse('a request is one line of JSON');
  }
  const command = (request as { command?: unknown } | null)?.command;
  if (typeof command !== 'string') return refuse('a request is { "command": … }');
  if (!Object.hasOwn(commands, command)) return refuse(`unknown command ${JSON.stringify(command.slice(0, 64))}`);
  try {
    return { ok: true, result: await commands[command](request as ControlRequest) };
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

/**
 * A socket that nobody answers is a dead engine's and goes; a living engine's stays, and so does what is no socket.
 * @throws EngineError when something stays
 */
export async function clearStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new EngineError(`${path} is in the way and is no socket; remove it`);
  await refuseLivingEngine(path);
  try {
    unlinkSync(path);
  } catch (error) {
    throw new EngineError(`${path} of an engine that is gone cannot be removed: ${reasonOf(error)}`);
  }
}

/** @throws EngineError when an engine lives behind `path`, with its process id when it tells. */
export async function refuseLivingEngine(path: string): Promise<void> {
  let pid = '';
  try {
    const status = (await askEngine(path, { command: 'status' }, 2000)) as { pid?: unknown };
    pid = ` (pid ${String(status.pid)})`;
  } catch (error) {
    if (error instanceof NoEngineError) return;
    if (!(error instanceof OddAnswerError)) throw error;
  }
  throw new EngineError(`an engine is already running${pid}: it answers at ${path}; stop it first`);
}

/** The umask, not a chmod afterwards, makes the mode true from the first moment; the chmod mends a stricter umask. */
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new EngineError(`control socket ${path}: ${reasonOf(error)}`));
    server.once('error', fail);
    server.once('listening', () => {
      server.off('error', fail);
      server.on('error', () => undefined);
      chmodSync(path, SOCKET_MODE);
      resolve();
    });
    const umask = process.umask(0o777 & ~SOCKET_MODE);
    try {
      server.listen(path);
    } finally {
      process.umask(umask);
    }
  });
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied; run as root or choose another stateDirectory';
  if (code === 'EROFS') return 'the file system is read-only';
  if (code === 'EADDRINUSE') return 'another engine has just taken it';
  return message;
}

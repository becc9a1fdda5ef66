/**
 * The control socket: a unix stream socket in the state directory. One line of JSON in, one line of JSON out, then it
 * closes.
 *
 *     { "command": "status" }      ->  { "ok": true, "result": { … } }
 *     { "command": "statsu" }      ->  { "ok": false, "error": "…" }
 *
 * The file's mode, 0660, and its group decide who may connect. Size, time and number of connections are bounded, so a
 * client cannot delay packets.
 */

import { chmodSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { refuseLivingEngine } from './ask';
import { findGroup, giveToGroup } from './control-group';
import { type ControlRequest } from '../shared/control-request';
import { EngineError } from '../shared/engine-error';
import { makeDirectory } from '../shared/state-directory';

const MAX_REQUEST_BYTES = 4096;
const MAX_CONNECTIONS = 32;
/** For the request to arrive whole, and for the response to be read. */
const CONNECTION_TIMEOUT_MS = 5000;
const SOCKET_MODE = 0o660;

/**
 * Handlers by command. They answer at once or later, with plain JSON. A thrown error becomes the response's `error`. The
 * descriptor is that of the connection, and valid until the handler returns; undefined once the connection is gone.
 */
export type ControlCommands = Readonly<
  Record<string, (request: ControlRequest, descriptor: number | undefined) => unknown>
>;

export interface ControlServer {
  /** The path still leads to this server: nobody has removed or replaced the socket's file. */
  isThere(): boolean;
  /** Idempotent; removes the socket's file. */
  close(): Promise<void>;
}

/**
 * Answers `commands` at `path`. Replaces a socket that a dead engine left behind.
 * @param group whose members may connect; our own group if absent
 * @throws EngineError when a live engine has the socket, or when it cannot be created
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

function serveConnection(socket: Socket, commands: ControlCommands): void {
  let text = '';
  let isAnswered = false;
  let isAsked = false;
  const ask = (line: string) => {
    isAsked = true;
    void respond(line, commands, descriptorOf(socket)).then(answer);
  };
  const answer = (response: unknown) => {
    if (isAnswered) return;
    isAnswered = true;
    // Stop reading from a client that keeps sending.
    if (!socket.destroyed) socket.end(`${JSON.stringify(response)}\n`, () => socket.destroy());
  };
  // Not the socket's own time-out, which every byte restarts: a client that trickles bytes must not stay for ever.
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
    // Set before the command runs: a caller that hangs up must not make it run a second time.
    if (isAsked || isAnswered) return;
    if (text === '') answer(refuse('an empty request'));
    else ask(text);
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => clearTimeout(limit));
}

/** Node keeps it to itself, and has no other way to ask the kernel who connected. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as Socket & { _handle?: { fd?: number } | null };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

function refuse(error: string) {
  return { ok: false, error };
}

async function respond(line: string, commands: ControlCommands, descriptor: number | undefined): Promise<unknown> {
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
    return { ok: true, result: await commands[command](request as ControlRequest, descriptor) };
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Removes a socket that nobody answers, since it is a dead engine's. A live engine's socket stays, and so does anything
 * that is not a socket.
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

/** The umask, unlike a later chmod, sets the mode from the first moment; the chmod corrects a stricter umask. */
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

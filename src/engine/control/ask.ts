/**
 * The client side of the control socket: sends one request, reads one answer, and puts a missing or malformed answer
 * into words.
 */

import { connect } from 'node:net';
import { join } from 'node:path';
import { type ControlRequest } from '../shared/control-request';
import { EngineError } from '../shared/engine-error';

const MAX_RESPONSE_BYTES = 16 * 1024 * 1024;

/** Nobody listens on the socket. */
export class NoEngineError extends EngineError {}

/** Something listens but does not answer as an engine should. */
class OddAnswerError extends EngineError {}

export function controlSocketPath(stateDirectory: string): string {
  return join(stateDirectory, 'control.sock');
}

/**
 * Sends a request to the engine at `path` and returns its result.
 * @throws NoEngineError when nobody listens; EngineError when it refuses, or does not answer within `timeoutMs`
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

/** No file, not a socket, or a socket without a listener. */
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

/**
 * @param name of our own instance
 * @throws EngineError when an engine answers at `path`, with its process id and the name of another instance if it tells
 */
export async function refuseLivingEngine(path: string, name?: string): Promise<void> {
  let pid = '';
  try {
    const status = (await askEngine(path, { command: 'status' }, 2000)) as { pid?: unknown; name?: unknown };
    pid = ` (pid ${String(status.pid)})`;
    if (name !== undefined && typeof status.name === 'string' && status.name !== name) {
      const words = `instance "${status.name}"${pid} answers at ${path}`;
      throw new EngineError(`${words}: give "${name}" a stateDirectory of its own`);
    }
  } catch (error) {
    if (error instanceof NoEngineError) return;
    if (!(error instanceof OddAnswerError)) throw error;
  }
  throw new EngineError(`an engine is already running${pid}: it answers at ${path}; stop it first`);
}

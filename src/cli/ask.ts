/** Requests to a running engine; its errors become one line for people. */

import { askEngine, type ControlRequest, EngineError, listEngines, NoEngineError } from '../engine';
import { type Configuration } from '../configuration/configuration';
import { Failure } from '../configuration/errors';
import { findByFile, findEngine } from './find-engine';
import { type EngineOptions } from './options';
import { readVersion } from './version';

/** @throws Failure when no engine runs, or when it refuses */
export type Ask = (request: ControlRequest) => Promise<unknown>;

export interface Asker {
  ask: Ask;
  /** The configuration file, if it could be read. */
  configuration: Configuration | undefined;
}

/**
 * `watch` and `trace` find their engine once, so a bad edit of the configuration cannot end them.
 * @throws UsageError or Failure when no engine fits
 */
export function asker(options: EngineOptions): Asker {
  const { configuration, ...found } = findEngine(options);
  let { socket, note } = found;
  let isFound = options.socket !== undefined || options.instance !== undefined || note !== undefined;
  let isCompared = false;
  if (note !== undefined) process.stderr.write(`acsplit: ${note}\n`);
  const ask: Ask = async (request) => {
    try {
      const answer = await askEngine(socket, request);
      isFound = true;
      if (!isCompared) warnOfSkew(socket);
      isCompared = true;
      return answer;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      if (isFound || !(error instanceof NoEngineError)) throw new Failure(error.message, { cause: error });
      const other = findByFile(options.config, error);
      if (other.socket === socket) throw new Failure(error.message, { cause: error });
      ({ socket, note } = other);
      isFound = true;
      process.stderr.write(`acsplit: ${note}\n`);
      return ask(request);
    }
  };
  return { ask, configuration };
}

/** An engine runs on as the version that it was started as. */
function warnOfSkew(socket: string): void {
  const engine = listEngines().find((one) => one.socket === socket);
  const version = readVersion();
  if (engine === undefined || engine.version === version) return;
  const what = `this is acsplit ${version}, and the engine (pid ${engine.pid}) runs ${engine.version}: restart it when it suits`;
  process.stderr.write(`acsplit: ${what}\n`);
}

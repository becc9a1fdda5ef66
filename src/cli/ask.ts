/** Requests to a running engine; its errors become one line for people. */

import { askEngine, type ControlRequest, EngineError, NoEngineError } from '../engine';
import { type Configuration } from '../configuration/configuration';
import { Failure } from '../configuration/errors';
import { findByFile, findEngine } from './find-engine';
import { type EngineOptions } from './options';

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
  if (note !== undefined) process.stderr.write(`acsplit: ${note}\n`);
  const ask: Ask = async (request) => {
    try {
      const answer = await askEngine(socket, request);
      isFound = true;
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

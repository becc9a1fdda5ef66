/** One question to the engine that the configuration names; its complaints become one line for people. */

import { askEngine, type ControlRequest, controlSocketPath } from '../engine/control';
import { EngineError } from '../engine/engine-error';
import { parseIpv4 } from '../packet/address';
import { loadConfiguration } from './configuration';
import { Failure, UsageError } from './errors';

/** @throws Failure when no engine runs, or when it refuses */
export async function ask(configurationFile: string, request: ControlRequest): Promise<unknown> {
  const { stateDirectory } = loadConfiguration(configurationFile);
  try {
    return await askEngine(controlSocketPath(stateDirectory), request);
  } catch (error) {
    throw error instanceof EngineError ? new Failure(error.message, { cause: error }) : error;
  }
}

/** @throws UsageError */
export function requireAddress(text: string): string {
  if (parseIpv4(text) === undefined) throw new UsageError(`"${text}" is no IPv4 address, such as 10.1.0.5`);
  return text;
}

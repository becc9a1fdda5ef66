/** Questions to the engine that the configuration names; its complaints become one line for people. */

import { askEngine, type ControlRequest, controlSocketPath, EngineError } from '../engine';
import { formatAddress, parseAddress } from '../packet/address';
import { type Configuration, loadConfiguration } from '../configuration/configuration';
import { Failure, UsageError } from '../configuration/errors';

/** @throws Failure when no engine runs, or when it refuses */
export type Ask = (request: ControlRequest) => Promise<unknown>;

/** `watch` and `trace` load the configuration once, so a bad edit cannot end them. */
export function asker({ stateDirectory }: Pick<Configuration, 'stateDirectory'>): Ask {
  return async (request) => {
    try {
      return await askEngine(controlSocketPath(stateDirectory), request);
    } catch (error) {
      throw error instanceof EngineError ? new Failure(error.message, { cause: error }) : error;
    }
  };
}

/** One question. @throws Failure when no engine runs, or when it refuses; UsageError for the configuration */
export async function ask(configurationFile: string, request: ControlRequest): Promise<unknown> {
  return asker(loadConfiguration(configurationFile))(request);
}

/** An address in its canonical text, as the engine writes it. @throws UsageError */
export function requireAddress(text: string): string {
  const address = parseAddress(text);
  if (!address) throw new UsageError(`"${text}" is not an IP address such as 10.1.0.5 or 2001:db8::5`);
  return formatAddress(address);
}

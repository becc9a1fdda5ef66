/** What a worker is told to decide by, made from the options of the engine. */
import { Splitter } from '../../splitter/splitter';
import { takeoverMs } from './dead-mans-switch';
import { LONGEST_STALL_MS } from '../shared/engine-clock';
import { EngineError } from '../shared/engine-error';
import { type EngineOptions } from './engine-options';
import { type Reloadable, type WorkerSettings } from '../shared/worker-protocol';

export function settingsOf({ topology, activation, lives, onCollectorDown, aliveSets }: EngineOptions): WorkerSettings {
  const kernelTakesOver = aliveSets.length > 0;
  const longestStallMs = kernelTakesOver ? takeoverMs(aliveSets[0]) : LONGEST_STALL_MS;
  return { topology, activation, lives, onCollectorDown, longestStallMs, kernelTakesOver };
}

/**
 * Refuses an impossible topology once here, instead of in every worker.
 * @throws EngineError
 */
export function requireSound(settings: Reloadable): void {
  try {
    new Splitter({ ...settings, capacityEntries: 16, seed: 0 });
  } catch (error) {
    throw new EngineError((error as Error).message, { cause: error });
  }
}

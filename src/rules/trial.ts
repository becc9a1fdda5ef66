/** The bundle put to the test: would this kernel and this iptables take it? Into a place where it does no harm. */

import { type Topology } from '../splitter/topology';
import { type Family } from './family';
import { restoreRules, type Runner } from './iptables';
import { type QueueNumbers, renderTables } from './render';
import { RulesError } from './rules-error';

/**
 * Restores every table of the bundle once, by `run`, which should do so in a network namespace of its own each time.
 * Answers the first refusal; `undefined` when all of them were taken.
 */
export function tryBundle(
  topology: Topology,
  queue: QueueNumbers,
  family: Family,
  run: Runner,
): RulesError | undefined {
  try {
    for (const { text } of renderTables(topology, queue, family)) restoreRules(run, family, text);
    return undefined;
  } catch (error) {
    if (error instanceof RulesError) return error;
    throw error;
  }
}

/** The bundle put to the test: would this kernel and this iptables take it? Into a place where it does no harm. */

import { type Family } from '../../packet/address';
import { type Topology } from '../../splitter/topology';
import { restoreRules, type Runner } from './iptables';
import { renderTables, type Steering } from './render';
import { RulesError } from './rules-error';
import { createSets, wantedSets, withSets } from './sets';

/**
 * Restores every table of the bundle once, by `run`, which should do so in a network namespace of its own each time.
 * Answers the first refusal; `undefined` when all of them were taken.
 */
export function tryBundle(topology: Topology, steering: Steering, family: Family, run: Runner): RulesError | undefined {
  try {
    const sets = wantedSets(topology, steering).filter((set) => set.family === family);
    createSets(run, sets);
    const inNamespace: Runner = (program, words, input) => {
      // One command creates the sets and restores the table, since each has a namespace of its own.
      const [shell, ...rest] = withSets(sets, program, words);
      return run(shell, rest, input);
    };
    for (const { text } of renderTables(topology, steering, family)) restoreRules(inNamespace, family, text);
    return undefined;
  } catch (error) {
    if (error instanceof RulesError) return error;
    throw error;
  }
}

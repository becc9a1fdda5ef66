/** The bundle put to the test: would this kernel and this iptables take it? Into a place where it does no harm. */

import { type Family } from '../../packet/address';
import { type Topology } from '../../splitter/topology';
import { restoreRules, type Runner } from './iptables';
import { renderTables, type Steering } from './render';
import { RulesError } from './rules-error';
import { aliveSets, createLine, makeSet } from './sets';

/**
 * Restores every table of the bundle once, by `run`, which should do so in a network namespace of its own each time.
 * Answers the first refusal; `undefined` when all of them were taken.
 */
export function tryBundle(topology: Topology, steering: Steering, family: Family, run: Runner): RulesError | undefined {
  const hasSet = aliveSets(topology, steering.onEngineDown).length > 0;
  // One command makes the set and restores the table, since each has a namespace of its own.
  const withSet: Runner = (program, words, input) =>
    run('sh', ['-c', `ipset ${createLine(family)} && exec "$0" "$@"`, program, ...words], input);
  try {
    if (hasSet) makeSet(run, family);
    for (const { text } of renderTables(topology, steering, family)) restoreRules(hasSet ? withSet : run, family, text);
    return undefined;
  } catch (error) {
    if (error instanceof RulesError) return error;
    throw error;
  }
}

'use strict';
const { default: Sequencer } = require('@jest/test-sequencer');

/**
 * The longest test files, longest first. Started last, one of them would keep a single worker busy after the others are
 * done.
 */
const LONGEST = [
  'e2e/doctor-findings',
  'e2e/doctor-engine',
  'e2e/package',
  'e2e/rules-traps',
  'deep/splitter/hostile-bytes',
  'e2e/rules-check',
  'deep/simulation',
  'deep/splitter/no-allocation',
  'e2e/operations',
  'e2e/crash-engine',
  'e2e/faults-network',
  'e2e/faults-processes',
  'e2e/rules-install',
  'e2e/commands-in-print',
  'e2e/crash-worker',
  'deep/model',
  'deep/splitter/decision',
  'e2e/outputs',
  'e2e/native-lifetime',
  'e2e/native-traffic',
  'e2e/run-log',
];

/** Jest sorts by each file's duration in the last run; a fresh checkout has no last run. */
module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const at = LONGEST.findIndex((name) => path.endsWith(`/test/${name}.test.ts`));
      return at < 0 ? LONGEST.length : at;
    };
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b));
  }
};

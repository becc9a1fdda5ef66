'use strict';
const { default: Sequencer } = require('@jest/test-sequencer');

/**
 * The longest test files, longest first. Started last, one of them would keep a single worker busy after the others are
 * done.
 */
const LONGEST = [
  'e2e/doctor-findings',
  'deep/simulation',
  'e2e/package',
  'e2e/doctor-engine',
  'prove/proofs-of-root',
  'e2e/brake',
  'deep/model',
  'e2e/rules-check',
  'e2e/instances',
  'e2e/crash-engine',
  'deep/splitter/no-allocation',
  'e2e/keepalived',
  'e2e/rules-traps',
  'e2e/rules-install',
  'e2e/commands-in-print',
  'deep/splitter/hostile-bytes',
  'e2e/faults-processes',
  'e2e/rules-direct',
  'e2e/operations',
  'e2e/history',
  'e2e/requests-sessions',
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

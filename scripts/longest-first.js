'use strict';
const { default: Sequencer } = require('@jest/test-sequencer');

/**
 * The longest test files, longest first. Started last, one of them would keep a single worker busy after the others are
 * done.
 */
const LONGEST = [
  'e2e/doctor-findings',
  'e2e/rules-check',
  'e2e/package',
  'e2e/brake',
  'e2e/doctor-engine',
  'prove/proofs-of-root',
  'e2e/instances',
  'e2e/crash-engine',
  'e2e/rules-install',
  'deep/simulation',
  'e2e/commands-in-print',
  'e2e/rules-traps',
  'e2e/keepalived',
  'e2e/faults-processes',
  'deep/model',
  'deep/splitter/no-allocation',
  'e2e/requests-sessions',
  'e2e/story-lab',
  'e2e/systemd',
  'e2e/operations',
  'e2e/doctor-ipv6',
  'e2e/fast-path-host',
  'e2e/routers',
  'e2e/state-damage',
  'e2e/rules-shapes',
  'e2e/other-queues',
  'e2e/history',
  'e2e/servers',
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

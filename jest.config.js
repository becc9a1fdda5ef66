'use strict';
const common = {
  testEnvironment: 'node',
  transform: { '^.+\\.ts$': '<rootDir>/scripts/jest-transform.js' },
};

/** Tests that name hosts by IPv4 addresses, which test/support/family.ts takes for IPv6 ones in a project of its own. */
const OF_BOTH_FAMILIES = [
  'model/agreement',
  'property/checksum',
  'scenarios/stor*',
  'unit/splitter/*',
  'unit/tables/{activated-cpes,connection-*,pin-cache}',
].map((path) => `<rootDir>/test/${path}.test.ts`);

/** Those that every run repeats over IPv6; with ACSPLIT_FAMILY=6 in the environment all others do as well. */
const END_TO_END_OVER_BOTH = [
  'story-auto',
  'story-fin',
  'story-collectors',
  'requests-race',
  'tcp-ends',
  'tcp-collisions',
  'errors-hosts',
  'errors-path-mtu',
  'fragments',
  'untouched',
  'engine-down',
].map((name) => `<rootDir>/test/e2e/${name}.test.ts`);

/**
 * `pure` needs no kernel and no addon; `pure, IPv6` is those of its tests that run over both families, over the other
 * one; `e2e` runs on real NFQUEUE in network namespaces, `e2e, IPv6` a part of it over IPv6.
 */
module.exports = {
  reporters: ['default', '<rootDir>/scripts/summary-line.js'],
  // Bounds a hang; no test is judged by its time.
  testTimeout: 60_000,
  projects: [
    {
      ...common,
      displayName: 'pure',
      testMatch: ['<rootDir>/test/{unit,scenarios,property,model,sim,fuzz}/**/*.test.ts'],
    },
    { ...common, displayName: 'pure, IPv6', testMatch: OF_BOTH_FAMILIES, globals: { ACSPLIT_FAMILY: 'ipv6' } },
    { ...common, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.test.ts'] },
    { ...common, displayName: 'e2e, IPv6', testMatch: END_TO_END_OVER_BOTH, globals: { ACSPLIT_FAMILY: 'ipv6' } },
  ],
};

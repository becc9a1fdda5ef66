'use strict';

// A bash whose stdin is a socket, as Node's pipes are, takes itself for one that sshd has started, and reads ~/.bashrc
// unless SHLVL says that there is a shell around it: bash(1), "invoked by remote shell daemon". That may take seconds.
process.env.SHLVL = String(Math.max(1, Number(process.env.SHLVL) || 0));

const common = {
  testEnvironment: 'node',
  modulePathIgnorePatterns: ['<rootDir>/build/deb/'],
  transform: { '^.+\\.ts$': '<rootDir>/scripts/typescript.js' },
};

const inTest = (...paths) => paths.map((path) => `<rootDir>/test/${path}.test.ts`);

/** Tests that name hosts by IPv4 addresses, which test/support/family.ts takes for IPv6 ones in a project of its own. */
const OF_BOTH_FAMILIES = inTest(
  'scenarios/stor*',
  'unit/splitter/*',
  'unit/cluster/{two-routers,overtaking}',
  'unit/tables/{activated-cpes,connection-*}',
);
const DEEP_OF_BOTH_FAMILIES = inTest(
  'deep/model',
  'deep/flow-port',
  'deep/packet/checksum',
  'deep/splitter/*',
  'deep/tables/*',
);

/** Those that every run repeats over IPv6; with ACSPLIT_FAMILY=6 in the environment all others do as well. */
const END_TO_END_OVER_BOTH = inTest(
  'e2e/story-auto',
  'e2e/story-fin',
  'e2e/story-collectors',
  'e2e/requests-race',
  'e2e/requests-ports',
  'e2e/tcp-ends',
  'e2e/tcp-collisions',
  'e2e/errors-hosts',
  'e2e/errors-path-mtu',
  'e2e/fragments',
  'e2e/untouched',
  'e2e/engine-down',
  'e2e/fast-path',
);

/** A project, and one that repeats a part of it over IPv6. */
const project = (displayName, testMatch) => ({ ...common, displayName, testMatch });
const overIpv6 = (displayName, testMatch) => ({
  ...project(displayName, testMatch),
  globals: { ACSPLIT_FAMILY: 'ipv6' },
});

/** So that a test that needs the addon fails here as well, and not only where nobody has built it. */
const WITHOUT_ADDON = { moduleNameMapper: { '/acsplit\\.node$': '<rootDir>/test/support/no-addon.ts' } };

/**
 * - `pure` needs Node and the packages of npm, and nothing else; each of its files takes two seconds at most.
 * - `deep` is as pure, but takes longer.
 * - `host` needs the addon, the compiled program, or programs of other packages (scripts/setup.sh installs them).
 * - `e2e` runs on real NFQUEUE in network namespaces.
 */
module.exports = {
  reporters: ['default', '<rootDir>/scripts/summary-line.js'],
  testSequencer: '<rootDir>/scripts/longest-first.js',
  // Bounds a hang; no test is judged by its time.
  testTimeout: 60_000,
  projects: [
    { ...project('pure', inTest('!(deep|host|e2e|prove)/**/*')), ...WITHOUT_ADDON },
    { ...overIpv6('pure, IPv6', OF_BOTH_FAMILIES), ...WITHOUT_ADDON },
    project('deep', inTest('deep/**/*')),
    overIpv6('deep, IPv6', DEEP_OF_BOTH_FAMILIES),
    project('host', inTest('host/**/*', 'prove/proofs')),
    project('e2e', inTest('e2e/**/*', 'prove/proofs-of-root')),
    overIpv6('e2e, IPv6', END_TO_END_OVER_BOTH),
  ],
};

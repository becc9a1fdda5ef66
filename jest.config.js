'use strict';
const common = {
  testEnvironment: 'node',
  transform: {
    '^.+\\.ts$': [
      'ts-jest',
      {
        tsconfig: {
          target: 'ES2022',
          module: 'CommonJS',
          moduleResolution: 'Node10',
          isolatedModules: true,
          esModuleInterop: true,
        },
      },
    ],
  },
};

/** Tests that name hosts by IPv4 addresses, which test/support/family.ts takes for IPv6 ones in a project of its own. */
const OF_BOTH_FAMILIES = [
  'model/agreement',
  'property/checksum',
  'scenarios/stor*',
  'unit/splitter/*',
  'unit/tables/{activated-cpes,connection-*,pin-cache}',
].map((path) => `<rootDir>/test/${path}.test.ts`);

/**
 * `pure` needs no kernel and no addon; `pure, IPv6` is those of its tests that run over both families, over the other
 * one; `e2e` runs on real NFQUEUE in network namespaces.
 */
module.exports = {
  reporters: ['default', '<rootDir>/scripts/summary-line.js'],
  projects: [
    { ...common, displayName: 'pure', testMatch: ['<rootDir>/test/{unit,scenarios,property,model}/**/*.test.ts'] },
    { ...common, displayName: 'pure, IPv6', testMatch: OF_BOTH_FAMILIES, globals: { ACSPLIT_FAMILY: 'ipv6' } },
    { ...common, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.test.ts'] },
  ],
};

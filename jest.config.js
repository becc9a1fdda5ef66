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

/** Two projects: `pure` needs no kernel and no addon; `e2e` runs on real NFQUEUE in network namespaces. */
module.exports = {
  reporters: ['default', '<rootDir>/scripts/summary-line.js'],
  projects: [
    { ...common, displayName: 'pure', testMatch: ['<rootDir>/test/{unit,scenarios,property,model}/**/*.test.ts'] },
    { ...common, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.test.ts'] },
  ],
};

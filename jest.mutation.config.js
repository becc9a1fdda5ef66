'use strict';
// For `npm run mutation` (docs/testing.md).
const { projects } = require('./jest.config.js');

module.exports = { ...projects[0], testMatch: ['<rootDir>/test/mutation/core.test.ts'] };

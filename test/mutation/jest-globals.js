'use strict';
// The tests are jest's, and Stryker runs them under mocha, which starts no module registry for each mutant: what they use
// of jest's globals, in terms of mocha's.
const { expect } = require('expect');
const { bind } = require('jest-each');
const fc = require('fast-check');

const { it, describe, before, after } = globalThis;
const test = Object.assign((title, run) => it(title, run), { each: bind(it) });
Object.assign(globalThis, {
  expect,
  test,
  it: test,
  describe: Object.assign((title, run) => describe(title, run), { each: bind(describe) }),
  beforeAll: before,
  afterAll: after,
});
// A mutant lives or dies by what is tested, not by chance.
fc.configureGlobal({ seed: 1 });

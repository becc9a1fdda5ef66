/** Where the next session of a CPE goes and why: what the page says is what a SYN then meets. */
import { nextSession, type NextParts, rulesOf } from '../../../../src/engine/page/cpe';
import { parseAddress } from '../../../../src/packet/address';
import { activationEntries, type ActivationEntry } from '../../../../src/splitter/entries';
import { Splitter } from '../../../../src/splitter/splitter';
import { TOPOLOGY } from '../../../support/rig';
import { statusOf } from '../../../support/page-stand';
import { serverStatus } from '../../../support/server-status';

const armed: ActivationEntry = { cpe: '10.1.0.5', collector: 'c1', phase: 'armed', idleMs: 0, remainingMs: 60_000 };
const parts = (more: Partial<NextParts> = {}): NextParts => ({
  ...{ status: statusOf(), onCollectorDown: 'itms', isConfigured: () => true, mayServe: () => true, silentMs: -1 },
  ...more,
});
const woken = { collector: 'c1', remainingMs: 60_000 };
const down = { itms: serverStatus(), c1: serverStatus({ state: 'down' }) };

test.each<[string, ActivationEntry | null, Partial<NextParts>, object]>([
  ['nobody has woken it', null, {}, { to: 'itms', why: 'not-woken' }],
  ['it is being asked', { ...armed, phase: 'asked', collector: '' }, {}, { to: 'itms', why: 'asked' }],
  ['armed', armed, {}, { to: 'c1', why: 'armed', ...woken }],
  ['in grace', { ...armed, phase: 'grace' }, {}, { to: 'c1', why: 'grace', ...woken }],
  ['its session runs', { ...armed, phase: 'consumed' }, {}, { to: 'itms', why: 'running', collector: 'c1' }],
  ['paused', armed, { status: statusOf({ paused: true }) }, { to: 'itms', why: 'paused', ...woken }],
  [
    'paused, in grace: a pause breaks no session',
    { ...armed, phase: 'grace' },
    { status: statusOf({ paused: true }) },
    { to: 'c1', why: 'grace', ...woken },
  ],
  ['activation off', armed, { status: statusOf({ activation: 'off' }) }, { to: 'itms', why: 'off', ...woken }],
  ['outside the canary', armed, { mayServe: () => false }, { to: 'itms', why: 'outside-canary', ...woken }],
  ['its collector is gone', armed, { isConfigured: () => false }, { to: 'itms', why: 'owner-gone', ...woken }],
  [
    'its collector is down',
    armed,
    { status: statusOf({ servers: down }) },
    { to: 'itms', why: 'collector-down', ...woken },
  ],
  [
    'its collector is down, and onCollectorDown is divert',
    armed,
    { status: statusOf({ servers: down }), onCollectorDown: 'divert' },
    { to: 'c1', why: 'armed', ...woken },
  ],
  ['its collector is silent', armed, { silentMs: 3000 }, { to: 'itms', why: 'collector-silent', ...woken }],
  ['no verdicts', armed, { status: statusOf({ ready: false }) }, { to: 'itms', why: 'not-ready' }],
])('%s', (_case, activation, more, expected) => {
  expect(nextSession(activation, parts(more))).toEqual(expected);
});

test('a collector that a reload has removed, and one whose networks leave the CPE out, are read from the memory', () => {
  const [c1, c2] = TOPOLOGY.collectors;
  const topology = { ...TOPOLOGY, collectors: [{ ...c1!, networks: ['10.1.4.0/24'] }, c2!] };
  const splitter = new Splitter({ topology, activation: 'auto', capacityEntries: 64, seed: 1 });
  const cpe = parseAddress('10.1.0.5')!;
  splitter.activate(cpe, 'c1', 0);
  expect(activationEntries(splitter.state, { limit: 9 }).entries[0]).toMatchObject({ phase: 'armed', collector: 'c1' });
  const { isConfigured, mayServe } = rulesOf(splitter, cpe);
  expect([isConfigured('c1'), mayServe('c1'), mayServe('c2')]).toEqual([true, false, true]);
  expect(rulesOf(splitter, parseAddress('10.1.4.5')!).mayServe('c1')).toBe(true);
  expect(isConfigured('gone')).toBe(false);
});

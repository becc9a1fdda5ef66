/** What happens to a running engine on a bad day. */
import type { Proof } from './proof';
import { script, tests } from './programs';

const KILLS_TEST = 'test/e2e/crash-worker.test.ts';
const FLOOD_TEST = 'test/e2e/scale-flood.test.ts';
const SYSTEMD_TEST = 'test/e2e/systemd.test.ts';
const FIREWALLS_TEST = 'test/e2e/firewalls.test.ts';
const FAULTS_TESTS = [
  'test/e2e/faults-network.test.ts',
  'test/e2e/faults-overload.test.ts',
  'test/e2e/faults-processes.test.ts',
  'test/e2e/state-damage.test.ts',
];

export const kills: Proof = {
  name: 'kills',
  shows: 'the worker is killed 1000 times under load, and no connection is lost or changes its server',
  takes: '10 minutes, root',
  needsRoot: true,
  smallest: { tests: [KILLS_TEST] },
  full: tests([KILLS_TEST], { ACSPLIT_KILLS: '1000' }),
};

export const faults: Proof = {
  name: 'faults',
  shows: 'every fault of docs/reliability.md under load, more often than npm test; rewrites its rows',
  takes: '20 minutes, root',
  needsRoot: true,
  smallest: { tests: FAULTS_TESTS },
  full: tests([...FAULTS_TESTS, KILLS_TEST], {
    ACSPLIT_FAULTS: '2',
    ACSPLIT_KILLS: '100',
    ACSPLIT_WRITE_FAULTS: '1',
  }),
};

export const flood: Proof = {
  name: 'flood',
  shows: 'real sessions complete beside a million SYNs',
  takes: '2 minutes, root',
  needsRoot: true,
  smallest: { tests: [FLOOD_TEST] },
  full: tests([FLOOD_TEST], { ACSPLIT_FLOOD: '1000000' }),
};

const RACES_TEST = 'test/e2e/rules-races.test.ts';

export const races: Proof = {
  name: 'races',
  shows: 'install, remove, check and the timer at once, 200 times: the rules stand whole or not at all',
  takes: '20 minutes, root',
  needsRoot: true,
  smallest: { tests: [RACES_TEST] },
  full: tests([RACES_TEST], { ACSPLIT_RACES: '200' }),
};

export const soak: Proof = {
  name: 'soak',
  shows: 'memory and descriptors stay flat, no session is lost, and the tables empty after the load',
  takes: '32 minutes, root',
  needsRoot: true,
  smallest: script('test/soak/main.ts', '--minutes', '0.2'),
  full: script('test/soak/main.ts', '--minutes', '30'),
};

export const systemd: Proof = {
  name: 'systemd',
  shows:
    'the units of two instances under a systemd of their own: enabled, reloaded, killed, stopped dead, rules flushed',
  takes: '6 minutes, root, debootstrap and systemd-container',
  needsRoot: true,
  smallest: { tests: [SYSTEMD_TEST] },
  full: tests([SYSTEMD_TEST], { ACSPLIT_SYSTEMD: 'real' }),
};

export const firewalls: Proof = {
  name: 'firewalls',
  shows: 'our rules beside ufw, Docker and firewalld, the programs themselves',
  takes: '3 minutes, root, ufw, firewalld, dbus and docker.io',
  needsRoot: true,
  smallest: { tests: [FIREWALLS_TEST] },
  full: tests([FIREWALLS_TEST], { ACSPLIT_FIREWALLS: 'real' }),
};

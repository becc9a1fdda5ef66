/** Why a queue cannot be bound, explained from a simulated /proc. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import {
  explainOpenError,
  type QueueFailure,
  findQueueHolder,
  findQueuePort,
} from '../../../../src/engine/shared/queue-owner';

const ROOT = 'CapEff:\t000001ffffffffff\n';
const NOBODY = 'CapEff:\t0000000000000000\n';
/** Everything but CAP_NET_ADMIN, bit 12. */
const ALL_BUT_ONE = 'CapEff:\t000001ffffffefff\n';
const NO_QUEUES = '';
/** number, port id, waiting, copy mode, copy range, dropped, user dropped, last id, 1 */
const QUEUES =
  '    0   4711     0 2 65531     0     0        3  1\n    7  99999     0 2 65531     0     0        0  1\n';
/** sk, protocol, port id, groups, …, inode; the first is of another protocol. */
const NETLINK = [
  'sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode',
  '000000003e008bd7 0   4711       00000000 0        0        0     2        0        111',
  '00000000d75351c7 12  4711       00000000 0        0        0     2        0        222',
].join('\n');

let proc: string;
beforeEach(() => {
  proc = fs.mkdtempSync(path.join(os.tmpdir(), 'acsplit-proc-'));
});
afterEach(() => fs.rmSync(proc, { recursive: true }));

function write(file: string, text: string): void {
  fs.mkdirSync(path.dirname(path.join(proc, file)), { recursive: true });
  fs.writeFileSync(path.join(proc, file), text);
}

/** A process with sockets among its descriptors. */
function addProcess(pid: number, name: string, ...inodes: number[]): void {
  write(`${pid}/comm`, `${name}\n`);
  fs.mkdirSync(path.join(proc, `${pid}/fd`));
  inodes.forEach((inode, fd) => fs.symlinkSync(`socket:[${inode}]`, path.join(proc, `${pid}/fd/${fd}`)));
}

/** `net/netfilter/nfnetlink_queue` is absent where the kernel lacks the feature. */
function build(status: string, queues: string | undefined): void {
  fs.mkdirSync(path.join(proc, '1000'));
  write('1000/status', status);
  fs.symlinkSync('1000', path.join(proc, 'self'));
  write('net/netlink', NETLINK);
  if (queues !== undefined) write('net/netfilter/nfnetlink_queue', queues);
}

const REFUSED: QueueFailure = { code: 'EPERM', queue: 0, message: 'bind EPERM: operation not permitted' };

function explain(failure: QueueFailure, gso = true): string {
  return explainOpenError(failure, { gso }, proc);
}

test.each([NOBODY, ALL_BUT_ONE])('a missing capability is named as the cause, whoever owns the queue, %j', (status) => {
  build(status, QUEUES);
  expect(explain(REFUSED)).toBe(
    'cannot bind queue 0: CAP_NET_ADMIN is missing; run as root or grant the capability (EPERM)',
  );
});

test('with the capability, the process that holds the socket of the queue is named', () => {
  build(ROOT, QUEUES);
  addProcess(31, 'bash', 111);
  addProcess(32, 'suricata', 5, 222);
  expect(explain(REFUSED)).toBe(
    'cannot bind queue 0: process 32 (suricata) has it; stop that process or choose other numbers (EPERM)',
  );
});

test('an owner whose processes we cannot see is named by its port', () => {
  build(ROOT, QUEUES);
  const words = 'has it; stop that process or choose other numbers';
  expect(explain(REFUSED)).toBe(`cannot bind queue 0: another process (netlink port 4711) ${words} (EPERM)`);
  const seventh = { ...REFUSED, queue: 7 };
  expect(explain(seventh)).toBe(`cannot bind queue 7: another process (netlink port 99999) ${words} (EPERM)`);
});

test('a queue that this process has bound already is said to be its own', () => {
  build(ROOT, QUEUES);
  write('1000/comm', 'node\n');
  fs.mkdirSync(path.join(proc, '1000/fd'));
  fs.symlinkSync('socket:[222]', path.join(proc, '1000/fd/20'));
  expect(explain(REFUSED)).toBe(
    'cannot bind queue 0: this process (1000) already has it; stop that process or choose other numbers (EPERM)',
  );
});

test('a newer Node, whose first thread has a name of its own, goes by its program', () => {
  build(ROOT, QUEUES);
  write('1000/comm', 'MainThread\n');
  write('1000/cmdline', '/usr/local/bin/node\0main.js\0');
  fs.mkdirSync(path.join(proc, '1000/fd'));
  fs.symlinkSync('socket:[222]', path.join(proc, '1000/fd/20'));
  expect(findQueueHolder(findQueuePort(0, proc)!, proc)).toEqual({ pid: 1000, name: 'node' });
});

test('refused with the capability and a free queue: the capability is of another namespace', () => {
  build(ROOT, NO_QUEUES);
  expect(explain(REFUSED)).toBe(
    'cannot bind queue 0: refused although the process has CAP_NET_ADMIN; ' +
      'it may not hold over this network namespace (EPERM)',
  );
});

test.each<[string, QueueFailure]>([
  ['no queue subsystem', { code: 'EINVAL', queue: 0, message: 'bind EINVAL: invalid argument' }],
  ['no netfilter netlink', { code: 'EPROTONOSUPPORT', message: 'socket EPROTONOSUPPORT: protocol not supported' }],
])('a kernel without the feature is known by /proc: %s', (_what, failure) => {
  build(ROOT, undefined);
  expect(explain(failure)).toContain('this kernel has no nfnetlink_queue; load it with modprobe nfnetlink_queue');
});

test('a kernel that knows no super-packets is told from other refusals', () => {
  build(ROOT, NO_QUEUES);
  const failure = { code: 'EOPNOTSUPP', queue: 3, message: 'bind EOPNOTSUPP: operation not supported on socket' };
  expect(explain(failure)).toBe(
    'cannot bind queue 3: this kernel knows no super-packets; set queue.gso to false (EOPNOTSUPP)',
  );
  expect(explain(failure, false)).toContain('operation not supported');
});

test('anything else keeps its own words', () => {
  build(ROOT, NO_QUEUES);
  const failure = { code: 'EMFILE', message: 'socket EMFILE: too many open files' };
  expect(explain(failure)).toBe('cannot open a queue socket: socket EMFILE: too many open files (EMFILE)');
});

/** A host made of plain facts for doctor's checks: healthy, except for the faults that a test plants. */

import { parseConfiguration, steeringOf } from '../../../src/configuration/configuration';
import { type EngineAnswer, type Entry, type Hidden, type Host } from '../../../src/doctor/host';
import { type Outcome } from '../../../src/steering/iptables';
import { FakeIpset } from '../steering/iptables/fake-ipset';

export const CONFIGURATION = parseConfiguration(
  [
    'cpe: { interface: eth0, address: 10.1.0.1, networks: [10.1.0.0/16] }',
    'itms: { interface: eth1, address: 10.2.0.2 }',
    'collectors: [{ name: c1, interface: eth2, address: 10.3.0.2 }]',
    'reportPorts: [7547]',
  ].join('\n'),
  '/etc/acsplit/acsplit.yaml',
);

export const done = (stdout = ''): Outcome => ({ status: 0, stdout, stderr: '' });
export const refused = (stderr: string, status = 2): Outcome => ({ status, stdout: '', stderr });

/** As ipset 7.17 prints it. */
export function aliveSet(entries: number, type = 'hash:net', family = 'inet'): Outcome {
  const header = `family ${family} hashsize 64 maxelem 16 timeout 3 bucketsize 12 initval 0x1b4a1da5`;
  const lines = ['Name: ACSPLIT-ALIVE4', `Type: ${type}`, 'Revision: 7', `Header: ${header}`];
  return done([...lines, 'Size in memory: 584', 'References: 1', `Number of entries: ${entries}`, ''].join('\n'));
}

export interface Plants {
  files?: Record<string, string>;
  entries?: Record<string, Entry>;
  /** By the beginning of the command line; the longest that fits answers. */
  programs?: Record<string, Outcome>;
  holders?: Record<number, { pid: number; name: string } | { isHidden: true }>;
  engine?: EngineAnswer;
  freeBytes?: number;
  addonComplaint?: string;
  /** Of the queues. */
  trial?: { receiveBufferBytes: number } | { code: string; message: string };
}

export function plantedHost(plants: Plants = {}): Host {
  const { topology } = CONFIGURATION;
  const ipset = new FakeIpset().having(topology, steeringOf(CONFIGURATION));
  const runWith =
    (sets: FakeIpset) =>
    (program: string, words: readonly string[], input?: string): Outcome => {
      // What a shell runs after it has created the sets.
      const line = (program === 'sh' ? words.slice(3) : [program, ...words]).join(' ');
      const programs = plants.programs ?? {};
      const fitting = Object.keys(programs).filter((beginning) => line.startsWith(beginning));
      const longest = fitting.sort((a, b) => b.length - a.length)[0];
      if (longest === undefined && program === 'ipset') return sets.run(words, input);
      return longest === undefined ? refused(`${line}: not planted`) : programs[longest];
    };
  return {
    read: (file) => plants.files?.[file],
    entry: (path) => plantedEntry(plants.entries ?? {}, path),
    room: () => ({ totalBytes: 2 ** 40, freeBytes: plants.freeBytes ?? 2 ** 40 }),
    run: runWith(ipset),
    runInScratch: (...words) => runWith(new FakeIpset())(...words),
    lockRules: () => () => {},
    queueHolder: (queue) => plants.holders?.[queue],
    socketHolder: (inode) => plants.holders?.[Number(inode)] as { pid: number; name: string } | undefined,
    askEngine: () => Promise.resolve(plants.engine ?? { isAbsent: true }),
    tryQueues: () => {
      const trial = plants.trial ?? { receiveBufferBytes: 2 ** 31 };
      if ('receiveBufferBytes' in trial) return trial;
      throw Object.assign(new Error(trial.message), { code: trial.code });
    },
    connect: () => Promise.resolve({ outcome: 'connected', connectMs: 1, answerMs: 10 }),
    askMacs: (questions) => questions.map(() => []),
    echo: (questions) => questions.map(() => ({ isAnswered: true, mtu: 0 })),
    addonComplaint: () => plants.addonComplaint,
  };
}

/**
 * As in path_resolution(7): a path below a file does not exist, and below an inaccessible directory nothing is visible.
 */
function plantedEntry(entries: Record<string, Entry>, path: string): Entry | Hidden | undefined {
  const above = Object.keys(entries).filter((other) => path.startsWith(`${other}/`));
  const fromTheRoot = above.sort((a, b) => a.length - b.length).map((other) => entries[other]);
  const barrier = fromTheRoot.find(({ isDirectory, mode }) => !isDirectory || (mode & 0o111) === 0);
  if (barrier === undefined) return entries[path];
  return barrier.isDirectory ? { isHidden: true } : undefined;
}

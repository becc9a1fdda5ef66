/** Rights and kernel features: tried in a scratch network namespace, never guessed from a version. */

import { join } from 'node:path';
import { SIDES } from '../packet/batch';
import { type QueueError, wantedReceiveBufferBytes } from '../engine';
import { type Family } from '../packet/address';
import { quoted, type Runner, tryBundle } from '../steering/iptables';
import { type Configuration, steeringOf } from '../configuration/configuration';
import { type Check, type Fault } from './check';
import { acsplit, edit, sysctl } from './command-line';
import { type Host } from './host';
import { placesOf } from './places';

/** Bit of CapEff in /proc/self/status; linux/capability.h. */
const CAP_NET_ADMIN = 12n;

export const rights: Check<bigint> = {
  name: 'rights',
  look: (host) => BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(host.read('/proc/self/status') ?? '')?.[1] ?? '0'}`),
  judge: (effective, wanted) => {
    if (((effective >> CAP_NET_ADMIN) & 1n) === 1n) return [];
    const says = 'CAP_NET_ADMIN is missing: cannot install or inspect rules and queues';
    return [{ level: 'failure', says, mend: `sudo ${acsplit('doctor', wanted)}` }];
  },
  fine: () => 'CAP_NET_ADMIN is available',
};

const DEBIAN_ROOT = '/usr/lib/acsplit';

/** The Debian package comes without npm, and whence it was installed only its operator knows. */
export function remedyOfAddon(root = join(__dirname, '..', '..')): Pick<Fault, 'mend' | 'see'> {
  if (root === DEBIAN_ROOT) return { mend: null, see: 'dpkg --verify acsplit' };
  return { mend: `npm --prefix ${quoted(root)} run install` };
}

export const addon: Check<string | undefined> = {
  name: 'addon',
  look: (host) => host.addonComplaint(),
  judge: (complaint) => {
    if (complaint === undefined) return [];
    return [{ level: 'failure', says: complaint, ...remedyOfAddon() }];
  },
  fine: () => 'the native addon loads',
};

/** Whether one iptables accepted all our rules. */
export interface BundleTrial {
  family: Family;
  /** `iptables`, or one of its back ends by name. */
  program: string;
  complaint: string | undefined;
  module: string | undefined;
}

/** Restores the rules with the programs of one back end, each table in its own network namespace. */
function tryUnder(host: Host, wanted: Configuration, family: Family, program: string): BundleTrial {
  const named = (word: string) => word.replace(/^ip6?tables(?=-restore$)/, program);
  const run: Runner = (name, words, input) => host.runInScratch(named(name), words.map(named), input);
  const refusal = tryBundle(wanted.topology, steeringOf(wanted), family, run);
  return { family, program, complaint: refusal?.message, module: refusal?.module };
}

/** Tries the default programs of each family; if they refuse, also the two back ends by name. */
function lookAtBundle(host: Host, wanted: Configuration): BundleTrial[] {
  return placesOf(wanted.topology).flatMap(({ family }) => {
    const program = family === 'ipv4' ? 'iptables' : 'ip6tables';
    const byDefault = tryUnder(host, wanted, family, program);
    if (byDefault.complaint === undefined) return [byDefault];
    return [byDefault, ...['nft', 'legacy'].map((name) => tryUnder(host, wanted, family, `${program}-${name}`))];
  });
}

export const bundle: Check<BundleTrial[]> = {
  name: 'kernel-rules',
  needs: ['rights'],
  look: lookAtBundle,
  judge: (trials) =>
    trials
      .filter(({ program, complaint }) => !program.includes('-') && complaint !== undefined)
      .map(({ family, program, complaint, module }): Fault => {
        const says = `${program} does not accept our rules: ${complaint}`;
        const other = trials.find((trial) => trial.family === family && trial.complaint === undefined);
        if (other) {
          const mend = `update-alternatives --set ${program} /usr/sbin/${other.program}`;
          return { level: 'failure', says: `${says}; ${other.program} does`, mend };
        }
        const name = complaint?.startsWith('ipset is not installed') ? 'ipset' : '--reinstall iptables';
        const mend = module === undefined ? `apt-get install ${name}` : `modprobe ${module}`;
        return { level: 'failure', says, mend };
      }),
  fine: (trials) =>
    `${trials.map(({ program }) => program).join(' and ')} accepted all our rules in a scratch namespace`,
};

/** What the kernel granted, or why it refused. */
type QueueTrial = { receiveBufferBytes: number } | { code: string; message: string };

function lookAtQueues(host: Host, { queue }: Configuration): QueueTrial {
  try {
    return host.tryQueues({ ...queue, count: SIDES.length, receiveBufferBytes: wantedReceiveBufferBytes(queue) });
  } catch (error) {
    const { code = '', message } = error as QueueError;
    return { code, message };
  }
}

export const queues: Check<QueueTrial> = {
  name: 'kernel-queues',
  needs: ['rights', 'addon'],
  look: lookAtQueues,
  judge: (trial, wanted) => {
    if ('message' in trial) {
      const isGso = trial.code === 'EOPNOTSUPP' && wanted.queue.gso;
      const mend = isGso ? edit(wanted) : 'modprobe nfnetlink_queue';
      return [{ level: 'failure', says: `in a scratch namespace, ${trial.message}`, mend }];
    }
    // The kernel doubles what it is asked for. socket(7)
    const bytes = wantedReceiveBufferBytes(wanted.queue);
    if (trial.receiveBufferBytes >= bytes) return [];
    const says = `the queue socket gets a buffer of ${inMebibytes(trial.receiveBufferBytes)} instead of ${inMebibytes(bytes)}: bursts may be lost`;
    return [{ level: 'warning', says, mend: sysctl('net.core.rmem_max', Math.ceil(bytes / 2)) }];
  },
  fine: (trial, { queue }) => {
    const size = 'message' in trial ? '' : inMebibytes(trial.receiveBufferBytes);
    return `bound${queue.gso ? ', with GSO super-packets' : ''}, receive buffer ${size}`;
  },
};

function inMebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

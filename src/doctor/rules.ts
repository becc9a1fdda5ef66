/** The live iptables rules: ours complete, and no other rule interfering. src/steering/iptables finds the differences. */

import { checkRules, type Difference, isOfAnyInstance, RulesError, unquoted } from '../steering/iptables';
import { type Configuration, steeringOf } from '../configuration/configuration';
import { type Check, type Fault, type Level } from './check';
import { withFile } from './command-line';
import { type Host } from './host';
import { interfacesOf } from './places';

/** Where netfilter-persistent keeps what it restores at boot. */
const SAVED_FILES = ['/etc/iptables/rules.v4', '/etc/iptables/rules.v6'];

interface Found {
  /** Files that hold rules of ours. */
  saved: string[];
  ours: Difference[];
  foreign: Difference[];
  policies: Difference[];
}

/** Our own rules are in our chains or jump there; every other rule is foreign. */
function isOurs({ chain, kind, rule }: Difference): boolean {
  if (chain === '' || isOfAnyInstance(chain) || /ACSPLIT[-@]/.test(unquoted(rule))) return true;
  return kind === 'missing' || kind === 'reordered';
}

function isPolicy({ rule }: Difference): boolean {
  return rule.startsWith('policy ');
}

function lookAtRules(host: Host, wanted: Configuration): Found | RulesError {
  try {
    const all = checkRules(wanted.topology, steeringOf(wanted), {
      run: (...words) => host.run(...words),
      // The check `interfaces` has looked at them.
      interfaces: () => interfacesOf(wanted.topology),
      lock: () => host.lockRules(),
      hasIpv6: () => host.read('/proc/net/if_inet6') !== undefined,
    });
    const others = all.filter((difference) => !isOurs(difference));
    return {
      saved: SAVED_FILES.filter((file) => /ACSPLIT[-@]/.test(host.read(file) ?? '')),
      ours: all.filter(isOurs),
      foreign: others.filter((difference) => !isPolicy(difference)),
      policies: others.filter(isPolicy),
    };
  } catch (error) {
    if (error instanceof RulesError) return error;
    throw error;
  }
}

/** Splits a message of `rules check` into the finding and the command that fixes it. */
function split({ message, remedy }: Difference): { says: string; mend: string | null } {
  if (remedy !== undefined) {
    const says = message.slice(0, -remedy.length).replace(/; delete (?:or narrow )?it: $/, '');
    return { says, mend: remedy };
  }
  const found = /^(.*); (?:to put ours last, )?(?:run|change it|delete it|delete them there): (.*)$/s.exec(message);
  return found ? { says: found[1], mend: found[2] } : { says: message, mend: null };
}

function asFault(level: Exclude<Level, 'ok'>, difference: Difference, wanted: Configuration): Fault {
  const { says, mend } = split(difference);
  return { level, says, mend: mend === null ? null : withFile(mend, wanted) };
}

/** A rule that names a set that does not exist makes iptables-restore refuse its table. */
function inFile(file: string): Fault {
  const says = `${file} holds rules of ours: at boot their sets do not exist yet, so iptables-restore refuses the file, the host's own rules included`;
  return { level: 'warning', says, mend: `sed -i '/ACSPLIT[-@]/d' ${file}` };
}

export const ownRules: Check<Found | RulesError> = {
  name: 'rules',
  needs: ['rights', 'interfaces'],
  look: lookAtRules,
  judge: (found, wanted) => {
    if (found instanceof RulesError) return [{ level: 'failure', says: withFile(found.message, wanted), mend: null }];
    const faults = found.ours.map((difference) => asFault('failure', difference, wanted));
    const distinct = faults.filter(({ mend }, i) => faults.findIndex((other) => other.mend === mend) === i);
    const told = distinct.map((fault) => {
      const others = faults.filter(({ mend }) => mend === fault.mend).length - 1;
      return others === 0 ? fault : { ...fault, says: `${fault.says} (and ${others} more)` };
    });
    return [...told, ...found.saved.map(inFile)];
  },
  fine: () => 'all our rules are installed, in the right order',
};

export const foreignRules: Check<Found | RulesError> = {
  name: 'foreign-rules',
  needs: ['rights', 'rules'],
  look: lookAtRules,
  judge: (found, wanted) =>
    found instanceof RulesError
      ? []
      : found.foreign.map((difference) => {
          const level = ['skipped', 'mayDrop'].includes(difference.kind) ? 'warning' : 'failure';
          return asFault(level, difference, wanted);
        }),
  fine: () => "none of the host's other iptables rules (Docker, ufw, …) interferes",
};

export const policies: Check<Found | RulesError> = {
  name: 'forward-policy',
  needs: ['rights', 'rules'],
  look: lookAtRules,
  judge: (found, wanted) =>
    found instanceof RulesError ? [] : found.policies.map((difference) => asFault('failure', difference, wanted)),
  fine: () => 'no policy drops our traffic: if FORWARD drops, our accept rules come first',
};

/** Everything that must be true on this host, in the order in which it is looked at. docs/doctor.md explains each. */

import { type Configuration } from '../configuration/configuration';
import { Failure } from '../configuration/errors';
import { type Finding, type Row, row } from './check';
import { acsplit } from './command-line';
import { conntrack, engine, stateDirectory } from './engine';
import { fallback } from './fallback';
import { firewalls } from './firewalls';
import { type Host } from './host';
import { addon, bundle, queues, rights } from './kernel';
import { acsAddress, bigTcp, interfaces, mtu } from './links';
import { forwarding, routes } from './routing';
import { foreignRules, ownRules, policies } from './rules';
import { listeners, queueOwner } from './sockets';

export const CHECKS: readonly Row[] = [
  // What there is to work with.
  row(rights), //           CAP_NET_ADMIN
  row(addon), //            built and loadable
  row(bundle), //           NFQUEUE, CT, socket, sets, …: the whole bundle, tried
  row(queues), //           NFQUEUE sockets with super-packets, and their buffer, tried
  // The way of the packets.
  row(interfaces), //       there and up
  row(acsAddress), //       this host's own
  row(forwarding), //       on
  row(routes), //           CPEs to servers and back, past rp_filter, by the right interface
  row(mtu), //              one for all sides
  row(bigTcp), //           off
  // What stands in the way.
  row(ownRules), //         installed, in order
  row(foreignRules), //     Docker, ufw, anybody's: not in the way
  row(policies), //         FORWARD and the others
  row(firewalls), //        nftables beside iptables: firewalld
  row(listeners), //        nobody swallows the CPEs' answers
  row(conntrack), //        not nearly full
  // The engine.
  row(queueOwner), //       nobody else holds our queues
  row(stateDirectory), //   there, ours, with room
  row(engine), //           running and answering
  row(fallback), //         and the kernel takes it for alive
];

export interface Diagnosis {
  findings: Finding[];
  /** Checks that were not made, each with the failed one that must be mended first. */
  omitted: { check: string; until: string }[];
}

/**
 * Makes every check that can be made.
 * @param onError is told of what a check threw, which is a finding like others and ends nothing
 */
export async function diagnose(
  host: Host,
  wanted: Configuration,
  checks: readonly Row[] = CHECKS,
  onError: (error: unknown) => void = () => undefined,
): Promise<Diagnosis> {
  const attempt = async ({ name, find }: Row): Promise<Finding[]> => {
    try {
      return await find(host, wanted);
    } catch (error) {
      onError(error);
      return [brokenOff(name, error, wanted)];
    }
  };
  const findings: Finding[] = [];
  const omitted: Diagnosis['omitted'] = [];
  for (const check of checks) {
    const { name, needs } = check;
    const until = needs.find(
      (need) =>
        omitted.some((other) => other.check === need) ||
        findings.some((finding) => finding.check === need && finding.level === 'failure'),
    );
    if (until !== undefined) omitted.push({ check: name, until });
    else findings.push(...(await attempt(check)));
  }
  return { findings, omitted };
}

/** A check that threw: what it looks at is not known to be in order. */
function brokenOff(check: string, error: unknown, wanted: Configuration): Finding {
  const words = error instanceof Error ? error.message : String(error);
  // Its words say what to do.
  if (error instanceof Failure) return { check, level: 'failure', message: words, mend: null };
  const message = `the check broke off: ${words.split('\n', 1)[0]}`;
  return { check, level: 'failure', message, mend: acsplit('doctor --debug', wanted) };
}

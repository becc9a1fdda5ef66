/** All checks in the order in which they run. docs/doctor.md explains each. */

import { type Configuration } from '../configuration/configuration';
import { Failure } from '../configuration/errors';
import { type Finding, type Row, row } from './check';
import { acsplit } from './command-line';
import { cluster } from './cluster';
import { configuration } from './configuration';
import { conntrack, engine, stateDirectory } from './engine';
import { drift } from './drift';
import { fallback } from './fallback';
import { fastPath } from './fast-path';
import { firewalls } from './firewalls';
import { health } from './health';
import { type Host } from './host';
import { withMemory } from './memory';
import { addon, bundle, queues, rights } from './kernel';
import { acsAddress, bigTcp, interfaces } from './links';
import { neighbours } from './neighbours';
import { mtu } from './path-mtu';
import { forwarding, routes } from './routing';
import { servers } from './servers';
import { foreignRules, ownRules, policies } from './rules';
import { listeners, queueOwner } from './sockets';

export const CHECKS: readonly Row[] = [
  // What the engine needs.
  row(configuration), //    valid, and no server on this host
  row(rights), //           CAP_NET_ADMIN
  row(addon), //            built and loadable
  row(bundle), //           NFQUEUE, CT, socket, sets, …: all our rules, tried
  row(queues), //           NFQUEUE sockets with super-packets, and their buffer, tried
  // The packets' path.
  row(interfaces), //       present and up
  row(acsAddress), //       an address of this host
  row(forwarding), //       on
  row(routes), //           CPEs to servers and back, through the right interface, not dropped by rp_filter
  row(neighbours), //       next hops answer, at the MAC that the kernel knows; the ACS address is ours alone
  row(bigTcp), //           off
  // What may interfere.
  row(ownRules), //         installed, in order
  row(foreignRules), //     Docker, ufw and others do not interfere
  row(policies), //         FORWARD and the others
  row(firewalls), //        nftables outside iptables: firewalld
  row(servers), //          take connections; their answers come back
  row(mtu), //              one for all sides, and to the servers
  row(listeners), //        no local socket takes the CPEs' answers
  row(conntrack), //        not nearly full
  // The engine.
  row(queueOwner), //       no other process holds our queues
  row(stateDirectory), //   usable, with enough space
  row(engine), //           running and answering
  row(fallback), //         seen as alive by the kernel's rules
  row(drift), //            the installed version, with the file's values
  row(fastPath), //         carries, where it is configured to
  row(cluster), //          its stores work, other routers are heard
  row(health), //           no server is down by what CPEs meet
];

export interface Diagnosis {
  findings: Finding[];
  /** Skipped checks, each with the failed check that must be fixed first. */
  omitted: { check: string; until: string }[];
}

/**
 * Runs every check that can be run.
 * @param onError receives what a check threw; that is also a finding, and the other checks still run
 */
export async function diagnose(
  host: Host,
  wanted: Configuration,
  checks: readonly Row[] = CHECKS,
  onError: (error: unknown) => void = () => undefined,
): Promise<Diagnosis> {
  const remembering = withMemory(host);
  const attempt = async ({ name, find }: Row): Promise<Finding[]> => {
    try {
      return await find(remembering, wanted);
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

/** The finding for a check that threw. */
function brokenOff(check: string, error: unknown, wanted: Configuration): Finding {
  const words = error instanceof Error ? error.message : String(error);
  // The message itself tells what to do.
  if (error instanceof Failure) return { check, level: 'failure', message: words, mend: null };
  const message = `the check failed to run: ${words.split('\n', 1)[0]}`;
  return { check, level: 'failure', message, mend: null, see: acsplit('doctor --debug', wanted) };
}

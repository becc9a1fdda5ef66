/** Everything that must be true on this host, in the order in which it is looked at. docs/doctor.md explains each. */

import { type Configuration } from '../configuration';
import { type Finding, type Row, row } from './check';
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

/** Makes every check that can be made. */
export async function diagnose(host: Host, wanted: Configuration, checks: readonly Row[] = CHECKS): Promise<Diagnosis> {
  const findings: Finding[] = [];
  const omitted: Diagnosis['omitted'] = [];
  for (const { name, needs, find } of checks) {
    const until = needs.find(
      (need) =>
        omitted.some(({ check }) => check === need) ||
        findings.some(({ check, level }) => check === need && level === 'failure'),
    );
    if (until !== undefined) omitted.push({ check: name, until });
    else findings.push(...(await find(host, wanted)));
  }
  return { findings, omitted };
}

/** Hosts next to us: servers, the routers in front of them and of CPEs, and any other host with the ACS address. */

import { type Check, type Fault } from './check';
import { hasWrongMac, isDead, type NextHop, type Reach, reachOf } from './reach';

const QUESTION = { ipv4: 'ARP', ipv6: 'neighbour discovery' } as const;

export const neighbours: Check<Reach> = {
  name: 'neighbours',
  needs: ['rights', 'addon', 'routes'],
  look: reachOf,
  judge: ({ hops, duplicates, taken }, wanted) => [
    ...hops.flatMap((hop) => hopFaults(hop, wanted.file)),
    ...duplicates.flatMap(({ family, acs, device, macs }): Fault[] => {
      if (macs.length === 0) return [];
      const says = `another host (${macs.join(', ')}) answers ${QUESTION[family]} for the ACS address ${acs} on ${device}: some CPEs go there; take the address from it`;
      return [{ level: 'failure', says, mend: null }];
    }),
    ...taken.map((acs): Fault => {
      const says = `another host has the ACS address ${acs}: the kernel found it and does not use ours; take the address from it`;
      return { level: 'failure', says, mend: null };
    }),
  ],
  fine: ({ hops, duplicates }) => {
    const named = hops.filter(({ macs }) => macs.length > 0).length;
    const alone = duplicates.length === 0 ? '' : '; no other host answers for the ACS address';
    return `${hops.length} hosts next to us answer (${named} of them told their MAC)${alone}`;
  },
};

function hopFaults(hop: NextHop, file: string): Fault[] {
  const { address, device, family, macs, known } = hop;
  const who = `${address} on ${device} (${hop.whats.join(', ')})`;
  const see = `ip neighbour show dev ${device}`;
  if (isDead(hop)) {
    const says = `nobody answers ${QUESTION[family]} for ${who}: it is down, or ${file} has a wrong address`;
    return [{ level: 'failure', says, mend: null, see }];
  }
  if (hasWrongMac(hop)) {
    const ip = family === 'ipv4' ? 'ip' : 'ip -6';
    const says = `packets to ${who} go to MAC ${known!.mac} (${known!.states.join(', ')}), but ${macs.join(', ')} has the address`;
    return [{ level: 'failure', says, mend: `${ip} neighbour delete ${address} dev ${device}` }];
  }
  if (macs.length < 2) return [];
  const says = `${macs.length} hosts (${macs.join(', ')}) answer ${QUESTION[family]} for ${who}: take the address from all but one`;
  return [{ level: 'warning', says, mend: null, see }];
}

/** One MTU for all sides, and the size of packet that reaches each server. */

import { type Configuration } from '../configuration/configuration';
import { type Check, type Fault } from './check';
import { type Link, lookAtLinks } from './links';
import { type Host } from './host';
import { type Reach, reachOf, type ServerReach } from './reach';

interface Facts {
  links: Link[];
  reach: Reach;
}

export const mtu: Check<Facts> = {
  name: 'mtu',
  needs: ['rights', 'addon', 'routes', 'firewalls'],
  look: async (host: Host, wanted: Configuration) => ({
    links: lookAtLinks(host, wanted),
    reach: await reachOf(host, wanted),
  }),
  judge: ({ links, reach }) => {
    const largest = Math.max(...links.map((link) => link.mtu));
    const near = links
      .filter((link) => link.mtu < largest)
      .map(({ ifname, mtu: own }): Fault => {
        const says = `${ifname} has MTU ${own}, but another side has ${largest}: full-sized packets depend on ICMP errors`;
        return { level: 'warning', says, mend: `ip link set dev ${ifname} mtu ${largest}` };
      });
    return [...near, ...reach.servers.flatMap(far)];
  },
  fine: ({ links, reach }) => {
    const tried = reach.servers.filter(({ isAnswering, largest }) => isAnswering && largest === undefined).length;
    return `${links[0].mtu} bytes on every side; ${tried} of ${reach.servers.length} servers answer a ping of full size`;
  },
};

/** Only where small packets are answered does silence about a large one say anything. */
function far({
  what,
  address,
  family,
  device,
  gateway,
  mtu: wanted,
  isAnswering,
  largest,
  toldMtu,
}: ServerReach): Fault[] {
  if (!isAnswering || largest === undefined) return [];
  const fits = toldMtu > 0 ? toldMtu : largest;
  if (fits === 0 || fits >= wanted) return [];
  const [ip, iptables] = family === 'ipv4' ? ['ip', 'iptables'] : ['ip -6', 'ip6tables'];
  const via = gateway === undefined ? '' : ` via ${gateway}`;
  const route = `${ip} route replace ${address}${via} dev ${device} mtu lock ${fits}`;
  const clamp = `${iptables} -t mangle -I FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu`;
  const at = `the way to ${what} (${address})`;
  const mend = `${route} && ${clamp}`;
  if (toldMtu > 0) {
    const says = `${at} carries ${fits} bytes of ${wanted}: full-sized packets depend on ICMP errors`;
    return [{ level: 'warning', says, mend }];
  }
  const says = `${at} loses packets of ${wanted} bytes without an error, those of ${fits} arrive: transfers hang`;
  return [{ level: 'failure', says, mend }];
}

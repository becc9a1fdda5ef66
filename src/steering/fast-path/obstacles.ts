/** What keeps the BPF program from doing exactly what the network stack would do. */
import { spawnSync } from 'node:child_process';
import { type Topology } from '../../splitter/topology';
import { type HostLink } from './addon';
import { rolesOf } from './layout';

const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Undefined: nothing. */
export function findObstacle(topology: Topology, links: readonly HostLink[]): string | undefined {
  const bare = [...rolesOf(topology, links).keys()].find(({ isEthernet }) => !isEthernet);
  if (bare !== undefined) return `${bare.name} has no Ethernet header`;
  // Marks are set by netfilter, behind us.
  if (['-4', '-6'].some((family) => ip([family, 'rule', 'show']).includes('fwmark'))) {
    return 'an ip rule routes by fwmark';
  }
  // bpf_fib_lookup heeds an IPv4 route's MTU only when it is locked; forwarding heeds it always.
  const narrow = routes(topology).find((line) => /\bmtu \d/.test(line));
  return narrow === undefined ? undefined : `a route has an MTU that is not locked (mtu lock): ${narrow.trim()}`;
}

/** The IPv4 routes to CPEs and ITMS. */
function routes({ cpe, itms }: Topology): string[] {
  const networks = cpe.networks.filter((network) => !network.includes(':'));
  const addresses = [itms.address.ipv4, ...networks.map((network) => network.split('/')[0])];
  const questions = [
    ...addresses.filter((address) => address !== undefined).map((address) => `route get ${address}`),
    ...networks.map((network) => `route show table all root ${network}`),
  ];
  return ip(['-4', '-force', '-batch', '-'], questions.join('\n')).split('\n');
}

/** What ip(8) prints, even where it fails in part: a family that the kernel lacks, no route. */
function ip(argv: string[], input = ''): string {
  return spawnSync('ip', argv, { encoding: 'utf8', input, maxBuffer: MOST_OUTPUT_BYTES }).stdout;
}

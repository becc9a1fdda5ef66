/** What keeps the BPF program from doing exactly what the network stack would do. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { families, type Topology } from '../../splitter/topology';
import { type HostLink } from './addon';
import { rolesOf } from './layout';

/** Undefined: nothing. */
export async function findObstacle(topology: Topology, links: readonly HostLink[]): Promise<string | undefined> {
  const bare = [...rolesOf(topology, links).keys()].find(({ isEthernet }) => !isEthernet);
  if (bare !== undefined) return `${bare.name} has no Ethernet header`;
  const bridge = await filteredBridge(topology, links);
  if (bridge !== undefined) return bridge;
  // Marks are set by netfilter, behind us.
  for (const family of ['-4', '-6']) {
    if ((await ip([family, 'rule', 'show'])).includes('fwmark')) return 'an ip rule routes by fwmark';
  }
  // bpf_fib_lookup heeds an IPv4 route's MTU only when it is locked; forwarding heeds it always. What expires is a path's
  // MTU that this host has learnt for itself.
  const narrow = (await routes(topology)).find((line) => /\bmtu \d/.test(line) && !line.includes('expires'));
  return narrow === undefined ? undefined : `a route has an MTU that is not locked (mtu lock): ${narrow.trim()}`;
}

/** There, iptables, and with it the engine, comes before the filter of the bridge. */
async function filteredBridge(topology: Topology, links: readonly HostLink[]): Promise<string | undefined> {
  const isOn = (name: string) => {
    try {
      return readFileSync(`/proc/sys/net/bridge/${name}`, 'utf8').trim() === '1';
    } catch {
      return false; // br_netfilter is not loaded.
    }
  };
  const setting = families(topology)
    .map((family) => `bridge-nf-call-${family === 'ipv4' ? 'iptables' : 'ip6tables'}`)
    .find(isOn);
  if (setting === undefined) return undefined;
  const bridges = new Set((await ip(['-o', 'link', 'show', 'type', 'bridge'])).match(/(?<=^\d+: )[^:@]+/gm));
  const one = [...rolesOf(topology, links).keys()].find(({ name }) => bridges.has(name));
  return one && `${one.name} is a bridge that iptables filters (net.bridge.${setting}=1)`;
}

/** The IPv4 routes to CPEs and servers. */
async function routes({ cpe, itms, collectors }: Topology): Promise<string[]> {
  const networks = cpe.networks.filter((network) => !network.includes(':'));
  const addresses = [
    itms.address.ipv4,
    ...collectors.map(({ address }) => address.ipv4),
    ...networks.map((network) => network.split('/')[0]),
  ];
  const questions = [
    ...addresses.filter((address) => address !== undefined).map((address) => `route get ${address}`),
    ...networks.map((network) => `route show table all root ${network}`),
  ];
  return (await ip(['-4', '-force', '-batch', '-'], questions.join('\n'))).split('\n');
}

/** What ip(8) prints, even where it fails in part: a family that the kernel lacks, no route. */
async function ip(argv: string[], input = ''): Promise<string> {
  const child = spawn('ip', argv, { stdio: ['pipe', 'pipe', 'ignore'] });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return Promise.race([text(child.stdout), failed]);
}

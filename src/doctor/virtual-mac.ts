/**
 * VRRP with a virtual MAC, as keepalived's use_vmac has it: the address is on a macvlan, whose packets leave by its parent.
 * What must hold for packets to come in where our rules look, and what of ARP gives away the parent's MAC instead. IPv6
 * needs nothing: only the interface that has an address answers for it. Source: net/ipv4/arp.c; keepalived,
 * NOTE_vrrp_vmac.txt.
 */

import { type Configuration } from '../configuration/configuration';
import { covers } from '../configuration/interface';
import { type CpeInterface } from '../splitter/topology';
import { type Arp, type ArpSetting, inForce, readArp } from './arp';
import { askIp } from './ask-ip';
import { type Fault } from './check';
import { edit, sysctl } from './command-line';
import { type Host } from './host';
import { isWanted, type Places, placesOf } from './places';

interface Macvlan {
  name: string;
  parent: string;
  mac: string;
}

export interface VirtualMacFacts {
  holders: { name: string; addresses: string[] }[];
  macvlans: Macvlan[];
  arp: Arp;
}

/** RFC 9568, 7.3 */
const VRRP_MAC = /^00:00:5e:00:0[12]:/i;
const KEEPALIVED = 'editor /etc/keepalived/keepalived.conf';

export function lookAtVirtualMacs(host: Host): Pick<VirtualMacFacts, 'macvlans' | 'arp'> {
  const links =
    askIp<{ ifname: string; link?: string; address?: string; linkinfo?: { info_kind?: string } }[]>(host, [
      ...['-d', 'link', 'show'],
    ]) ?? [];
  const macvlans = links
    .filter(({ linkinfo }) => linkinfo?.info_kind === 'macvlan')
    .map(({ ifname, link = '', address = '' }) => ({ name: ifname, parent: link, mac: address }));
  const names = links.map(({ ifname }) => ifname);
  return { macvlans, arp: macvlans.length === 0 ? {} : readArp(host, names) };
}

export function judgeVirtualMacs(facts: VirtualMacFacts, wanted: Configuration): Fault[] {
  const places = placesOf(wanted.topology);
  return facts.macvlans.flatMap((macvlan) => {
    const addresses = facts.holders.find(({ name }) => name === macvlan.name)?.addresses ?? [];
    const own = places.filter(({ acs }) => addresses.includes(acs));
    return [
      ...own.flatMap((one) => onCpeSide(one, macvlan, facts, wanted)),
      ...onServersSide(macvlan, addresses, wanted),
    ];
  });
}

function onCpeSide(
  { acs, cpeInterfaces, family }: Places,
  macvlan: Macvlan,
  facts: VirtualMacFacts,
  wanted: Configuration,
) {
  const { name, parent } = macvlan;
  const side = cpeInterfaces.find((one) => covers(one.in, name));
  const isParentNamed = cpeInterfaces.some((one) => covers(one.in, parent));
  if (side !== undefined) return family === 'ipv6' ? [] : arpFaults(acs, macvlan, side, isParentNamed, facts);
  if (!isParentNamed) return [];
  const remedy = `cpe.interface: { in: ${name}, out: ${parent} }`;
  const says = `the ACS address ${acs} is on ${name}, a virtual MAC on ${parent}: packets from CPEs come in by ${name}, past our rules; configure ${remedy}, restart the engine and install the rules`;
  return [{ level: 'failure', says, mend: edit(wanted) } satisfies Fault];
}

function arpFaults(
  acs: string,
  { name, parent }: Macvlan,
  side: CpeInterface,
  isParentNamed: boolean,
  { arp }: VirtualMacFacts,
) {
  const set = (setting: ArpSetting, value: number, of: string) => sysctl(`net.ipv4.conf.IF.${setting}`, value, of);
  const faults: Fault[] = [];
  const fail = (says: string, mend: string) => faults.push({ level: 'failure', says, mend });
  const effect = `CPEs learn its MAC, and what they send there is refused`;
  if (!isParentNamed && inForce(arp, 'arp_ignore', parent) === 0) {
    fail(`${parent} answers ARP requests for ${acs}, which is on ${name}: ${effect}`, set('arp_ignore', 1, parent));
  }
  if (!isParentNamed && inForce(arp, 'arp_announce', side.out) < 2) {
    const says = `${side.out} sends ARP requests in the name of ${acs}, which is on ${name}: ${effect}`;
    fail(says, set('arp_announce', 2, side.out));
  }
  if (side.out !== name && inForce(arp, 'arp_filter', name) > 0) {
    const mends = ['all', name].filter((of) => (arp[of]?.arp_filter ?? 0) > 0).map((of) => set('arp_filter', 0, of));
    fail(
      `${name} does not answer ARP requests for ${acs} (arp_filter): the way to CPEs is ${side.out}`,
      mends.join(' && '),
    );
  }
  return faults;
}

/** A server's interface has one name for both directions. */
function onServersSide({ name, parent, mac }: Macvlan, addresses: string[], { topology }: Configuration): Fault[] {
  const servers = [topology.itms, ...topology.collectors].map((server) => server.interface);
  if (!VRRP_MAC.test(mac) || addresses.length === 0 || !isWanted(parent, servers)) return [];
  const says = `${addresses[0]} is on ${name}, a virtual MAC on ${parent}: what servers send to it comes in by ${name}, past our rules; take use_vmac from this side`;
  return [{ level: 'failure', says, mend: KEEPALIVED }];
}

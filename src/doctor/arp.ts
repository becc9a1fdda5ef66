/** What the kernel does about ARP on an interface. Source: ip-sysctl.rst, net.ipv4.conf. */

import { type Host } from './host';

export const ARP_SETTINGS = ['arp_ignore', 'arp_announce', 'arp_filter'] as const;
export type ArpSetting = (typeof ARP_SETTINGS)[number];
/** By interface, `all` included. */
export type Arp = Readonly<Record<string, Readonly<Record<ArpSetting, number>>>>;

export function readArp(host: Host, interfaces: readonly string[]): Arp {
  const read = (name: string, setting: ArpSetting) => Number(host.read(`/proc/sys/net/ipv4/conf/${name}/${setting}`));
  const one = (name: string) => Object.fromEntries(ARP_SETTINGS.map((setting) => [setting, read(name, setting)]));
  return Object.fromEntries(['all', ...interfaces].map((name) => [name, one(name) as Arp[string]]));
}

/** The kernel takes the larger of the interface's value and that of `all`. */
export function inForce(arp: Arp, setting: ArpSetting, name: string): number {
  return Math.max(arp.all?.[setting] ?? 0, arp[name]?.[setting] ?? 0);
}

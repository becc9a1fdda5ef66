/**
 * What the host must provide before an engine may start, and what it should provide. Reads /proc and changes nothing.
 */

import { readFileSync } from 'node:fs';
import { cpeInterfaceNames, type Topology } from '../../splitter/topology';
import { EngineError } from '../shared/engine-error';
import { type EngineLog } from '../shared/engine-log';

/** The interfaces of a topology, each once, with the key that names it. */
function interfacesOf(topology: Topology): Map<string, string> {
  const keys = new Map(cpeInterfaceNames(topology).map((name) => [name, 'cpe.interface']));
  if (!keys.has(topology.itms.interface)) keys.set(topology.itms.interface, 'itms.interface');
  for (const collector of topology.collectors) {
    if (!keys.has(collector.interface)) keys.set(collector.interface, `collectors.${collector.name}.interface`);
  }
  return keys;
}

/** From /proc, not /sys: /sys shows the network namespace it was mounted in, which is not always ours. */
function presentInterfaces(file: string): string[] {
  const rows = readFileSync(file, 'utf8').split('\n').slice(2);
  return rows.map((row) => row.slice(0, row.lastIndexOf(':')).trim()).filter((name) => name !== '');
}

/** @throws EngineError naming the first interface missing on this host, and those present */
export function requireInterfaces(topology: Topology, file = '/proc/net/dev'): void {
  const present = presentInterfaces(file);
  for (const [name, key] of interfacesOf(topology)) {
    // Interfaces that match a wildcard come and go.
    if (present.includes(name) || name.endsWith('+')) continue;
    const others = present.filter((other) => other !== 'lo').sort();
    const have = others.length > 0 ? others.slice(0, 12).join(', ') : 'only lo';
    throw new EngineError(`${key}: interface "${name}" does not exist on this host (it has ${have})`);
  }
}

/** A host setting that would lose packets without our seeing it. */
export interface HostFault {
  says: string;
  /** The command that fixes it. */
  mend: string;
}

/** One warning per fault. It comes after the start: a start that fails says only why it failed. */
export function warnOfHost(topology: Topology, log: EngineLog): void {
  for (const warning of findHostWarnings(topology)) log.warn({ event: 'host' }, warning);
}

/** One line each, for a log. */
export function findHostWarnings(topology: Topology, directory = '/proc/sys/net'): string[] {
  const read = (path: string): string | undefined => {
    try {
      return readFileSync(`${directory}/${path}`, 'utf8');
    } catch {
      return undefined;
    }
  };
  return findForwardingFaults(topology, read).map(({ says, mend }) => `${says}: ${mend}`);
}

/** `read` returns a file below /proc/sys/net; an unreadable file is no fault. */
export function findForwardingFaults(topology: Topology, read: (path: string) => string | undefined): HostFault[] {
  const isOff = (path: string) => read(path)?.trim() === '0';
  const faults: HostFault[] = [];
  const all = 'ipv4/ip_forward';
  if (isOff(all)) faults.push({ says: 'this host does not forward packets', mend: 'sysctl -w net.ipv4.ip_forward=1' });
  for (const name of interfacesOf(topology).keys()) {
    if (isOff(all) || !isOff(`ipv4/conf/${name}/forwarding`)) continue;
    const mend = `sysctl -w net.ipv4.conf.${name.replaceAll('.', '/')}.forwarding=1`;
    faults.push({ says: `${name} does not forward packets`, mend });
  }
  // IPv6 has one setting for all interfaces. Documentation/networking/ip-sysctl.rst, conf/all/forwarding
  if (topology.cpe.address.ipv6 !== undefined && isOff('ipv6/conf/all/forwarding')) {
    faults.push({ says: 'this host does not forward IPv6', mend: 'sysctl -w net.ipv6.conf.all.forwarding=1' });
  }
  return faults;
}

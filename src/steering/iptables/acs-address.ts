/**
 * Is the ACS address an address of this host now? raw and nat steer only where it is (docs/decisions/standby.md). The table
 * that addrtype's LOCAL looks into is asked, so an address of a down interface does not count, and a local route does.
 */

import { type Family } from '../../packet/address';
import { families, type Topology } from '../../splitter/topology';
import { type Reader, readProgram } from './read-program';

const OPTION: Readonly<Record<Family, string>> = { ipv4: '-4', ipv6: '-6' };

/** Arguments of ip(8); the answer is empty where the address is not local. */
export function localRoutes(family: Family, address: string): string[] {
  return [OPTION[family], 'route', 'show', 'table', 'local', 'type', 'local', 'match', address];
}

/** The ACS addresses that are not local now. If the kernel cannot be asked, none is named. */
export async function acsElsewhere({ cpe }: Pick<Topology, 'cpe'>, read: Reader = readProgram): Promise<string[]> {
  const asked = families({ cpe }).map(async (family) => {
    const address = cpe.address[family]!;
    const found = await read('ip', localRoutes(family, address)).catch(() => 'unknown');
    return found.trim() === '' ? [address] : [];
  });
  return (await Promise.all(asked)).flat();
}

/** For people: `the ACS address 10.1.0.1 is not an address of this host now`. */
export function describeElsewhere(addresses: readonly string[]): string {
  const [subject, verb] =
    addresses.length === 1 ? ['address', 'is not an address'] : ['addresses', 'are not addresses'];
  return `the ACS ${subject} ${addresses.join(' and ')} ${verb} of this host now`;
}

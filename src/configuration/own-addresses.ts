/**
 * Servers on the router itself. What the splitter rewrites is forwarded; packets from or to an address of this host are
 * not, so a server there would answer under its own address and the CPE would reset the connection.
 */

import { networkInterfaces } from 'node:os';
import { type Topology } from '../splitter/topology';
import { UsageError } from './errors';

/** The keys of servers whose address is one of this host's, each with why that cannot work. */
export function serversOnThisHost({ itms, collectors }: Topology, own: ReadonlySet<string>): string[] {
  const servers = [
    { key: 'itms', ...itms },
    ...collectors.map((collector) => ({ key: `collectors.${collector.name}`, ...collector })),
  ];
  return servers.flatMap(({ key, address, requestAddresses = [] }) =>
    [address, ...requestAddresses]
      .flatMap((one) => Object.values(one))
      .filter((text) => own.has(text))
      .map(
        (text) =>
          `${key}: ${text} is an address of this host, whose packets are not forwarded; expected a server behind it`,
      ),
  );
}

/** @throws UsageError for a server on this host */
export function requireServersElsewhere(topology: Topology): void {
  const own = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
  const [first] = serversOnThisHost(topology, new Set(own));
  if (first !== undefined) throw new UsageError(first);
}

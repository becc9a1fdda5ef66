/** Where traced packets come from and go to, and the hosts that they cross. */
import { type Family } from '../../../../src/packet/address';
import { type Router, type TracedPacket } from './tracer';

/** The same network in both families. */
export interface Places {
  family: Family;
  acs: string;
  itms: string;
  collector: string;
  cpe: string;
  /** A machine of the operator's in a CPE network. */
  admin: string;
  /** Another host next to the ITMS. */
  neighbour: string;
  outside: string;
  /** A router between this host and the CPEs, or the servers, whose address is in no network that we know. */
  hop: string;
  router: Router;
}

export const IPV4: Places = {
  family: 'ipv4',
  acs: '10.1.0.1',
  itms: '10.2.0.2',
  collector: '10.3.0.2',
  cpe: '10.1.1.1',
  admin: '10.1.9.9',
  neighbour: '10.2.0.77',
  outside: '192.0.2.9',
  hop: '172.31.0.9',
  router: {
    addresses: ['10.1.0.1', '10.2.0.1', '10.3.0.1'],
    routes: [
      ['10.1.', 'eth0'],
      ['10.2.', 'eth1'],
      ['10.3.', 'eth2'],
      ['', 'eth3'],
    ],
  },
};

export const IPV6: Places = {
  family: 'ipv6',
  acs: '2001:db8:1::1',
  itms: '2001:db8:2::2',
  collector: '2001:db8:3::2',
  cpe: '2001:db8:1:1::8',
  admin: '2001:db8:1:9::9',
  neighbour: '2001:db8:2::77',
  outside: '2001:db8:ffff::9',
  hop: 'fd00::9',
  router: {
    addresses: ['2001:db8:1::1', '2001:db8:2::1', '2001:db8:3::1'],
    routes: [
      ['2001:db8:1:', 'eth0'],
      ['2001:db8:2:', 'eth1'],
      ['2001:db8:3:', 'eth2'],
      ['', 'eth3'],
    ],
  },
};

/** An engine that has armed nothing: CPEs go to the ITMS, servers appear as the ACS; errors as what they quote. */
export const engineOf =
  ({ acs, itms, hop }: Places) =>
  (queue: number, { error, destination }: TracedPacket) => {
    if (queue === 0) return { destination: itms };
    if (queue < 3) return error ? { source: hop } : { source: acs };
    return destination === acs ? { destination: itms } : {};
  };
export const engine = engineOf(IPV4);

/** As careful a firewall as operators have: nothing is forwarded that conntrack does not know. */
export const STRICT_HOST = `*filter
:FORWARD DROP [0:0]
:INPUT DROP [0:0]
:OUTPUT DROP [0:0]
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A OUTPUT -m conntrack --ctstate INVALID -j DROP
-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -m conntrack --ctstate INVALID -j DROP
-A OUTPUT -m conntrack --ctstate INVALID -j DROP
COMMIT`;

/** A careless one, which accepts whatever comes. */
export const CARELESS_HOST = `*filter
:FORWARD ACCEPT [0:0]
:INPUT ACCEPT [0:0]
-A FORWARD -j ACCEPT
-A INPUT -j ACCEPT
COMMIT`;

export type Row = [claim: string, packet: TracedPacket, outcome: string[]];

/** An ICMP error about a packet; conntrack knows the connections that are not ours. */
export function about(
  packet: Pick<TracedPacket, 'in' | 'source' | 'destination'>,
  quotedSource: string,
  quotedDestination: string,
  more: Partial<TracedPacket> = { state: 'RELATED' },
  protocol: 'tcp' | 'udp' = 'tcp',
  types: [ipv4: number, ipv6: number] = [3, 2],
): TracedPacket {
  const type = types[packet.source.includes(':') ? 1 : 0];
  const error = { type, source: quotedSource, destination: quotedDestination, protocol };
  return { ...packet, protocol: 'icmp', error, state: 'RELATED', ...more };
}

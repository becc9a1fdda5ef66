/** The parties: the splitter's address and ports, the ITMS, the collectors, and the CPEs' networks. */
import { addressOf, addressText } from './wire';

/** By number: 0 is the ITMS, the rest are collectors. */
export interface ServerParty {
  name: string;
  address: number;
  /** The splitter's interface towards it: 1 second, 2 third. */
  queue: number;
}

export const ITMS = 0;
/** In the place of a server's number: a CPE. */
export const CPE = -1;

/** The ITMS shares its interface with a collector: a side is an interface and an address. */
export const SERVERS: readonly ServerParty[] = [
  server('itms', '198.51.100.2', 1),
  server('c1', '203.0.113.2', 2),
  server('c2', '203.0.113.3', 2),
  server('c3', '198.51.100.3', 1),
];

export const ACS = addressOf('192.0.2.1');
export const REPORT_PORTS: readonly number[] = [7547, 9090];
export const ITMS_PORTS: readonly number[] = [8080];
const CPE_BASE = addressOf('10.0.0.0');
const CPE_MASK = 0xff000000 | 0;

export const CPE_NETWORKS = { ipv4: '10.0.0.0/8', ipv6: '2001:db8::a00:0/104' } as const;

/** True for an address in the CPEs' network. */
export function isCpeText(address: string): boolean {
  return /^10\.|^2001:db8::a[0-9a-f]{2}:/.test(address);
}

/** The party whose address this is: a server's number, or -1. */
export function serverNamed(address: string, isIpv6: boolean): number {
  return SERVERS.findIndex((one) => addressText(one.address, isIpv6) === address);
}

/** The address of the CPE line with this number. */
export function lineAddress(line: number): number {
  return CPE_BASE | (line + 0x10000);
}

export function lineOf(address: number): number {
  return (address & ~CPE_MASK) - 0x10000;
}

/** The number of the server with this address, or -1. */
export function serverAt(address: number): number {
  for (let i = 0; i < SERVERS.length; i++) if (SERVERS[i]!.address === address) return i;
  return -1;
}

function server(name: string, text: string, queue: number): ServerParty {
  return { name, address: addressOf(text), queue };
}

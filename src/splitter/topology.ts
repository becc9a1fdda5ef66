/**
 * The topology: the three interfaces, the servers behind them, the ports. Its builder (cli/) validates it. The engine
 * and the iptables bundle are both made from this one object, so they cannot disagree.
 */

import { type Family } from '../packet/address';

/** A host's address by family, at least one. All servers and the ACS address have the same families. */
export type Addresses = Partial<Record<Family, string>>;

/**
 * Where packets from CPEs come in and packets to CPEs go out. The two differ when VRRP uses a virtual MAC: packets come
 * in through a macvlan and leave through its parent.
 */
export interface CpeInterface {
  in: string;
  out: string;
}

export interface Collector {
  name: string;
  interface: string;
  address: Addresses;
  /** Further addresses that wake CPEs; sessions go to `address`. */
  requestAddresses?: Addresses[];
  /** Only CPEs in these networks are diverted to it; all if absent. */
  networks?: string[];
  /** Most sessions diverted to it per second; the rest go to the ITMS. */
  maxPerSecond?: number;
}

export interface Topology {
  /** First interface: the CPEs' side. [P2] */
  cpe: {
    /** Usually one. A name ending in `+` matches every interface with that prefix. */
    interfaces: CpeInterface[];
    /** The ACS address, the only one that CPEs know. */
    address: Addresses;
    /** The CPEs' networks, CIDR, in any family of the ACS address. */
    networks: string[];
  };
  /** Second interface: the ITMS. [P2] */
  itms: { interface: string; address: Addresses; requestAddresses?: Addresses[] };
  /** Third interface: one or more collection servers. [P2] */
  collectors: Collector[];
  /** Ports of the ACS URL. [P8, P10] */
  reportPorts: number[];
  /** Further TCP ports on the ACS address that always go to the ITMS. [D] */
  itmsPorts: number[];
  /** The CPE ports that may take Connection Requests; any if absent. */
  requestPorts?: 'any' | number[];
}

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

/** Every interface name on the CPEs' side, each once. */
export function cpeInterfaceNames({ cpe }: Pick<Topology, 'cpe'>): string[] {
  return [...new Set(cpe.interfaces.flatMap((side) => [side.in, side.out]))];
}

/** The families of a topology: those of its ACS address. */
export function families(topology: Pick<Topology, 'cpe'>): Family[] {
  return FAMILIES.filter((family) => topology.cpe.address[family] !== undefined);
}

/**
 * While no engine runs: either the kernel alone sends the CPEs' new connections to the ITMS, or all steered packets
 * wait.
 */
export type OnEngineDown = 'itms' | 'hold';

/** Where the sessions of a collector that is down go. */
export type OnCollectorDown = 'itms' | 'divert';

/** What counts as success of a Connection Request. See activation.ts. */
export type ActivationMode = 'auto' | 'fin' | 'response' | 'off';

export const ACTIVATION_MODES: readonly ActivationMode[] = ['auto', 'fin', 'response', 'off'];

/** Lives in seconds. Sources: docs/architecture.md, "Lives". */
export interface Lives {
  requestUnanswered: number;
  reportUnanswered: number;
  established: number;
  /** A FIN of one end seen. */
  finOne: number;
  /** FINs of both ends seen. */
  finBoth: number;
  reset: number;
  armed: number;
  grace: number;
  /** Grace when the session has more to say, and when the request is to be repeated. */
  unfinished: number;
  retry: number;
  /** Longest time from arming to the end of the last grace. */
  activation: number;
}

export const DEFAULT_LIVES: Readonly<Lives> = {
  requestUnanswered: 75,
  reportUnanswered: 10,
  established: 7500,
  finOne: 240,
  finBoth: 120,
  reset: 10,
  armed: 60,
  grace: 2,
  unfinished: 30,
  retry: 4,
  activation: 300,
};

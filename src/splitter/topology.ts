/**
 * Who is where: the three interfaces, the servers behind them, the ports. Validated by whoever builds it (cli/).
 * The engine and the iptables bundle are both made from this one object, so they cannot disagree.
 */

import { type Family } from '../packet/address';

/** A host's address by family, one at the least. Every server and the ACS address have the same families. */
export type Addresses = Partial<Record<Family, string>>;

/**
 * Where packets from CPEs come in and packets to CPEs go out. The two differ where VRRP uses a virtual MAC: packets come
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
  /** Only CPEs of these networks are ever diverted to it; all if absent. */
  networks?: string[];
  /** Sessions diverted to it in a second; beyond it they go to the ITMS. */
  maxPerSecond?: number;
}

export interface Topology {
  /** First interface: the CPEs' side. [P2] */
  cpe: {
    /** Usually one. A name that ends in `+` stands for every interface whose name begins alike. */
    interfaces: CpeInterface[];
    /** The ACS address, which is all that CPEs know. */
    address: Addresses;
    /** Where CPEs live, CIDR, of any family that the ACS address has. */
    networks: string[];
  };
  /** Second interface: the ITMS. [P2] */
  itms: { interface: string; address: Addresses; requestAddresses?: Addresses[] };
  /** Third interface: one or several collection servers. [P2] */
  collectors: Collector[];
  /** Ports of the ACS URL. [P8, P10] */
  reportPorts: number[];
  /** Further TCP ports on the ACS address that always go to the ITMS. [D] */
  itmsPorts: number[];
  /** The CPEs' ports on which they may take Connection Requests; any if absent. */
  requestPorts?: 'any' | number[];
}

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

/** Every name of the CPEs' interfaces, each once. */
export function cpeInterfaceNames({ cpe }: Pick<Topology, 'cpe'>): string[] {
  return [...new Set(cpe.interfaces.flatMap((side) => [side.in, side.out]))];
}

/** The families that a topology carries: those of its ACS address. */
export function families(topology: Pick<Topology, 'cpe'>): Family[] {
  return FAMILIES.filter((family) => topology.cpe.address[family] !== undefined);
}

/** While no engine runs: the kernel alone sends what CPEs open to the ITMS, or everything that is steered waits. */
export type OnEngineDown = 'itms' | 'hold';

/** What counts as success of a Connection Request; see activation.ts. */
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
  /** Grace where the session has more to say, and where the request is to be repeated. */
  unfinished: number;
  retry: number;
  /** From arming to the end of the last grace, at the most. */
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

/**
 * The topology of one address family in the form used for matching packets: addresses as words, one byte per port,
 * owners by id.
 */
import {
  type Address,
  ADDRESS_WORDS,
  type Family,
  familyOf,
  type Network,
  parseAddress,
  parseNetwork,
} from '../../packet/address';
import { ITMS, NOBODY, type Owners } from './owners';
import { type Addresses, type Topology } from '../topology';

export const enum PortClass {
  Other,
  Report,
  Itms,
}

/** Stands for no server. */
const NO_SERVER = 0;

export class Servers {
  /** The address that CPEs know. */
  readonly acsAddress: Address;
  readonly itmsAddress: Address;
  /** int32 words of an address. */
  private readonly words: number;
  /** PortClass by port number. */
  private readonly portClasses = new Uint8Array(65536);
  /** By server number, from 1; 0 is NO_SERVER. */
  private readonly addresses: Address[] = [];
  private readonly owners: number[] = [NOBODY];
  /** Number of the next server with the same last word, or NO_SERVER. */
  private readonly nextAlike: number[] = [NO_SERVER];
  /** Tags by server number. */
  private readonly tags: number[] = [0];
  private hasOneAddress = true;
  /** `undefined`: any. */
  private readonly requestPorts: ReadonlySet<number> | undefined;
  /** By owner id, for collectors whose sessions are limited to some networks. */
  private readonly canaries = new Map<number, Int32Array>();
  private readonly limits = new Map<number, number>();
  /** Last word of an address to a server number. On 64-bit V8 both are small integers, so nothing is allocated. */
  private readonly serverByWord = new Map<number, number>();
  /** Server number by owner id. Any 16 bits from a damaged entry give no server or a configured one. */
  private readonly serverByOwner = new Uint16Array(1 << 16);
  /** The CPEs' networks, one after the other: the words of the base, then those of the mask. */
  private readonly networks: Int32Array;

  /** Throws RangeError on a topology that the configuration should have refused. */
  constructor(
    topology: Topology,
    owners: Owners,
    private readonly family: Family,
  ) {
    this.words = ADDRESS_WORDS[family];
    this.acsAddress = this.addressOfHost(topology.cpe.address);
    this.itmsAddress = this.addressOfHost(topology.itms.address);
    this.addresses.push(new Int32Array(this.words));
    this.networks = this.wordsOf(topology.cpe.networks);
    const { requestPorts = 'any' } = topology;
    if (requestPorts !== 'any') this.requestPorts = new Set(requestPorts);
    for (const port of topology.itmsPorts) this.portClasses[port] = PortClass.Itms;
    for (const port of topology.reportPorts) this.portClasses[port] = PortClass.Report;
    this.add(this.itmsAddress, ITMS);
    for (const addresses of topology.itms.requestAddresses ?? []) this.addRequestAddress(addresses, ITMS);
    for (const { name, address, requestAddresses = [], networks: canary, maxPerSecond } of topology.collectors) {
      const owner = owners.idOf(name);
      this.add(this.addressOfHost(address), owner);
      for (const addresses of requestAddresses) this.addRequestAddress(addresses, owner);
      if (canary) this.canaries.set(owner, this.wordsOf(canary));
      if (maxPerSecond !== undefined) this.limits.set(owner, maxPerSecond);
    }
  }

  portClass(port: number): PortClass {
    return this.portClasses[port];
  }

  /** Owner id of the server with this address, or NOBODY. */
  ownerAt(address: Address): number {
    let server = this.serverByWord.get(address[this.words - 1]);
    if (server === undefined) return NOBODY;
    while (server !== NO_SERVER && !this.isSame(this.addresses[server], address)) server = this.nextAlike[server];
    return this.owners[server];
  }

  /**
   * Tag of an address. Together with the owner it identifies one of the owner's addresses, independent of their order
   * in a file.
   */
  tagOf(address: Address): number {
    let folded = 0;
    for (let word = 0; word < this.words; word++) folded = Math.imul(folded ^ address[word], 0x9e3779b1);
    return (folded ^ (folded >>> 16)) & 0xffff;
  }

  /** The address of a configured owner that has this tag; its main address if none has. */
  addressTagged(owner: number, tag: number): Address {
    const main = this.serverByOwner[owner];
    if (this.hasOneAddress) return this.addresses[main];
    for (let server = 1; server < this.owners.length; server++) {
      if (this.owners[server] === owner && this.tags[server] === tag) return this.addresses[server];
    }
    return this.addresses[main];
  }

  /** True for the address where a server serves sessions; false for one that only wakes CPEs. */
  serves(owner: number, address: Address): boolean {
    return this.isSame(this.addressOf(owner), address);
  }

  /** True for a CPE port that may take Connection Requests. */
  isRequestPort(port: number): boolean {
    return this.requestPorts === undefined || this.requestPorts.has(port);
  }

  /** False for a CPE outside the networks that a collector's sessions are limited to. */
  mayServe(owner: number, cpe: Address): boolean {
    const networks = this.canaries.get(owner);
    return networks === undefined || isWithin(cpe, networks, this.words);
  }

  /** Diverted sessions per second that a collector accepts; Infinity when there is no limit. */
  maxPerSecond(owner: number): number {
    return this.limits.get(owner) ?? Number.POSITIVE_INFINITY;
  }

  /** False for an owner that a reload has removed. */
  isConfigured(owner: number): boolean {
    return this.serverByOwner[owner] !== NO_SERVER;
  }

  /** The address of a configured owner. */
  addressOf(owner: number): Address {
    return this.addresses[this.serverByOwner[owner]];
  }

  isAcs(address: Address): boolean {
    return this.isSame(address, this.acsAddress);
  }

  /** True for an address in one of the CPEs' networks. */
  isCpe(address: Address): boolean {
    return isWithin(address, this.networks, this.words);
  }

  /** Both addresses are of this family. */
  private isSame(one: Address, other: Address): boolean {
    for (let word = this.words - 1; word >= 0; word--) if (one[word] !== other[word]) return false;
    return true;
  }

  private addressOfHost(addresses: Addresses): Address {
    const text = addresses[this.family] ?? 'none';
    const address = parseAddress(text);
    if (!address || familyOf(address) !== this.family || address.every((word) => word === 0)) {
      throw new RangeError(`not an address of ${this.family}: ${text}`);
    }
    return address;
  }

  private add(address: Address, owner: number): void {
    if (this.ownerAt(address) !== NOBODY) throw new RangeError('two servers have the same address');
    const server = this.addresses.push(address) - 1;
    const lastWord = address[this.words - 1];
    this.owners.push(owner);
    this.tags.push(this.tagOf(address));
    this.nextAlike.push(this.serverByWord.get(lastWord) ?? NO_SERVER);
    this.serverByWord.set(lastWord, server);
    if (this.serverByOwner[owner] === NO_SERVER) this.serverByOwner[owner] = server;
  }

  /** A further address that wakes CPEs; a server may have such addresses in one family only. */
  private addRequestAddress(addresses: Addresses, owner: number): void {
    if (addresses[this.family] === undefined) return;
    this.hasOneAddress = false;
    this.add(this.addressOfHost(addresses), owner);
  }

  /** Networks of this family, one after the other: the words of the base, then those of the mask. */
  private wordsOf(networks: readonly string[]): Int32Array {
    const ours = networks.map(networkOf).filter(({ base }) => familyOf(base) === this.family);
    return Int32Array.from(ours.flatMap(({ base, mask }) => [...base, ...mask]));
  }
}

function isWithin(address: Address, networks: Int32Array, words: number): boolean {
  for (let base = 0; base < networks.length; base += 2 * words) {
    let word = 0;
    while (word < words && (address[word] & networks[base + words + word]) === networks[base + word]) word++;
    if (word === words) return true;
  }
  return false;
}

function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (!network) throw new RangeError(`not a network: ${text}`);
  return network;
}

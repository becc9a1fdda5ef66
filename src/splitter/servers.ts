/** The topology in the form that a packet is compared with: int32 addresses, one byte per port, owners by id. */
import { parseIpv4, parseIpv4Network, parseNetwork, type Ipv4Network } from '../packet/address';
import { ITMS, type Owners } from './owners';
import { type Topology } from './topology';

export const enum PortClass {
  Other,
  Report,
  Itms,
}

/** Address 0 is no server's: it stands for an owner that is no longer configured. */
const NOWHERE = 0;

export class Servers {
  /** int32: what CPEs know. */
  readonly acsAddress: number;
  readonly itmsAddress: number;
  /** PortClass by port number. */
  private readonly portClasses = new Uint8Array(65536);
  /** int32 address to owner id. On 64-bit V8 both are small integers: no look-up allocates. */
  private readonly ownerByAddress = new Map<number, number>();
  /** int32 address by owner id: whatever 16 bits a damaged entry holds, it is nobody or a configured server. */
  private readonly addressByOwner = new Int32Array(1 << 16);
  private readonly collectors = new Map<string, number>();
  private readonly networks: Ipv4Network[];

  /** Throws RangeError on a topology that configuration should have refused. */
  constructor(topology: Topology, owners: Owners) {
    this.acsAddress = address(topology.cpe.address.ipv4);
    this.itmsAddress = address(topology.itms.address.ipv4);
    this.networks = topology.cpe.networks.flatMap((network) => {
      if (!parseNetwork(network)) throw new RangeError(`not a network: ${network}`);
      return parseIpv4Network(network) ?? [];
    });
    for (const port of topology.itmsPorts) this.portClasses[port] = PortClass.Itms;
    for (const port of topology.reportPorts) this.portClasses[port] = PortClass.Report;
    this.add(this.itmsAddress, ITMS);
    for (const collector of topology.collectors) {
      const owner = owners.idOf(collector.name);
      this.collectors.set(collector.name, owner);
      this.add(address(collector.address.ipv4), owner);
    }
  }

  portClass(port: number): PortClass {
    return this.portClasses[port];
  }

  /** Owner id of the server with this address, or -1. */
  ownerAt(serverAddress: number): number {
    const owner = this.ownerByAddress.get(serverAddress);
    return owner === undefined ? -1 : owner;
  }

  /** Owner id of a configured collector, or -1. */
  collectorNamed(name: string): number {
    return this.collectors.get(name) ?? -1;
  }

  /** False for an owner that a reload has taken away. */
  isConfigured(owner: number): boolean {
    return this.addressByOwner[owner] !== NOWHERE;
  }

  addressOf(owner: number): number {
    return this.addressByOwner[owner];
  }

  /** True for an address in one of the CPEs' networks. */
  isCpe(cpeAddress: number): boolean {
    for (let i = 0; i < this.networks.length; i++) {
      if ((cpeAddress & this.networks[i].mask) === this.networks[i].base) return true;
    }
    return false;
  }

  private add(serverAddress: number, owner: number): void {
    if (this.ownerByAddress.has(serverAddress)) throw new RangeError('two servers with one address');
    this.ownerByAddress.set(serverAddress, owner);
    this.addressByOwner[owner] = serverAddress;
  }
}

function address(text: string | undefined): number {
  const parsed = parseIpv4(text ?? '');
  if (parsed === undefined || parsed === NOWHERE) throw new RangeError(`not an IPv4 address: ${text ?? 'none'}`);
  return parsed;
}

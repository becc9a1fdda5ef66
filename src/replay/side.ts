/**
 * Finds the splitter's interface on which a captured packet came in: by the capture's interface name if the configuration
 * uses that name for exactly one side, else by the source address. [P2]
 */
import { type Address, familyOf, parseAddress } from '../packet/address';
import { Side, type SideName, SIDES } from '../packet/batch';
import { readI32 } from '../packet/bytes';
import * as ipv4 from '../packet/ipv4';
import * as ipv6 from '../packet/ipv6';
import { cpeInterfaceNames, type Topology } from '../splitter/topology';
import { type CaptureInterface } from './capture-reader';

/** Sides that a captured packet can come from. Errors that this host sends itself come in on no interface. */
export const CAPTURED_SIDES = ['cpe', 'itms', 'collector'] as const satisfies readonly SideName[];
export type CapturedSide = (typeof CAPTURED_SIDES)[number];

const BY_ADDRESS = -1;

interface Server {
  address: Address;
  side: Side;
}

export class SideChooser {
  private readonly servers: Record<'ipv4' | 'ipv6', Server[]> = { ipv4: [], ipv6: [] };
  private readonly sidesByName = new Map<string, Set<Side>>();
  private lastInterface: CaptureInterface | undefined = undefined;
  private lastSide: number = BY_ADDRESS;

  /** @param side overrides both name and address */
  constructor(
    topology: Topology,
    private readonly side?: CapturedSide,
  ) {
    for (const text of Object.values(topology.itms.address)) this.addServer(text, Side.Itms);
    for (const collector of topology.collectors) {
      for (const text of Object.values(collector.address)) this.addServer(text, Side.Collector);
    }
    for (const name of cpeInterfaceNames(topology)) this.add(name, Side.Cpe);
    this.add(topology.itms.interface, Side.Itms);
    for (const collector of topology.collectors) this.add(collector.interface, Side.Collector);
  }

  /** @param ipAt offset of the IP header, of which `length` bytes are here; 0 when there is none */
  sideOf(captureInterface: CaptureInterface, bytes: Uint8Array, ipAt: number, length: number): number {
    if (captureInterface !== this.lastInterface) {
      this.lastInterface = captureInterface;
      this.lastSide = this.sideByName(captureInterface.name);
    }
    return this.lastSide === BY_ADDRESS ? this.sideByAddress(bytes, ipAt, length) : this.lastSide;
  }

  private sideByName(name: string): number {
    if (this.side) return SIDES.indexOf(this.side);
    const sides = this.sidesByName.get(name);
    // The name of an interface that two sides share tells nothing.
    return sides?.size === 1 ? [...sides][0] : BY_ADDRESS;
  }

  private sideByAddress(bytes: Uint8Array, ipAt: number, length: number): number {
    const version = length > 0 ? bytes[ipAt] >>> 4 : 0;
    if (version === 4 && length >= ipv4.MIN_HEADER_BYTES) {
      return sideOfServer(this.servers.ipv4, bytes, ipAt + ipv4.SOURCE);
    }
    if (version === 6 && length >= ipv6.HEADER_BYTES) {
      return sideOfServer(this.servers.ipv6, bytes, ipAt + ipv6.SOURCE);
    }
    return Side.Cpe;
  }

  private addServer(text: string, side: Side): void {
    const address = parseAddress(text);
    if (address) this.servers[familyOf(address)].push({ address, side });
  }

  private add(name: string, side: Side): void {
    const sides = this.sidesByName.get(name) ?? new Set<Side>();
    this.sidesByName.set(name, sides.add(side));
  }
}

/** The side of the source address at `at`: that of a server, else the CPEs'. */
function sideOfServer(servers: readonly Server[], bytes: Uint8Array, at: number): Side {
  const first = readI32(bytes, at);
  for (let i = 0; i < servers.length; i++) {
    const { address, side } = servers[i];
    if (address[0] === first && standsAt(address, bytes, at)) return side;
  }
  return Side.Cpe;
}

function standsAt(address: Address, bytes: Uint8Array, at: number): boolean {
  let word = 1;
  while (word < address.length && readI32(bytes, at + 4 * word) === address[word]) word++;
  return word === address.length;
}

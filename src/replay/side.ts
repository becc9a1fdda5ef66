/**
 * Which of the splitter's interfaces a captured packet came in on. A capture's interface name says so where it is one
 * of the configuration's and stands for one side; else the source address does. [P2]
 */
import { parseIpv4 } from '../packet/address';
import { readI32 } from '../packet/bytes';
import * as ipv4 from '../packet/ipv4';
import { type Topology } from '../splitter/topology';
import { type CaptureInterface } from './capture-reader';

/** By queue number: 0 first, 1 second, 2 third interface. */
export const SIDES = ['cpe', 'itms', 'collector'] as const;
export type SideName = (typeof SIDES)[number];

const enum Queue {
  Cpe = 0,
  Itms = 1,
  Collector = 2,
}
const BY_ADDRESS = -1;

export class SideChooser {
  private readonly itmsAddress: number;
  private readonly collectorAddresses: Int32Array;
  private readonly sidesByName = new Map<string, Set<Queue>>();
  private lastInterface: CaptureInterface | undefined = undefined;
  private lastQueue: number = BY_ADDRESS;

  /** @param side overrides both name and address */
  constructor(
    topology: Topology,
    private readonly side?: SideName,
  ) {
    this.itmsAddress = parseIpv4(topology.itms.address.ipv4 ?? '') ?? 0;
    this.collectorAddresses = Int32Array.from(topology.collectors, (one) => parseIpv4(one.address.ipv4 ?? '') ?? 0);
    this.add(topology.cpe.interface, Queue.Cpe);
    this.add(topology.itms.interface, Queue.Itms);
    for (const collector of topology.collectors) this.add(collector.interface, Queue.Collector);
  }

  /** @param ipAt offset of the IP header, of which `length` bytes are here; 0 when there is none */
  queueOf(captureInterface: CaptureInterface, bytes: Uint8Array, ipAt: number, length: number): number {
    if (captureInterface !== this.lastInterface) {
      this.lastInterface = captureInterface;
      this.lastQueue = this.queueByName(captureInterface.name);
    }
    return this.lastQueue === BY_ADDRESS ? this.queueByAddress(bytes, ipAt, length) : this.lastQueue;
  }

  private queueByName(name: string): number {
    if (this.side) return SIDES.indexOf(this.side);
    const sides = this.sidesByName.get(name);
    // An interface that two sides share says nothing.
    return sides?.size === 1 ? [...sides][0] : BY_ADDRESS;
  }

  private queueByAddress(bytes: Uint8Array, ipAt: number, length: number): number {
    if (length < ipv4.MIN_HEADER_BYTES || bytes[ipAt] >>> 4 !== 4) return Queue.Cpe;
    const source = readI32(bytes, ipAt + ipv4.SOURCE);
    if (source === this.itmsAddress) return Queue.Itms;
    for (let i = 0; i < this.collectorAddresses.length; i++) {
      if (source === this.collectorAddresses[i]) return Queue.Collector;
    }
    return Queue.Cpe;
  }

  private add(name: string, side: Queue): void {
    const sides = this.sidesByName.get(name) ?? new Set<Queue>();
    this.sidesByName.set(name, sides.add(side));
  }
}

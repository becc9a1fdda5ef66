/** What every part of the reference sees: the world, the packet in hand, the time, and the memory. */
import { Memory } from './memory';
import { type ReadPacket } from './packet';

export type Mode = 'auto' | 'fin' | 'response' | 'off';

export interface World {
  acs: string;
  itms: string;
  /** Name to address. */
  collectors: Record<string, string>;
  isCpe: (address: string) => boolean;
  reportPorts: readonly number[];
  itmsPorts: readonly number[];
}

/** Addresses as text (RFC 5952), ports as numbers. */
export interface Ends {
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
}

/** What becomes of a packet. */
export type Decision = 'dropped' | 'untouched' | Ends;

/**
 * Which tables of the core may be full, where that is not for the reference to know: the dead that are not yet swept
 * take room. The reference then looks at what was done, and into the core's tables.
 */
export interface Room {
  requests: boolean;
  activations: boolean;
  reports: boolean;
  hasRequest(cpe: string, cpePort: number, port: number): boolean;
  hasActivation(cpe: string): boolean;
}

export const ITMS = 'itms';

export class Context {
  memory = new Memory();
  isPaused = false;
  packet: ReadPacket = NO_PACKET;
  /** What the core did with the packet in hand; looked at only where the design leaves a choice. */
  observed: Decision = 'untouched';
  nowMs = 0;
  /** The packet in hand met a full table: a stated limit. */
  isLimited = false;
  /** SYNs diverted though they were pinned long ago: the pin cache is small, and this is its stated limit. */
  forgottenPins = 0;
  diverted = 0;

  /** @param room undefined: every entry in `capacity` is alive, and the reference counts them */
  constructor(
    public world: World,
    readonly mode: Mode,
    readonly capacity: number,
    readonly room?: Room,
  ) {}

  isConfigured(owner: string): boolean {
    return owner === ITMS || owner in this.world.collectors;
  }

  /** The name of the server at an address; empty if there is none. */
  serverAt(address: string): string {
    if (address === this.world.itms) return ITMS;
    return Object.keys(this.world.collectors).find((name) => this.world.collectors[name] === address) ?? '';
  }

  /** The packet goes on to a server. */
  to(owner: string, port = this.packet.destinationPort): Ends {
    const { source, sourcePort } = this.packet;
    const destination = this.world.collectors[owner] ?? this.world.itms;
    return { source, sourcePort, destination, destinationPort: port };
  }

  /** The packet goes on to the CPE, which sees the ACS. */
  asAcs(port = this.packet.sourcePort): Ends {
    const { destination, destinationPort } = this.packet;
    return { source: this.world.acs, sourcePort: port, destination, destinationPort };
  }

  wentToItms(): boolean {
    return typeof this.observed === 'object' && this.observed.destination === this.world.itms;
  }
}

const NO_PACKET: ReadPacket = {
  source: '',
  destination: '',
  sourcePort: 0,
  destinationPort: 0,
  sequence: 0,
  acknowledgement: 0,
  syn: false,
  ack: false,
  fin: false,
  rst: false,
  payload: '',
};

/** What every part of the reference uses: the world, the current packet, the time, and the memory. */
import { type Activation, isAsked, nothing } from './activations';
import { type Connection, Memory, PIN_MS } from './memory';
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

/** What the core's tables hold after the packet, looked at only where the design leaves a choice. */
export interface Tables {
  hasRequest(cpe: string, cpePort: number, port: number): boolean;
  hasReport(cpe: string, cpePort: number, port: number): boolean;
  hasActivation(cpe: string): boolean;
}

/**
 * Which tables of the core may be full, where that is not for the reference to know: the dead that are not yet swept
 * take room. The reference then looks at what was done, and into the core's tables.
 */
export interface Room extends Omit<Tables, 'hasReport'>, Partial<Pick<Tables, 'hasReport'>> {
  requests: boolean;
  activations: boolean;
  reports: boolean;
}

export const ITMS = 'itms';

/** After this many other SYNs the pin cache (65 536 places) may have forgotten one; before, hardly ever. */
const SURE_PINS = 400;

export class Context {
  memory = new Memory();
  isPaused = false;
  /** Collectors that take no session at present. */
  readonly unusable = new Set<string>();
  packet: ReadPacket = NO_PACKET;
  /** What the core did with the packet in hand; looked at only where the design leaves a choice. */
  observed: Decision = 'untouched';
  /** Why the packet in hand is decided as it is. */
  reason = '';
  nowMs = 0;
  /** The packet in hand met a full table: a stated limit. */
  isLimited = false;
  /** SYNs diverted though they were pinned long ago: the pin cache is small, and this is its stated limit. */
  forgottenPins = 0;
  /** Writes of a pin so far. */
  pins = 0;
  diverted = 0;

  /**
   * @param room undefined: every entry in `capacity` is alive, and the reference counts them
   * @param tables which of several equally old entries has given way
   */
  constructor(
    public world: World,
    readonly mode: Mode,
    readonly capacity: number,
    readonly room?: Room,
    readonly tables?: Tables,
  ) {}

  /** This SYN went to the ITMS before. @param observed what the core seems to remember, once it may have forgotten */
  isPinned(cpe: string, cpePort: number, port: number, isn: number, observed: boolean): boolean {
    const pin = this.memory.of(cpe).pinOf(cpePort, port, isn);
    if (!pin || this.nowMs - pin.atMs > PIN_MS) return false;
    if (this.pins - pin.serial < SURE_PINS || observed) return true;
    this.forgottenPins++;
    return false;
  }

  isConfigured(owner: string): boolean {
    return owner === ITMS || owner in this.world.collectors;
  }

  /** The name of the server at an address; empty if there is none. */
  serverAt(address: string): string {
    if (address === this.world.itms) return ITMS;
    return Object.keys(this.world.collectors).find((name) => this.world.collectors[name] === address) ?? '';
  }

  // ---- decisions ----

  drop(reason: string): Decision {
    this.reason = reason;
    return 'dropped';
  }

  leave(reason: string): Decision {
    this.reason = reason;
    return 'untouched';
  }

  /** Forwards the packet to a server; to the ITMS if that server is no longer configured. */
  to(owner: string, reason: string, port = this.packet.destinationPort): Ends {
    const isKnown = this.isConfigured(owner);
    this.reason = isKnown ? reason : 'owner-gone';
    const { source, sourcePort } = this.packet;
    const destination = this.world.collectors[owner] ?? this.world.itms;
    return { source, sourcePort, destination, destinationPort: port };
  }

  /** Forwards the packet to the CPE, which sees the ACS. */
  asAcs(reason: string, port = this.packet.sourcePort): Ends {
    this.reason = reason;
    const { destination, destinationPort } = this.packet;
    return { source: this.world.acs, sourcePort: port, destination, destinationPort };
  }

  wentToItms(): boolean {
    return typeof this.observed === 'object' && this.observed.destination === this.world.itms;
  }

  // ---- activations ----

  activation(cpe: string): Activation | undefined {
    return this.memory.of(cpe).activation(this.nowMs);
  }

  /** The CPE's entry, new if necessary; undefined when there is no room. */
  claimActivation(cpe: string): Activation | undefined {
    const known = this.activation(cpe);
    if (known || !this.hasRoomFor(cpe)) return known;
    const one = nothing(this.nowMs);
    this.memory.of(cpe).setActivation(one);
    return one;
  }

  private hasRoomFor(cpe: string): boolean {
    const { room, memory, nowMs, capacity } = this;
    if (room) return !room.activations || room.hasActivation(cpe);
    return memory.activations(nowMs).length < capacity;
  }

  /** Ends what an activation diverts; that the CPE is asked stays. */
  endActivation(cpe: string): void {
    const known = this.activation(cpe);
    if (!known) return;
    if (!isAsked(known, this.nowMs)) this.memory.of(cpe).setActivation(undefined);
    else Object.assign(known, { phase: 'none', owner: '', grace: undefined, unheardMs: undefined });
  }

  /** The activation that a report connection has used up. */
  usedBy({ cpe, cpePort, port }: Connection): Activation | undefined {
    const known = this.activation(cpe);
    const isUsed = known?.phase === 'consumed' || known?.phase === 'grace';
    return isUsed && known.cpePort === cpePort && known.port === port ? known : undefined;
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
  window: 0,
  windowScale: undefined,
  isChecksumRight: true,
  payload: '',
};

/**
 * What the engine asks of the fast path (src/steering/fast-path). The command that starts the engine hands it in, since
 * folders of one rank do not import each other.
 */
import { type Address, type Family } from '../../packet/address';
import { type Topology } from '../../splitter/topology';

/** Whether the kernel carries what needs no decision. `auto`: where it can; `on`: or the engine does not start. */
export type FastPathMode = 'off' | 'auto' | 'on';

/** Descriptors that a worker inherits to mirror the report table. */
export interface MirrorMaps {
  control: number;
  flows4: number;
  flows6: number;
  /** A ring buffer: copies of packets that were carried. */
  overheard: number;
}

export interface FastPathStatus {
  /** The program is in the kernel. False with `auto`: this host cannot, and nothing but another kernel or right mends it. */
  loaded: boolean;
  /** Packets are carried: the program is attached and its mirror of the report table is complete. */
  carries: boolean;
  /** Interfaces that it is attached to. */
  interfaces: string[];
  /** Why it does not carry, or not everywhere; otherwise null. */
  reason: string | null;
  /** Since it was loaded, by what became of them: carried, or why not. Only those that occurred. */
  packets: Partial<Record<string, number>>;
}

/** As `status` has it. */
export interface FastPathReport extends FastPathStatus {
  mode: FastPathMode;
  /** Diverted connections that the kernel carries. */
  flows: number;
}

export interface FastPath {
  /** What may become of a packet. */
  readonly outcomes: readonly string[];
  /** Loads the program, or takes over from a dead engine. @throws Error whose message says why not */
  open(capacityEntries: number): MirrorMaps;
  /** What keeps it from carrying by this topology, on this host, now. */
  obstacle(topology: Topology): Promise<string | undefined>;
  /** Carries by this topology from now on. Answers as `look`. */
  carry(topology: Topology): Promise<string | undefined>;
  /** Attaches where that is missing, detaches where it must; why it does not carry, or not everywhere. @throws Error */
  look(): Promise<string | undefined>;
  /** Packets of this CPE come to the engine until `forMs` after `nowMs`. */
  watch(cpe: Address, nowMs: number, forMs: number): void;
  /** The engine is alive until `untilMs`, CLOCK_BOOTTIME, unless it says so again; 0: for ever. */
  beat(untilMs: number): void;
  status(): FastPathStatus;
  /** Keys and values of the diverted connections by which it carries, one after the other; undefined: not loaded. */
  flows(family: Family): Uint8Array | undefined;
  /** What is attached stays. */
  close(): void;
  /** Takes away what is attached. */
  remove(): void;
}

/**
 * Mirrors the report table into the maps of the fast path. The table is the truth of which connections there are: each
 * change reaches the map while the packet is decided, before its verdict leaves. Either the engine or the program has a
 * connection, and writes its numbers (FlowState):
 *
 *     SYN of the CPE      the engine's
 *     SYN+ACK             offered; the CPE's valid ACK makes it the program's, which carries ACKs and data
 *     SYN, FIN, RST, ...  handed to the engine, which takes the numbers and decides all packets
 *     quiet again         given back, unless it is closing
 *
 * A worker that takes over repairs what its predecessor left half done. docs/decisions/fast-path.md
 */
import { type Family } from '../../packet/address';
import { type FamilyState } from '../../splitter/memory/family-state';
import { type Servers } from '../../splitter/memory/servers';
import { Seen } from '../../tables/connection-row';
import { type ConnectionTable } from '../../tables/connection-table';
import { Cause, Change, type FlowListener, type FlowTable } from '../../tables/flow-port';
import { FLOW_BYTES, NUMBERS_AT, FlowState, FlowValue, FlowWord, takeNumbers, touch } from './flow-value';

/** Cells of the map `control`: enum control in native/fast-path/layout.h. */
const enum Cell {
  Open = 1,
  OfferedMs = 3,
  CarriedMs,
}
/** Between two attempts to complete the mirror. */
const RETRY_MS = 1000;
/** A connection without packets for so long is given back: none of its packets waits in a queue. */
const QUIET_MS = 20;
/** Given back in one step. */
const MOST_AT_ONCE = 256;
/** Slots looked at in one step for carried connections, and how many of these are read. */
const LOOKED_AT = 512;
const REFRESHED = 64;

/** The bits that say where a connection stands; below are those of its life, above its owner. */
const STANDING = 0xffff & ~(Seen.Remapped | Seen.Carried);
const ACCEPTED = Seen.Syn | Seen.Learned;
const ESTABLISHED = ACCEPTED | Seen.Answer;

/** BPF maps by descriptor. `isLocked`: the value has a lock that the program takes. */
export interface Maps {
  updateMap(fd: number, key: Uint8Array, value: Uint8Array, isLocked?: boolean): void;
  deleteFromMap(fd: number, key: Uint8Array): boolean;
  readMap(fd: number, key: Uint8Array, value: Uint8Array, isLocked?: boolean): boolean;
  readMapEntries(fd: number): Uint8Array;
}

type MirroredFamily = Pick<FamilyState, 'family' | 'reportConnections' | 'servers' | 'lives' | 'confirmUnseen'>;

/** What the mirror follows. */
export interface Mirrored {
  listen(listener: FlowListener | undefined): void;
  state: { families: readonly MirroredFamily[] };
}

/** One family's map, and what it mirrors. */
interface Side {
  fd: number;
  words: number;
  key: Uint8Array;
  keyView: DataView;
  state: MirroredFamily | undefined;
  entries: ConnectionTable | undefined;
  servers: Servers | undefined;
  /** The slot last refreshed. */
  cursor: number;
}

export interface Connection {
  family: Family;
  cpe: Int32Array;
  cpePort: number;
  port: number;
}

/** A connection by its key. */
interface Noted {
  one: Side;
  key: Uint8Array;
}

export class FlowMirror implements FlowListener {
  private readonly sides: Record<Family, Side>;
  private followed: Mirrored | undefined;
  private readonly value = new FlowValue();
  /** For expiry, which may come in the middle of everything. */
  private readonly kept = new FlowValue();
  private isRepairing = false;
  /** The map has no room for the connection just opened. */
  private isRefused = false;
  /** Why the mirror lacks an entry. */
  private lack: Error | undefined;
  private triedMs = 0;
  /** A copy of a packet is being decided: the numbers before it. */
  private copy: Int32Array | undefined;
  /** The engine's connections that had a packet in this batch. */
  private readonly fresh: Noted[] = [];
  /** Those to give back once they are quiet. */
  private readonly waiting = new Map<string, Noted>();

  /**
   * @param bootMs CLOCK_BOOTTIME @param onLack told once when the mirror cannot be complete, and with undefined when it is
   *   again
   */
  constructor(
    private readonly maps: Maps,
    private readonly control: number,
    flows: Record<Family, number>,
    private readonly bootMs: () => number,
    private readonly onLack: (error: Error | undefined) => void,
  ) {
    this.sides = { ipv4: side(flows.ipv4, 1), ipv6: side(flows.ipv6, 4) };
  }

  /** Mirrors this splitter's table from now on. */
  follow(splitter: Mirrored): void {
    this.followed = splitter;
    for (const state of splitter.state.families) {
      const one = this.sides[state.family];
      one.state = state;
      one.entries = state.reportConnections;
      one.servers = state.servers;
      this.set(Cell.OfferedMs, state.lives.reports.unansweredMs);
      this.set(Cell.CarriedMs, state.lives.reports.establishedMs);
    }
    this.repair();
  }

  /** The kernel alone has sent CPEs to the ITMS: connections that it has taken away are gone. */
  takenOver(): void {
    this.repair();
  }

  /** Before the verdicts of a batch leave: offers the connections that it has opened. */
  settle(): void {
    for (const noted of this.fresh) {
      const slot = find(noted);
      if (slot < 0) continue;
      const entries = noted.one.entries!;
      if (standing(entries, slot) === ACCEPTED) this.give(noted.one, slot, FlowState.Offered);
      else if (!entries.isClosing(slot)) this.waiting.set(Buffer.from(noted.key).toString('latin1'), noted);
    }
    this.fresh.length = 0;
  }

  /** Gives back what is quiet, and tries again to complete the mirror. Call it often. */
  mend(nowMs: number): void {
    this.giveBack();
    for (const one of Object.values(this.sides)) this.refresh(one);
    if (this.lack === undefined || nowMs - this.triedMs < RETRY_MS) return;
    this.triedMs = nowMs;
    this.repair();
  }

  /**
   * Lets `decide` learn from a copy of a packet that was carried. @param words the numbers before it
   *
   * @returns false for a connection that is no longer there
   */
  hear({ family, cpe, cpePort, port }: Connection, words: Int32Array, decide: () => void): boolean {
    const { entries } = this.sides[family];
    const slot = entries?.find(cpe, cpePort, port) ?? -1;
    if (slot < 0 || entries!.isn(slot) !== words[FlowWord.Isn]) return false;
    this.copy = words;
    try {
      decide();
    } finally {
      this.copy = undefined;
    }
    return true;
  }

  told(table: FlowTable, slot: number, change: Change, cause: Cause): void {
    if (table.name !== 'reportConnections') return;
    const one = this.sides[table.family];
    if (change === Change.Ended) this.drop(one, slot);
    else if (change === Change.Opened && cause === Cause.Standing) this.stands(one, slot);
    else if (change === Change.Opened) this.isRefused = !this.put(one, slot);
  }

  cleared(table: FlowTable): void {
    // While repairing, it only announces what stands: entries must not be missing in between.
    if (table.name === 'reportConnections' && !this.isRepairing) this.repair();
  }

  isCarried(table: FlowTable): boolean {
    return table.name !== 'reportConnections' || !this.isRefused;
  }

  isKept(table: FlowTable, slot: number): boolean {
    if (table.name !== 'reportConnections') return false;
    const one = this.sides[table.family];
    const entries = one.entries!;
    if (!entries.has(slot, Seen.Carried) || !this.read(one, slot, this.kept)) return false;
    if (this.kept.state === FlowState.Gone) return false;
    touch(entries, slot, this.kept.words, this.bootMs());
    return entries.table.remainingMs(slot) >= 0;
  }

  learn(table: FlowTable, slot: number, isOwners: boolean): void {
    if (table.name !== 'reportConnections') return;
    const one = this.sides[table.family];
    const entries = one.entries!;
    if (!entries.has(slot, Seen.Carried)) return this.note(one, slot);
    const { copy, value } = this;
    if (copy) return takeNumbers(entries, slot, copy, this.bootMs());
    if (!this.read(one, slot, value)) return entries.unmark(slot, Seen.Carried);
    if (value.state === FlowState.Gone) return this.gone(entries, slot);
    if (value.state === FlowState.Offered) return;
    if (value.state === FlowState.Carried) {
      takeNumbers(entries, slot, value.words, this.bootMs());
      // The program has not seen this packet, or the engine was not told of the first ACK.
      if (isOwners || !entries.isAnswered(slot)) this.take(one, slot);
      return;
    }
    this.take(one, slot);
  }

  /** While the kernel served alone, the CPE has opened another connection on these ports: its next SYN is decided afresh. */
  private gone(entries: ConnectionTable, slot: number): void {
    entries.unmark(slot, Seen.Carried);
    entries.mark(slot, Seen.RstOfCpe);
  }

  /** The engine has the connection from now on. The map's value has been read. */
  private take(one: Side, slot: number): void {
    const { value } = this;
    const entries = one.entries!;
    if (value.state !== FlowState.OfEngine) {
      takeNumbers(entries, slot, value.words, this.bootMs());
      value.words[FlowWord.State] = FlowState.OfEngine;
      this.maps.updateMap(one.fd, one.key, value.bytes, true);
    }
    entries.unmark(slot, Seen.Carried);
    this.note(one, slot);
  }

  /** The program has it, or will have it. */
  private give(one: Side, slot: number, state: FlowState): void {
    const entries = one.entries!;
    const owner = entries.owner(slot);
    if (!one.servers!.isConfigured(owner)) return;
    this.setKey(one, slot);
    this.value.fill(entries, slot, state, one.servers!.addressOf(owner), this.bootMs());
    // First: a worker that is killed in between must not take the row's numbers for the latest.
    entries.mark(slot, Seen.Carried);
    this.maps.updateMap(one.fd, one.key, this.value.bytes, true);
  }

  private giveBack(): void {
    let rest = Math.min(MOST_AT_ONCE, this.waiting.size);
    for (const [name, noted] of this.waiting) {
      if (rest-- === 0) return;
      const slot = find(noted);
      const entries = noted.one.entries!;
      let isWaiting = false;
      if (slot >= 0 && !entries.isClosing(slot) && !entries.has(slot, Seen.Carried)) {
        const isQuiet = entries.idleMs(slot) >= QUIET_MS;
        if (isQuiet && standing(entries, slot) === ESTABLISHED) this.give(noted.one, slot, FlowState.Carried);
        else isWaiting = true;
      }
      this.waiting.delete(name);
      // Behind the others, so that each has its turn.
      if (isWaiting) this.waiting.set(name, noted);
    }
  }

  /** Tells those who read the table when some carried connections had their last packet. */
  private refresh(one: Side): void {
    const { entries } = one;
    if (entries === undefined) return;
    let rest = REFRESHED;
    for (let looked = 0; looked < LOOKED_AT && rest > 0; looked++) {
      one.cursor = one.cursor + 1 < entries.table.slotCount ? one.cursor + 1 : 0;
      if (entries.table.state(one.cursor) === 0 || !entries.has(one.cursor, Seen.Carried)) continue;
      if (this.read(one, one.cursor, this.kept)) touch(entries, one.cursor, this.kept.words, this.bootMs());
      rest--;
    }
  }

  /**
   * Puts all entries into the map, then removes those that are left over, and the entries whose connections the kernel
   * alone has given to the ITMS. While one is missing, nothing is carried.
   */
  private repair(): void {
    const before = this.lack;
    this.lack = undefined;
    this.isRepairing = true;
    try {
      this.followed?.listen(this);
      for (const one of Object.values(this.sides)) this.sweep(one);
      this.settle();
    } catch (error) {
      this.lack = error as Error;
    } finally {
      this.isRepairing = false;
    }
    this.set(Cell.Open, this.lack === undefined ? 1 : 0);
    if ((before === undefined) !== (this.lack === undefined)) this.onLack(this.lack);
  }

  /** An entry of a table that was there before. */
  private stands(one: Side, slot: number): void {
    const { value } = this;
    const entries = one.entries!;
    if (!this.read(one, slot, value) || value.words[FlowWord.Isn] !== entries.isn(slot)) {
      forget(one.state!, slot);
      if (!this.put(one, slot)) throw this.lack ?? new Error('the map is full');
    } else if (value.state === FlowState.OfEngine) {
      entries.unmark(slot, Seen.Carried);
    } else if (value.state !== FlowState.Gone) {
      entries.mark(slot, Seen.Carried);
      const owner = entries.owner(slot);
      const isSame = one.servers!.isConfigured(owner) && value.isAt(one.servers!.addressOf(owner));
      if (!isSame) this.take(one, slot);
    }
    if (!entries.has(slot, Seen.Carried)) this.note(one, slot);
  }

  private sweep(one: Side): void {
    const all = this.maps.readMapEntries(one.fd);
    const step = one.key.length + FLOW_BYTES;
    for (let at = 0; at < all.length; at += step) {
      const key = all.slice(at, at + one.key.length);
      const words = new Int32Array(all.slice(at + one.key.length + NUMBERS_AT, at + step).buffer);
      const slot = one.entries ? find({ one, key }) : -1;
      const isGone = (words[FlowWord.State] as FlowState) === FlowState.Gone;
      if (slot < 0) this.maps.deleteFromMap(one.fd, key);
      else if (isGone && words[FlowWord.Isn] === one.entries!.isn(slot)) one.entries!.remove(slot, Cause.Takeover);
    }
  }

  /** False when the map has no room for it. */
  private put(one: Side, slot: number): boolean {
    const entries = one.entries!;
    const owner = entries.owner(slot);
    const servers = one.servers!;
    const server = servers.isConfigured(owner) ? servers.addressOf(owner) : servers.itmsAddress;
    this.setKey(one, slot);
    this.value.fill(entries, slot, FlowState.OfEngine, server, this.bootMs());
    try {
      this.maps.updateMap(one.fd, one.key, this.value.bytes, true);
      entries.unmark(slot, Seen.Carried);
      return true;
    } catch (error) {
      if (this.isRepairing) throw error;
      return false;
    }
  }

  /** An entry that stays too long only makes its packets slow. */
  private drop(one: Side, slot: number): void {
    this.setKey(one, slot);
    this.maps.deleteFromMap(one.fd, one.key);
  }

  private note(one: Side, slot: number): void {
    this.setKey(one, slot);
    this.fresh.push({ one, key: one.key.slice() });
  }

  private set(cell: Cell, value: number): void {
    this.maps.updateMap(this.control, nativeWord(cell), nativeWord(value));
  }

  private read(one: Side, slot: number, value: FlowValue): boolean {
    this.setKey(one, slot);
    return this.maps.readMap(one.fd, one.key, value.bytes, true);
  }

  /** struct flow4_key and flow6_key, in network order. */
  private setKey({ keyView, entries }: Side, slot: number): void {
    if (entries === undefined) throw new Error('told of a family that is not configured');
    const cpe = entries.cpe(slot);
    for (let word = 0; word < cpe.length; word++) keyView.setInt32(word * 4, cpe[word]);
    keyView.setUint16(cpe.length * 4, entries.cpePort(slot));
    keyView.setUint16(cpe.length * 4 + 2, entries.visiblePort(slot));
  }
}

/**
 * The program that carried these connections is gone, and their latest numbers with it: servers' next packets tell new ones.
 */
export function forgetCarried(families: readonly MirroredFamily[]): void {
  for (const state of families) {
    const { table } = state.reportConnections;
    for (let slot = 0; slot < table.slotCount; slot++) if (table.state(slot) !== 0) forget(state, slot);
  }
}

function forget(state: MirroredFamily, slot: number): void {
  const { reportConnections: entries } = state;
  if (!entries.has(slot, Seen.Carried)) return;
  entries.unmark(slot, Seen.Carried | Seen.Learned);
  // The program may have confirmed it, and nobody has told.
  if (!entries.isAnswered(slot)) state.confirmUnseen(slot);
}

function standing(entries: ConnectionTable, slot: number): number {
  return entries.table.state(slot) & STANDING;
}

/** Slot of a noted connection, or -1. */
function find({ one, key }: Noted): number {
  const view = new DataView(key.buffer, key.byteOffset);
  const cpe = new Int32Array(one.words);
  for (let word = 0; word < one.words; word++) cpe[word] = view.getInt32(word * 4);
  return one.entries!.find(cpe, view.getUint16(one.words * 4), view.getUint16(one.words * 4 + 2));
}

function side(fd: number, words: number): Side {
  const key = new Uint8Array(words * 4 + 4);
  return {
    fd,
    words,
    key,
    keyView: new DataView(key.buffer),
    state: undefined,
    entries: undefined,
    servers: undefined,
    cursor: 0,
  };
}

function nativeWord(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

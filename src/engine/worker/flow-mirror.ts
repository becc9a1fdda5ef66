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
import { type Address, type Family, familyOf } from '../../packet/address';
import { Seen } from '../../tables/connection-row';
import { type ConnectionTable } from '../../tables/connection-table';
import { Cause, Change, type FlowListener, type FlowTable } from '../../tables/flow-port';
import { FLOW_BYTES, NUMBERS_AT, FlowState, FlowValue, FlowWord, takeNumbers, touch } from '../shared/flow-value';
import { GiveBack } from './give-back';
import { type MirroredFamily, MirroredTable } from '../shared/mirrored-table';

/** Cells of the map `control`: enum control in native/fast-path/layout.h. */
const enum Cell {
  Open = 1,
  OfferedMs = 3,
  CarriedMs,
}
/** Between two attempts to complete the mirror. */
const RETRY_MS = 1000;
/** Slots looked at in one step for carried connections, and how many of these are read. */
const LOOKED_AT = 512;
const REFRESHED = 64;

/** BPF maps by descriptor. `isLocked`: the value has a lock that the program takes. */
export interface Maps {
  updateMap(fd: number, key: Uint8Array, value: Uint8Array, isLocked?: boolean): void;
  deleteFromMap(fd: number, key: Uint8Array): boolean;
  readMap(fd: number, key: Uint8Array, value: Uint8Array, isLocked?: boolean): boolean;
  readMapEntries(fd: number): Uint8Array;
}

/** What the mirror follows. */
export interface Mirrored {
  listen(listener: FlowListener | undefined): void;
  state: { families: readonly MirroredFamily[] };
}

export class FlowMirror implements FlowListener {
  private readonly mirrored: Record<Family, MirroredTable>;
  private readonly tables: readonly MirroredTable[];
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
  /** Connections that the program has, or will have. */
  private carried = 0;
  private readonly givingBack = new GiveBack((one, slot, state) => this.give(one, slot, state));

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
    this.mirrored = { ipv4: new MirroredTable(flows.ipv4, 1), ipv6: new MirroredTable(flows.ipv6, 4) };
    this.tables = Object.values(this.mirrored);
  }

  /** Mirrors this splitter's table from now on. */
  follow(splitter: Mirrored): void {
    this.followed = splitter;
    for (const state of splitter.state.families) {
      this.mirrored[state.family].follow(state);
      this.set(Cell.OfferedMs, state.lives.reports.unansweredMs);
      this.set(Cell.CarriedMs, state.lives.reports.establishedMs);
    }
    this.repair();
  }

  /** Diverted connections that the program has, or will have with the CPE's next ACK. */
  get flows(): number {
    return this.carried;
  }

  /** The kernel alone has sent CPEs to the ITMS: connections that it has taken away are gone. */
  takenOver(): void {
    this.repair();
  }

  /** Before the verdicts of a batch leave: offers the connections that it has opened. */
  settle(): void {
    this.givingBack.settle();
  }

  /** Gives back what is quiet, and tries again to complete the mirror. Call it often. */
  mend(nowMs: number): void {
    this.givingBack.mend(this.tables);
    for (const one of this.tables) this.refresh(one);
    if (this.lack === undefined || nowMs - this.triedMs < RETRY_MS) return;
    this.triedMs = nowMs;
    this.repair();
  }

  /**
   * From now to `heard`, the splitter decides a copy of a packet that was carried. @param words the numbers before it
   *
   * @returns false for a connection that is no longer there
   */
  hears(cpe: Address, cpePort: number, port: number, words: Int32Array): boolean {
    const { entries } = this.mirrored[familyOf(cpe)];
    const slot = entries?.find(cpe, cpePort, port) ?? -1;
    if (slot < 0 || entries!.isn(slot) !== words[FlowWord.Isn]) return false;
    this.copy = words;
    return true;
  }

  heard(): void {
    this.copy = undefined;
  }

  told(table: FlowTable, slot: number, change: Change, cause: Cause): void {
    if (table.name !== 'reportConnections') return;
    const one = this.mirrored[table.family];
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
    const one = this.mirrored[table.family];
    const entries = one.entries!;
    if (!entries.has(slot, Seen.Carried) || !this.read(one, slot, this.kept)) return false;
    if (this.kept.state === FlowState.Gone) return false;
    touch(entries, slot, this.kept.words, this.bootMs());
    return entries.table.remainingMs(slot) >= 0;
  }

  learn(table: FlowTable, slot: number, isOwners: boolean): void {
    if (table.name !== 'reportConnections') return;
    const one = this.mirrored[table.family];
    const entries = one.entries!;
    if (!entries.has(slot, Seen.Carried)) return this.givingBack.note(one, slot);
    const { copy, value } = this;
    if (copy) return takeNumbers(entries, slot, copy, this.bootMs());
    if (!this.read(one, slot, value)) return this.unmark(entries, slot);
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
    this.unmark(entries, slot);
    entries.mark(slot, Seen.RstOfCpe);
  }

  /** The engine has the connection from now on. The map's value has been read. */
  private take(one: MirroredTable, slot: number): void {
    const { value } = this;
    const entries = one.entries!;
    if (value.state !== FlowState.OfEngine) {
      takeNumbers(entries, slot, value.words, this.bootMs());
      value.words[FlowWord.State] = FlowState.OfEngine;
      this.maps.updateMap(one.fd, one.key, value.bytes, true);
    }
    this.unmark(entries, slot);
    this.givingBack.note(one, slot);
  }

  /** The program has it, or will have it. */
  private give(one: MirroredTable, slot: number, state: FlowState): void {
    const entries = one.entries!;
    const owner = entries.owner(slot);
    if (!one.servers!.isConfigured(owner)) return;
    one.setKey(slot);
    this.value.fill(entries, slot, state, one.servers!.addressOf(owner), this.bootMs());
    // First: a worker that is killed in between must not take the row's numbers for the latest.
    this.mark(entries, slot);
    this.maps.updateMap(one.fd, one.key, this.value.bytes, true);
  }

  /** Tells those who read the table when some carried connections had their last packet. */
  private refresh(one: MirroredTable): void {
    const { entries } = one;
    if (entries === undefined) return;
    let rest = REFRESHED;
    for (let looked = 0; looked < LOOKED_AT && rest > 0; looked++) {
      const slot = (one.refreshed = one.refreshed + 1 < entries.table.slotCount ? one.refreshed + 1 : 0);
      if (entries.table.state(slot) === 0 || !entries.has(slot, Seen.Carried)) continue;
      if (this.read(one, slot, this.kept)) touch(entries, slot, this.kept.words, this.bootMs());
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
    this.carried = 0;
    try {
      this.followed?.listen(this);
      for (const one of this.tables) this.sweep(one);
      for (const one of this.tables) this.givingBack.scan(one);
    } catch (error) {
      this.lack = error as Error;
    } finally {
      this.isRepairing = false;
    }
    this.set(Cell.Open, this.lack === undefined ? 1 : 0);
    if ((before === undefined) !== (this.lack === undefined)) this.onLack(this.lack);
  }

  /** An entry of a table that was there before. */
  private stands(one: MirroredTable, slot: number): void {
    const { value } = this;
    const entries = one.entries!;
    if (entries.has(slot, Seen.Carried)) this.carried++;
    if (!this.read(one, slot, value) || value.words[FlowWord.Isn] !== entries.isn(slot)) {
      if (forget(one.state!, slot)) this.carried--;
      if (!this.put(one, slot)) throw this.lack ?? new Error('the map is full');
    } else if (value.state === FlowState.OfEngine) {
      this.unmark(entries, slot);
    } else if (value.state !== FlowState.Gone) {
      this.mark(entries, slot);
      const owner = entries.owner(slot);
      const isSame = one.servers!.isConfigured(owner) && value.isAt(one.servers!.addressOf(owner));
      if (!isSame) this.take(one, slot);
    }
  }

  private sweep(one: MirroredTable): void {
    const all = this.maps.readMapEntries(one.fd);
    const step = one.key.length + FLOW_BYTES;
    for (let at = 0; at < all.length; at += step) {
      const key = all.slice(at, at + one.key.length);
      const words = new Int32Array(all.slice(at + one.key.length + NUMBERS_AT, at + step).buffer);
      const slot = one.find(key);
      const isGone = (words[FlowWord.State] as FlowState) === FlowState.Gone;
      if (slot < 0) this.maps.deleteFromMap(one.fd, key);
      else if (isGone && words[FlowWord.Isn] === one.entries!.isn(slot)) one.entries!.remove(slot, Cause.Takeover);
    }
  }

  /** False when the map has no room for it. */
  private put(one: MirroredTable, slot: number): boolean {
    const entries = one.entries!;
    const owner = entries.owner(slot);
    const servers = one.servers!;
    const server = servers.isConfigured(owner) ? servers.addressOf(owner) : servers.itmsAddress;
    one.setKey(slot);
    this.value.fill(entries, slot, FlowState.OfEngine, server, this.bootMs());
    try {
      this.maps.updateMap(one.fd, one.key, this.value.bytes, true);
      this.unmark(entries, slot);
      return true;
    } catch (error) {
      if (this.isRepairing) throw error;
      return false;
    }
  }

  /** An entry that stays too long only makes its packets slow. */
  private drop(one: MirroredTable, slot: number): void {
    if (one.entries!.has(slot, Seen.Carried)) this.carried--;
    one.setKey(slot);
    this.maps.deleteFromMap(one.fd, one.key);
  }

  private mark(entries: ConnectionTable, slot: number): void {
    if (!entries.has(slot, Seen.Carried)) this.carried++;
    entries.mark(slot, Seen.Carried);
  }

  private unmark(entries: ConnectionTable, slot: number): void {
    if (entries.has(slot, Seen.Carried)) this.carried--;
    entries.unmark(slot, Seen.Carried);
  }

  private set(cell: Cell, value: number): void {
    this.maps.updateMap(this.control, nativeWord(cell), nativeWord(value));
  }

  private read(one: MirroredTable, slot: number, value: FlowValue): boolean {
    one.setKey(slot);
    return this.maps.readMap(one.fd, one.key, value.bytes, true);
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

/** True when it was carried. */
function forget(state: MirroredFamily, slot: number): boolean {
  const { reportConnections: entries } = state;
  if (!entries.has(slot, Seen.Carried)) return false;
  entries.unmark(slot, Seen.Carried | Seen.Learned);
  // The program may have confirmed it, and nobody has told.
  if (!entries.isAnswered(slot)) state.confirmUnseen(slot);
  return true;
}

function nativeWord(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

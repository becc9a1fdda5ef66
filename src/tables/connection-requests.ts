/**
 * Connection Requests: TCP connections that a server opens to a CPE. HASH table 1 of the patent [P5, P6]; also for the
 * ITMS's own, so that the CPE's answers reach the server that asked [D].
 *
 * Servers hide behind one address and keep their source ports, so two of them may use the same port towards one CPE.
 * The later one then gets another port, which the CPE sees. The entry is stored under the visible port, and a reverse
 * index leads from the server's own port to it. The index is only a hint: the entry must confirm it.
 */
import { type ConnectionLives, Seen, Word } from './connection-row';
import { ConnectionTable } from './connection-table';
import { Cause } from './flow-port';
import { type TableMemory } from './table-memory';
import { TtlTable } from './ttl-table';

/** Candidates tried for a free port before giving up. */
const REMAP_ATTEMPTS = 64;
/** Maximum of remapped connections, as a fraction of the table: collisions are rare. */
const REMAP_SHARE = 16;

export interface RemapRange {
  first: number;
  last: number;
}

export class ConnectionRequests extends ConnectionTable {
  private readonly remaps: TtlTable;
  private readonly remapLives: Int32Array;
  private nextRemap = 0;
  private orphanCursor = 0;
  /** A CPE's address, while the index is swept. */
  private readonly remapCpe: Int32Array;

  static override bytes(capacityEntries: number, addressWords: number): number {
    const remaps = TtlTable.bytes(remapShape(capacityEntries, addressWords));
    return ConnectionTable.bytes(capacityEntries, addressWords) + remaps;
  }

  constructor(
    memory: TableMemory,
    lives: ConnectionLives,
    private readonly remapRange: RemapRange,
  ) {
    super(memory, lives);
    const { buffer, at, capacityEntries, addressWords, seed, isReader } = memory;
    this.remapLives = new Int32Array(64).fill(longest(lives));
    const remapsAt = at + ConnectionTable.bytes(capacityEntries, addressWords);
    const shape = remapShape(capacityEntries, addressWords);
    this.remapCpe = new Int32Array(addressWords);
    this.remaps = new TtlTable(buffer, remapsAt, shape, seed, this.remapLives, isReader);
  }

  override setLives(lives: ConnectionLives): void {
    super.setLives(lives);
    // Undefined while the base class's constructor runs.
    this.remapLives?.fill(longest(lives));
  }

  advance(nowMs: number): void {
    this.table.advance(nowMs);
    this.remaps.advance(nowMs);
  }

  sweep(slots: number): void {
    this.table.sweep(slots);
    if (this.remaps.count === 0) return;
    this.remaps.sweep(slots);
    this.sweepOrphans(slots);
  }

  /** Frees index rows whose connection was swept; their own life would keep them for hours. Bounded like `sweep`. */
  private sweepOrphans(slots: number): void {
    const { remaps } = this;
    const budget = Math.min(slots, remaps.slotCount);
    for (let looked = 0; looked < budget; looked++) {
      if (this.orphanCursor >= remaps.slotCount) this.orphanCursor = 0;
      const slot = this.orphanCursor;
      // A freed slot may be filled by the row behind it: look at it again, on the same budget.
      if (remaps.isLive(slot) && this.isOrphan(slot)) remaps.remove(slot);
      else this.orphanCursor++;
    }
  }

  /** @param slot of the index */
  private isOrphan(slot: number): boolean {
    const { remaps } = this;
    const at = this.remapCpe.length;
    for (let word = 0; word < at; word++) this.remapCpe[word] = remaps.keyWord(slot, word);
    const ports = remaps.keyWord(slot, at);
    const mapped = this.find(this.remapCpe, ports >>> 16, remaps.value(slot, 0));
    // Own port 0: a worker was killed while it opened this one, and the next SYN completes it.
    if (mapped < 0 || this.ownPort(mapped) === 0) return mapped < 0;
    return this.word(mapped, Word.OwnPort) !== ((remaps.keyWord(slot, at + 1) & (-1 << 16)) | (ports & 0xffff));
  }

  get remapCount(): number {
    return this.remaps.count;
  }

  /**
   * Slot of `owner`'s connection from `ownPort`, remapped or not; -1 when there is none.
   *
   * @param tag of the owner's address (Servers): the same port on two of its addresses is two connections
   */
  findOwned(cpe: Int32Array, cpePort: number, ownPort: number, owner: number, tag: number): number {
    const slot = this.peekOwned(cpe, cpePort, ownPort, owner, tag);
    if (slot < 0 || this.visiblePort(slot) === ownPort) return slot;
    // `peekOwned` has set the index key.
    this.remaps.touch(this.remaps.find());
    return slot;
  }

  /** Like `findOwned`, but extends no life. */
  peekOwned(cpe: Int32Array, cpePort: number, ownPort: number, owner: number, tag: number): number {
    const slot = this.find(cpe, cpePort, ownPort);
    // Own port 0: a worker was killed while it opened this entry.
    const isOwn = slot >= 0 && this.owner(slot) === owner && !this.has(slot, Seen.Remapped);
    if (isOwn && (this.tag(slot) === tag || this.ownPort(slot) === 0)) return slot;
    if (this.remaps.count === 0) return -1;
    this.setRemapKey(cpe, cpePort, ownPort, owner, tag);
    const remap = this.remaps.find();
    if (remap < 0) return -1;
    const mapped = this.find(cpe, cpePort, this.remaps.value(remap, 0));
    if (mapped < 0 || this.owner(mapped) !== owner) return -1;
    return this.word(mapped, Word.OwnPort) === ((tag << 16) | ownPort) ? mapped : -1;
  }

  /** `open` under the server's own port. */
  openOwn(cpe: Int32Array, cpePort: number, ownPort: number, owner: number, tag: number, isn: number): number {
    const slot = this.open(cpe, cpePort, ownPort, owner, isn);
    if (slot >= 0) this.setOwnPort(slot, ownPort, tag);
    return slot;
  }

  /** Adds an entry from an earlier layout. @param visiblePort its remapped port */
  adopt(
    cpe: Int32Array,
    cpePort: number,
    ownPort: number,
    visiblePort: number | undefined,
    owner: number,
    tag: number,
    isn: number,
  ): number {
    if (visiblePort === undefined) return this.openOwn(cpe, cpePort, ownPort, owner, tag, isn);
    return this.openAt(cpe, cpePort, visiblePort, ownPort, owner, tag, isn);
  }

  /** Opens `owner`'s connection under a free port of the remap range; -1 when there is no free port or no room. */
  openRemapped(cpe: Int32Array, cpePort: number, ownPort: number, owner: number, tag: number, isn: number): number {
    const visiblePort = this.portBegun(cpe, cpePort, ownPort, owner, tag) || this.freePort(cpe, cpePort);
    return visiblePort === 0 ? -1 : this.openAt(cpe, cpePort, visiblePort, ownPort, owner, tag, isn);
  }

  /** Opens a connection that the CPE sees under another port, with the reverse index that leads to it. */
  private openAt(
    cpe: Int32Array,
    cpePort: number,
    visiblePort: number,
    ownPort: number,
    owner: number,
    tag: number,
    isn: number,
  ): number {
    this.setRemapKey(cpe, cpePort, ownPort, owner, tag);
    const remap = this.remaps.claim(1);
    if (remap < 0) return -1;
    this.remaps.setValue(remap, 0, visiblePort);
    const slot = this.open(cpe, cpePort, visiblePort, owner, isn, Seen.Remapped);
    if (slot < 0) {
      // Without the entry, the index would take up room until its own life ends.
      this.remaps.remove(remap);
      return -1;
    }
    this.setWord(slot, Word.OwnPort, (tag << 16) | ownPort);
    return slot;
  }

  /** Touches the reverse index as well, so that it outlives its connection even if only the CPE sends. */
  override touch(slot: number): void {
    super.touch(slot);
    if (!this.has(slot, Seen.Remapped)) return;
    this.setRemapKey(this.cpe(slot), this.cpePort(slot), this.ownPort(slot), this.owner(slot), this.tag(slot));
    const remap = this.remaps.find();
    if (remap >= 0) this.remaps.touch(remap);
  }

  /** A server that has hung up waits for no answer. */
  protected override mayGo(slot: number): boolean {
    return this.isClosed(slot);
  }

  /** Removes the reverse index as well. */
  override remove(slot: number, cause = Cause.Packet): void {
    if (this.has(slot, Seen.Remapped) && this.remaps.count > 0) {
      this.setRemapKey(this.cpe(slot), this.cpePort(slot), this.ownPort(slot), this.owner(slot), this.tag(slot));
      const remap = this.remaps.find();
      if (remap >= 0) this.remaps.remove(remap);
    }
    super.remove(slot, cause);
  }

  setOwnPort(slot: number, ownPort: number, tag: number): void {
    this.setWord(slot, Word.OwnPort, (tag << 16) | ownPort);
  }

  /** The source port that the server itself uses. */
  ownPort(slot: number): number {
    return this.word(slot, Word.OwnPort) & 0xffff;
  }

  /** Which of the owner's addresses the connection uses (Servers). */
  tag(slot: number): number {
    return this.word(slot, Word.OwnPort) >>> 16;
  }

  protected override get hasOwnPort(): boolean {
    return true;
  }

  /** The port chosen by an opening that a process's death interrupted; 0 when there is none. */
  private portBegun(cpe: Int32Array, cpePort: number, ownPort: number, owner: number, tag: number): number {
    if (this.remaps.count === 0) return 0;
    this.setRemapKey(cpe, cpePort, ownPort, owner, tag);
    const remap = this.remaps.find();
    if (remap < 0) return 0;
    const port = this.remaps.value(remap, 0);
    const { first, last } = this.remapRange;
    if (port < first || port > last) return 0;
    const slot = this.find(cpe, cpePort, port);
    // Own port 0: the opening got no further than the entry.
    const isBegun =
      slot < 0 || (this.owner(slot) === owner && this.has(slot, Seen.Remapped) && this.word(slot, Word.OwnPort) === 0);
    return isBegun ? port : 0;
  }

  /** A port of the range that no connection with this CPE port uses, in either direction; 0 when none was found. */
  private freePort(cpe: Int32Array, cpePort: number): number {
    const { first, last } = this.remapRange;
    for (let attempt = 0; attempt < REMAP_ATTEMPTS; attempt++) {
      const port = first + this.nextRemap;
      this.nextRemap = (this.nextRemap + 1) % (last - first + 1);
      if (this.find(cpe, cpePort, port) < 0) return port;
    }
    return 0;
  }

  private setRemapKey(cpe: Int32Array, cpePort: number, ownPort: number, owner: number, tag: number): void {
    const { key } = this.remaps;
    for (let word = 0; word < cpe.length; word++) key[word] = cpe[word];
    key[cpe.length] = (cpePort << 16) | ownPort;
    key[cpe.length + 1] = (tag << 16) | owner;
  }
}

/** ms after which no connection without packets remains. */
function longest(lives: ConnectionLives): number {
  return Math.max(lives.unansweredMs, lives.establishedMs, lives.finOneMs, lives.finBothMs, lives.resetMs);
}

function remapShape(capacityEntries: number, addressWords: number) {
  const remaps = Math.max(64, Math.ceil(capacityEntries / REMAP_SHARE));
  return { capacityEntries: remaps, keyWords: addressWords + 2, valueWords: 1 };
}

/**
 * Connection Requests: TCP connections that a server opens towards a CPE. HASH table 1 of the patent [P5, P6], for the
 * ITMS's own as well, so that the CPE's answers find the server that asked [D].
 *
 * Servers hide behind one address and keep their source ports, so two of them may pick the same port towards one CPE.
 * The later one then gets another port, which the CPE sees; the entry stands under the visible port, and a reverse
 * index leads from the server's own port to it. The index is only a hint: the entry must confirm it.
 */
import { ConnectionTable, type ConnectionLives, Seen } from './connection-table';
import { type TableMemory } from './table-memory';
import { TtlTable } from './ttl-table';

/** Words behind the ISN. */
const ANSWER_SEQUENCE = 1;
const OWN_PORT = 2;
const EXTRA_WORDS = 2;

/** Candidates tried for a free port before giving up. */
const REMAP_ATTEMPTS = 64;
/** Remapped connections at once, as a share of the table: collisions are rare. */
const REMAP_SHARE = 16;

export interface RemapRange {
  first: number;
  last: number;
}

export class ConnectionRequests extends ConnectionTable {
  private readonly remaps: TtlTable;
  private readonly remapLives: Int32Array;
  private nextRemap = 0;

  static override bytes(capacityEntries: number, addressWords: number): number {
    const remaps = TtlTable.bytes(remapShape(capacityEntries, addressWords));
    return ConnectionTable.bytes(capacityEntries, addressWords, EXTRA_WORDS) + remaps;
  }

  constructor(
    memory: TableMemory,
    lives: ConnectionLives,
    private readonly remapRange: RemapRange,
  ) {
    super(memory, lives, EXTRA_WORDS);
    const { buffer, at, capacityEntries, addressWords, seed, isReader } = memory;
    this.remapLives = new Int32Array(64).fill(longest(lives));
    const remapsAt = at + ConnectionTable.bytes(capacityEntries, addressWords, EXTRA_WORDS);
    const shape = remapShape(capacityEntries, addressWords);
    this.remaps = new TtlTable(buffer, remapsAt, shape, seed, this.remapLives, isReader);
  }

  override setLives(lives: ConnectionLives): void {
    super.setLives(lives);
    // Undefined while the base class constructs.
    this.remapLives?.fill(longest(lives));
  }

  advance(nowMs: number): void {
    this.table.advance(nowMs);
    this.remaps.advance(nowMs);
  }

  sweep(slots: number): void {
    this.table.sweep(slots);
    if (this.remaps.count > 0) this.remaps.sweep(slots);
  }

  get remapCount(): number {
    return this.remaps.count;
  }

  /** Slot of `owner`'s connection from `ownPort`, remapped or not; -1 when there is none. */
  findOwned(cpe: Int32Array, cpePort: number, ownPort: number, owner: number): number {
    const slot = this.peekOwned(cpe, cpePort, ownPort, owner);
    if (slot < 0 || this.visiblePort(slot) === ownPort) return slot;
    // The key of the index stands as `peekOwned` has set it.
    this.remaps.touch(this.remaps.find());
    return slot;
  }

  /** `findOwned` for one who must not keep anything alive. */
  peekOwned(cpe: Int32Array, cpePort: number, ownPort: number, owner: number): number {
    const slot = this.find(cpe, cpePort, ownPort);
    if (slot >= 0 && this.owner(slot) === owner && !this.has(slot, Seen.Remapped)) return slot;
    if (this.remaps.count === 0) return -1;
    this.setRemapKey(cpe, cpePort, ownPort, owner);
    const remap = this.remaps.find();
    if (remap < 0) return -1;
    const mapped = this.find(cpe, cpePort, this.remaps.value(remap, 0));
    if (mapped < 0 || this.owner(mapped) !== owner || this.table.value(mapped, OWN_PORT) !== ownPort) return -1;
    return mapped;
  }

  /** Opens `owner`'s connection under a free port of the remap range; -1 when no port or no room was found. */
  openRemapped(cpe: Int32Array, cpePort: number, ownPort: number, owner: number, isn: number): number {
    const visiblePort = this.portBegun(cpe, cpePort, ownPort, owner) || this.freePort(cpe, cpePort);
    if (visiblePort === 0) return -1;
    this.setRemapKey(cpe, cpePort, ownPort, owner);
    const remap = this.remaps.claim(1);
    if (remap < 0) return -1;
    this.remaps.setValue(remap, 0, visiblePort);
    const slot = this.open(cpe, cpePort, visiblePort, owner, isn, Seen.Remapped);
    if (slot < 0) return -1;
    this.table.setValue(slot, OWN_PORT, ownPort);
    return slot;
  }

  /** The reverse index outlives its connection, also where only the CPE speaks. */
  override touch(slot: number): void {
    super.touch(slot);
    if (!this.has(slot, Seen.Remapped)) return;
    this.setRemapKey(this.cpe(slot), this.cpePort(slot), this.table.value(slot, OWN_PORT), this.owner(slot));
    const remap = this.remaps.find();
    if (remap >= 0) this.remaps.touch(remap);
  }

  /** The source port that the server itself uses. */
  ownPort(slot: number): number {
    return this.has(slot, Seen.Remapped) ? this.table.value(slot, OWN_PORT) : this.visiblePort(slot);
  }

  /** True when an answer that begins at `sequence` has been judged before: it is a retransmission. */
  wasJudged(slot: number, sequence: number): boolean {
    return this.has(slot, Seen.Judged) && ((sequence - this.table.value(slot, ANSWER_SEQUENCE)) | 0) <= 0;
  }

  judged(slot: number, sequence: number): void {
    this.table.setValue(slot, ANSWER_SEQUENCE, sequence);
    this.mark(slot, Seen.Judged);
  }

  /** The port that was chosen when this opening was cut short by the end of a process; 0 when it was not. */
  private portBegun(cpe: Int32Array, cpePort: number, ownPort: number, owner: number): number {
    if (this.remaps.count === 0) return 0;
    this.setRemapKey(cpe, cpePort, ownPort, owner);
    const remap = this.remaps.find();
    if (remap < 0) return 0;
    const port = this.remaps.value(remap, 0);
    const { first, last } = this.remapRange;
    if (port < first || port > last) return 0;
    const slot = this.find(cpe, cpePort, port);
    // Own port 0: the entry was opened, and no more.
    const isBegun =
      slot < 0 ||
      (this.owner(slot) === owner && this.has(slot, Seen.Remapped) && this.table.value(slot, OWN_PORT) === 0);
    return isBegun ? port : 0;
  }

  /** A port of the range that no connection to this CPE port uses, in either direction; 0 when none was found. */
  private freePort(cpe: Int32Array, cpePort: number): number {
    const { first, last } = this.remapRange;
    for (let attempt = 0; attempt < REMAP_ATTEMPTS; attempt++) {
      const port = first + this.nextRemap;
      this.nextRemap = (this.nextRemap + 1) % (last - first + 1);
      if (this.find(cpe, cpePort, port) < 0) return port;
    }
    return 0;
  }

  private setRemapKey(cpe: Int32Array, cpePort: number, ownPort: number, owner: number): void {
    const { key } = this.remaps;
    for (let word = 0; word < cpe.length; word++) key[word] = cpe[word];
    key[cpe.length] = (cpePort << 16) | ownPort;
    key[cpe.length + 1] = owner;
  }
}

/** ms after which no connection without packets is left. */
function longest(lives: ConnectionLives): number {
  return Math.max(lives.unansweredMs, lives.establishedMs, lives.finOneMs, lives.finBothMs, lives.resetMs);
}

function remapShape(capacityEntries: number, addressWords: number) {
  const remaps = Math.max(64, Math.ceil(capacityEntries / REMAP_SHARE));
  return { capacityEntries: remaps, keyWords: addressWords + 2, valueWords: 1 };
}

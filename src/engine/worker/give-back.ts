/**
 * Which of the engine's connections the program may have: one whose SYN+ACK is about to leave, and an established one
 * that has been quiet. A note may get lost: the connection stays the engine's until its next packet.
 */
import { Seen } from '../../tables/connection-row';
import { type ConnectionTable } from '../../tables/connection-table';
import { FlowState } from '../shared/flow-value';
import { type MirroredTable, NOTED_WORDS } from '../shared/mirrored-table';

/** A connection without packets for so long is given back: none of its packets waits in a queue. */
const QUIET_MS = 20;
/** Given back in one step. */
const MOST_AT_ONCE = 256;
/** Slots looked through in one step for connections that stood before this worker. */
const SCANNED = 4096;
/** Packets between two calls of `settle`: a batch, and the copies before it. */
const MOST_NOTED = 4096;

/** The bits that say where a connection stands; below are those of its life, above its owner. */
const STANDING = 0xffff & ~(Seen.Remapped | Seen.Carried | Seen.Accepted);
const ACCEPTED = Seen.Syn | Seen.Learned;
const ESTABLISHED = ACCEPTED | Seen.Answer;

interface Waiting {
  table: MirroredTable;
  noted: Int32Array;
}

export class GiveBack {
  /** The engine's connections that had a packet since the last `settle`. */
  private readonly fresh = new Int32Array(MOST_NOTED * NOTED_WORDS);
  private readonly freshTables: MirroredTable[] = [];
  private freshCount = 0;
  /** Those to give back once they are quiet, by a hash. */
  private readonly waiting = new Map<number, Waiting>();

  constructor(private readonly give: (table: MirroredTable, slot: number, state: FlowState) => void) {}

  /** A packet of a connection that the engine has. */
  note(table: MirroredTable, slot: number): void {
    if (this.freshCount === MOST_NOTED) return;
    table.note(slot, this.fresh, this.freshCount * NOTED_WORDS);
    this.freshTables[this.freshCount++] = table;
  }

  /** Before the verdicts of a batch leave: offers the connections that it has opened. */
  settle(): void {
    const { fresh, freshTables } = this;
    for (let i = 0; i < this.freshCount; i++) {
      const table = freshTables[i];
      const slot = table.findNoted(fresh, i * NOTED_WORDS);
      if (slot < 0) continue;
      const entries = table.entries!;
      if (standing(entries, slot) === ACCEPTED) this.give(table, slot, FlowState.Offered);
      else if (!entries.isClosing(slot)) this.wait(table, i * NOTED_WORDS);
    }
    this.freshCount = 0;
  }

  /** Looks through all connections of a table, step by step. */
  scan(table: MirroredTable): void {
    table.unscanned = table.entries?.table.slotCount ?? 0;
  }

  /** One step. */
  mend(tables: readonly MirroredTable[]): void {
    for (const table of tables) if (table.unscanned > 0) this.scanOn(table);
    if (this.waiting.size > 0) this.giveQuiet();
  }

  private wait(table: MirroredTable, at: number): void {
    const { fresh, waiting } = this;
    let hash = 0;
    for (let word = 0; word <= table.words; word++)
      hash = Math.imul(hash ^ fresh[at + word], 0x9e3779b1) ^ (hash >>> 15);
    if (!waiting.has(hash)) waiting.set(hash, { table, noted: fresh.slice(at, at + NOTED_WORDS) });
  }

  private giveQuiet(): void {
    const { waiting } = this;
    let rest = Math.min(MOST_AT_ONCE, waiting.size);
    for (const [hash, one] of waiting) {
      if (rest-- === 0) return;
      const { table, noted } = one;
      const slot = table.findNoted(noted, 0);
      waiting.delete(hash);
      // Behind the others, so that each has its turn.
      if (slot >= 0 && !this.isDone(table, slot)) waiting.set(hash, one);
    }
  }

  private scanOn(table: MirroredTable): void {
    const entries = table.entries!;
    let rest = MOST_AT_ONCE;
    for (let looked = 0; looked < SCANNED && rest > 0 && table.unscanned > 0; looked++) {
      const slot = --table.unscanned;
      if (entries.table.state(slot) === 0 || entries.has(slot, Seen.Carried)) continue;
      if (!this.isDone(table, slot)) this.note(table, slot);
      rest--;
    }
  }

  /** Gives a connection back where it may be. False: it may be so later. */
  private isDone(table: MirroredTable, slot: number): boolean {
    const entries = table.entries!;
    if (entries.isClosing(slot) || entries.has(slot, Seen.Carried)) return true;
    if (entries.idleMs(slot) < QUIET_MS) return false;
    const stands = standing(entries, slot);
    if (stands === ESTABLISHED) this.give(table, slot, FlowState.Carried);
    return stands === ESTABLISHED;
  }
}

function standing(entries: ConnectionTable, slot: number): number {
  return entries.table.state(slot) & STANDING;
}

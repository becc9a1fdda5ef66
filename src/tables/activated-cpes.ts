/**
 * Which collector has successfully activated which CPE: HASH table 2 of the patent [P5].
 *
 * An entry is *asked* while a collector's Connection Request waits for its answer, *armed* by success, *consumed* by
 * the CPE's first diverted connection, and in *grace* after that connection closes, since one CWMP session may continue
 * on a second connection [D]. Asked is independent of the other states and has a timer of its own [2].
 */
import { Cause, Change, type FlowListener, type FlowPort, UNHEARD } from './flow-port';
import {
  type ActivationElsewhere,
  type ActivationLives,
  type Grace,
  GRACE_MASK,
  OWNER_SHIFT,
  PHASE,
  Phase,
  phaseBits,
  phaseLife,
  State,
  VALUE_WORDS,
  Word,
} from './activation-row';
import { type TableMemory } from './table-memory';
import { TtlTable } from './ttl-table';

export class ActivatedCpes {
  readonly table: TtlTable;
  private readonly lives: Int32Array;
  private readonly scratch: Int32Array;
  private spans: ActivationLives;
  private readonly port: FlowPort;

  static bytes(capacityEntries: number, addressWords: number): number {
    return TtlTable.bytes(shape(capacityEntries, addressWords));
  }

  constructor(memory: TableMemory, lives: ActivationLives) {
    const { buffer, at, capacityEntries, addressWords, seed, isReader } = memory;
    this.lives = new Int32Array(64);
    this.spans = lives;
    this.setLives(lives);
    this.scratch = new Int32Array(addressWords);
    this.table = new TtlTable(buffer, at, shape(capacityEntries, addressWords), seed, this.lives, isReader);
    this.table.port = this.port = memory.port ?? UNHEARD;
  }

  setLives(lives: ActivationLives): void {
    this.spans = lives;
    for (let state = 0; state < this.lives.length; state++) {
      const phaseMs = phaseLife(state, lives);
      this.lives[state] = state & State.Asked ? Math.max(phaseMs, lives.askedMs) : phaseMs;
    }
  }

  /** Slot of a live entry, or -1. @param cpe an address of the table's family */
  find(cpe: Int32Array): number {
    this.setKey(cpe);
    return this.table.find();
  }

  /** A collector's Connection Request carries new data, so the CPE is asked. -1 when the table is full. */
  ask(cpe: Int32Array): number {
    const { table } = this;
    let slot = this.find(cpe);
    if (slot < 0) {
      slot = table.claim(State.Asked);
      if (slot < 0) return -1;
    } else {
      this.settle(slot);
      table.setState(slot, table.state(slot) | State.Asked);
    }
    table.setValue(slot, Word.AskedAt, table.tick);
    table.touch(slot);
    this.tell(slot, Change.Asked);
    return slot;
  }

  /** A Connection Request of a collector waits for its answer. */
  isAsked(slot: number): boolean {
    return this.has(slot, State.Asked) && this.since(slot, Word.AskedAt) <= this.spans.askedMs;
  }

  /** The asked CPE has opened a session with the ITMS. */
  sessionBegan(slot: number): void {
    this.table.setValue(slot, Word.SessionAt, this.table.tick);
    this.table.setState(slot, this.table.state(slot) | State.SessionFirst);
    this.tell(slot, Change.SessionFirst);
  }

  /** True when the CPE's session with the ITMS began after the request data of that tick. */
  hadSessionSince(slot: number, tick: number): boolean {
    return this.has(slot, State.SessionFirst) && ((this.table.value(slot, Word.SessionAt) - tick) | 0) >= 0;
  }

  /** Arms the CPE for `owner`, replacing any earlier activation; -1 when the table is full. */
  arm(cpe: Int32Array, owner: number, cause = Cause.Packet): number {
    const { table } = this;
    let slot = this.find(cpe);
    const kept = slot >= 0 && this.isAsked(slot) ? table.state(slot) & (State.Asked | State.SessionFirst) : 0;
    if (slot < 0) slot = table.claim(State.Asked);
    if (slot < 0) return -1;
    table.setValue(slot, Word.Ports, 0);
    this.begin(slot, kept | State.Armed | (owner << OWNER_SHIFT));
    table.setValue(slot, Word.ArmedAt, table.tick);
    this.tell(slot, Change.Armed, cause);
    return slot;
  }

  /** The entry's CPE, in memory that the next call overwrites. */
  cpe(slot: number): Int32Array {
    for (let word = 0; word < this.scratch.length; word++) this.scratch[word] = this.table.keyWord(slot, word);
    return this.scratch;
  }

  /** The owner of an armed or consumed entry. */
  owner(slot: number): number {
    return this.table.state(slot) >>> OWNER_SHIFT;
  }

  isArmed(slot: number): boolean {
    return this.has(slot, State.Armed) && this.phaseRemainingMs(slot) >= 0;
  }

  isGrace(slot: number): boolean {
    return this.has(slot, State.Grace) && this.phaseRemainingMs(slot) >= 0;
  }

  /** The kind of grace that its session has, or had when it expired; undefined without one. */
  graceOf(slot: number): Grace | undefined {
    const state = this.table.state(slot);
    return state & State.Grace ? (state & GRACE_MASK) >>> State.GraceShift : undefined;
  }

  /** Its report connection is open, or its grace is over. */
  isConsumed(slot: number): boolean {
    return this.has(slot, State.Consumed) && this.phaseRemainingMs(slot) >= 0;
  }

  /** Armed, or consumed and in grace: the CPE's next SYN goes to the collector. */
  stands(slot: number): boolean {
    return this.isArmed(slot) || this.isGrace(slot);
  }

  /** ms left of the phase; negative when it is over and only the ask keeps the entry. */
  phaseRemainingMs(slot: number): number {
    const state = this.table.state(slot);
    const remainingMs = phaseLife(state & 63, this.spans) - this.since(slot, Word.PhaseAt);
    if ((state & State.Grace) === 0) return remainingMs;
    return Math.min(remainingMs, this.spans.activationMs - this.since(slot, Word.ArmedAt));
  }

  /** Also of a phase whose time is over. */
  phase(slot: number): Phase {
    const state = this.table.state(slot);
    if (state & State.Armed) return Phase.Armed;
    if (state & State.Grace) return Phase.Grace;
    return state & State.Consumed ? Phase.Consumed : Phase.None;
  }

  /** CPE port and report port of the last report connection. */
  ports(slot: number): number {
    return this.table.value(slot, Word.Ports);
  }

  /** ms since the CPE was armed. */
  armedMs(slot: number): number {
    return this.since(slot, Word.ArmedAt);
  }

  /** ms since the asked CPE opened its session with the ITMS; -1: it did not. */
  sessionMs(slot: number): number {
    return this.has(slot, State.SessionFirst) ? this.since(slot, Word.SessionAt) : -1;
  }

  /** Number of the last change that was told, for a change feed; 0: none. */
  toldAt(slot: number): number {
    return this.table.value(slot, Word.Told);
  }

  setToldAt(slot: number, number: number): void {
    this.table.setValue(slot, Word.Told, number);
  }

  /** Sets the entry as another router has it; -1 when the table is full. */
  follow(cpe: Int32Array, entry: ActivationElsewhere): number {
    const { table } = this;
    let slot = this.find(cpe);
    if (slot < 0) slot = table.claim(State.Asked);
    if (slot < 0) return -1;
    const tick = table.tick;
    const hasPhase = entry.phase !== Phase.None;
    const isAsked = entry.askedMs >= 0;
    let state = hasPhase ? phaseBits(entry) | (entry.owner << OWNER_SHIFT) : 0;
    if (isAsked || !hasPhase) state |= State.Asked;
    if (entry.sessionMs >= 0) state |= State.SessionFirst;
    table.setValue(slot, Word.Ports, entry.ports);
    table.setValue(slot, Word.PhaseAt, (tick - entry.phaseMs) | 0);
    table.setValue(slot, Word.ArmedAt, (tick - entry.armedMs) | 0);
    table.setValue(slot, Word.AskedAt, (tick - entry.askedMs) | 0);
    table.setValue(slot, Word.SessionAt, (tick - entry.sessionMs) | 0);
    // The last change is not ours.
    table.setValue(slot, Word.Told, 0);
    table.setState(slot, state);
    table.touch(slot);
    this.tellStanding(slot, Cause.Peer);
    return slot;
  }

  /** ms since the phase began. */
  phaseMs(slot: number): number {
    return this.since(slot, Word.PhaseAt);
  }

  askedMs(slot: number): number {
    return this.since(slot, Word.AskedAt);
  }

  /** A SYN was sent to the collector. */
  tried(slot: number): void {
    if (this.has(slot, State.Tried)) return;
    this.table.setValue(slot, Word.TriedAt, this.table.tick);
    this.table.setState(slot, this.table.state(slot) | State.Tried);
  }

  /** The collector has sent something on a connection diverted by this activation. */
  heard(slot: number): void {
    if (this.has(slot, State.Tried)) this.table.setState(slot, this.table.state(slot) & ~State.Tried);
  }

  /** ms since a SYN was diverted, if the collector has sent nothing since; otherwise -1. */
  silentMs(slot: number): number {
    return this.has(slot, State.Tried) ? this.since(slot, Word.TriedAt) : -1;
  }

  /** The report connection with these ports is confirmed: it uses the activation up, or continues the session. */
  consume(slot: number, cpePort: number, reportPort: number): void {
    const { table } = this;
    table.setValue(slot, Word.Ports, (cpePort << 16) | reportPort);
    const kept = table.state(slot) & (State.Asked | State.SessionFirst | (-1 << OWNER_SHIFT));
    this.begin(slot, kept | State.Consumed);
    this.tell(slot, Change.Consumed);
  }

  /** Ends the activation. The ask stays. */
  end(slot: number, cause = Cause.Packet): void {
    if (!this.isAsked(slot)) return this.table.remove(slot, cause);
    this.tell(slot, Change.Disarming, cause);
    this.table.setState(slot, this.table.state(slot) & (State.Asked | State.SessionFirst));
    this.tell(slot, Change.Disarmed, cause);
  }

  /** Ends every entry that is armed or asked. */
  endStanding(): void {
    const { table } = this;
    for (let slot = 0; slot < table.slotCount; slot++) {
      // A freed slot may be filled by the entry behind it.
      while (table.isLive(slot) && (this.isArmed(slot) || this.isAsked(slot))) table.remove(slot, Cause.Takeover);
    }
  }

  /** The report connection with these ports has closed: grace begins, unless it already has. */
  finished(slot: number, grace: Grace): void {
    const { table } = this;
    const state = table.state(slot);
    if (state & State.Grace) return;
    this.begin(slot, (state & ~GRACE_MASK) | State.Grace | (grace << State.GraceShift));
    this.tell(slot, Change.Grace);
  }

  /** The RST that began the grace did not end the connection. */
  resumed(slot: number): void {
    const { table } = this;
    const state = table.state(slot);
    if ((state & State.Grace) === 0) return;
    table.setState(slot, state & ~(State.Grace | GRACE_MASK));
    this.tell(slot, Change.Consumed);
  }

  /** Slot of the activation whose last report connection has these ports, or -1. */
  findConsumed(cpe: Int32Array, cpePort: number, reportPort: number): number {
    const slot = this.find(cpe);
    if (slot < 0 || !this.has(slot, State.Consumed)) return -1;
    return this.table.value(slot, Word.Ports) === ((cpePort << 16) | reportPort) ? slot : -1;
  }

  /** Ends a phase whose time is over, even if the entry stays. */
  private settle(slot: number): void {
    const { table } = this;
    if (this.phaseRemainingMs(slot) >= 0) return;
    const wasMore = (table.state(slot) & PHASE) !== 0;
    if (wasMore) this.tell(slot, Change.Disarming, Cause.Expired);
    table.setState(slot, (table.state(slot) & ~PHASE) | State.Asked);
    if (wasMore) this.tell(slot, Change.Disarmed, Cause.Expired);
  }

  listen(listener: FlowListener | undefined): void {
    this.port.listen(listener, this.table, (slot) => this.tellStanding(slot, Cause.Standing));
  }

  private tellStanding(slot: number, cause: Cause): void {
    if (this.has(slot, State.Asked)) this.tell(slot, Change.Asked, cause);
    if (this.has(slot, State.SessionFirst)) this.tell(slot, Change.SessionFirst, cause);
    if (this.has(slot, State.Armed)) this.tell(slot, Change.Armed, cause);
    if (this.has(slot, State.Consumed)) this.tell(slot, Change.Consumed, cause);
    if (this.has(slot, State.Grace)) this.tell(slot, Change.Grace, cause);
  }

  private tell(slot: number, change: Change, cause = Cause.Packet): void {
    this.port.tell(slot, change, cause);
  }

  private has(slot: number, bits: number): boolean {
    return (this.table.state(slot) & bits) !== 0;
  }

  private since(slot: number, word: Word): number {
    return this.table.sinceMs(this.table.value(slot, word));
  }

  private setKey(cpe: Int32Array): void {
    const { key } = this.table;
    for (let word = 0; word < key.length; word++) key[word] = cpe[word];
  }

  private begin(slot: number, state: number): void {
    const { table } = this;
    // In this order: if we die in between, old times with a shorter-lived state would be an expired entry.
    table.touch(slot);
    table.setValue(slot, Word.PhaseAt, table.tick);
    table.setState(slot, state);
  }
}

function shape(capacityEntries: number, addressWords: number) {
  return { capacityEntries, keyWords: addressWords, valueWords: VALUE_WORDS };
}

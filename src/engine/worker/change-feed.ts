/**
 * Tells the cluster process what changes in the tables: a listener of the flow port that writes rows into a ring. It
 * allocates nothing and waits for nobody. It also walks the tables, a little at a time: once a minute for entries that
 * live on, and whenever everything is asked for again.
 */
import { ADDRESS_WORDS } from '../../packet/address';
import { Stage, Step } from '../../cluster/row';
import { ENDED_LIFE_MS } from '../../cluster/rows';
import { headOf } from '../../splitter/decide/http-head';
import { type FamilyState } from '../../splitter/memory/family-state';
import { ITMS, MAX_OWNERS } from '../../splitter/memory/owners';
import { type SplitterState } from '../../splitter/memory/state';
import { Grace, Phase } from '../../tables/activation-row';
import { FIN, RST, Seen, Word } from '../../tables/connection-row';
import { type ConnectionTable } from '../../tables/connection-table';
import { Cause, Change, type FlowListener, type FlowTable } from '../../tables/flow-port';
import { type TtlTable } from '../../tables/ttl-table';
import { Cell, type ClusterRings, kindWord, type Ring, Table, Tally, Time, What } from '../shared/cluster-rings';

/** Slots of each table that one step of a walk looks at. */
const STEP_SLOTS = 512;
/** Between two walks that prolong what lives on. */
const WALK_MS = 60_000;
const SCALES = 0xff;
const ENDS = FIN | RST;
const TABLES = [Table.Requests, Table.Activated, Table.Reports] as const;

export class ChangeFeed implements FlowListener {
  /** Wall clock of the batch, ms since 1970. */
  nowMs = 0;
  /** While the tables take over rows of others, or obey an order for this router alone. */
  isSilent = false;
  private readonly ring: Ring;
  private walkedMs = 0;
  /** Where the walk is: table, family, slot. -1: it rests. */
  private walkTable = -1;
  private walkFamily = 0;
  private walkSlot = 0;
  private isTour = false;
  private tour = 0;

  constructor(
    private readonly rings: ClusterRings,
    private readonly state: SplitterState,
  ) {
    this.ring = rings.changes;
    for (let owner = 0; owner < MAX_OWNERS; owner++) {
      const name = state.owners.name(owner);
      if (name !== '') rings.setName(owner, name);
    }
    if (this.ring.isNew) this.forgetNumbers();
  }

  told({ name, family }: FlowTable, slot: number, change: Change, cause: Cause): void {
    if (this.isSilent || cause === Cause.Standing || cause === Cause.Expired) return;
    if (cause === Cause.Takeover && !this.isOurs(name, family, slot)) return;
    if (change === Change.Head || change === Change.Disarming) return;
    const state = this.state[family]!;
    if (name === 'activatedCpes') this.activation(state, slot, stageOf(change), change);
    else this.connection(state, name === 'reportConnections' ? Table.Reports : Table.Requests, slot, change);
  }

  cleared({ name, family }: FlowTable): void {
    if (this.isSilent) return;
    const table =
      name === 'reportConnections' ? Table.Reports : name === 'activatedCpes' ? Table.Activated : Table.Requests;
    if (!this.begin(table, ADDRESS_WORDS[family], What.Cleared)) return;
    this.ring.keep();
  }

  isKept(): boolean {
    return false;
  }

  learn(): void {
    // It knows no more than the tables.
  }

  /** After each batch, and often while there is none: what was told may be read from now on. */
  publish(): void {
    this.ring.publish();
  }

  /**
   * The kernel may have sent the session of this activation to the ITMS, so it must divert none on the other router either.
   * What the other router has armed stays there: its CPEs pass that router.
   */
  private isOurs(name: FlowTable['name'], family: FlowTable['family'], slot: number): boolean {
    return name === 'activatedCpes' && this.state[family]!.activatedCpes.toldAt(slot) !== 0;
  }

  /** The rings are new, so numbers that the tables have kept are of earlier ones. */
  private forgetNumbers(): void {
    for (const { activatedCpes, connectionRequests, reportConnections } of this.state.families) {
      const forget = (table: TtlTable, set: (slot: number) => void) => {
        for (let slot = 0; slot < table.slotCount; slot++) if (table.isLive(slot)) set(slot);
      };
      forget(activatedCpes.table, (slot) => activatedCpes.setToldAt(slot, 0));
      for (const entries of [connectionRequests, reportConnections]) {
        forget(entries.table, (slot) => entries.setWord(slot, Word.Told, 0));
      }
    }
  }

  /** Tells one entry as it is, because somebody asked. */
  tell(state: FamilyState, table: Table, slot: number): void {
    if (table === Table.Activated) this.activation(state, slot, 0, undefined);
    else this.connection(state, table, slot, undefined);
  }

  /** There is no such entry. @param isn of the connection that was asked for */
  tellGone(table: Table, cpe: Int32Array, ports: number, isn: number): void {
    if (!this.begin(table, cpe.length, What.Gone)) return;
    const { words, times, at, timesAt } = this.ring;
    words.fill(0, at + Cell.Ports, at + Cell.Cpe);
    this.setCpe(cpe);
    words[at + Cell.Ports] = ports;
    words[at + Cell.Step] = Step.Ended;
    words[at + Cell.Isn] = isn;
    times[timesAt + Time.Phase] = times[timesAt + Time.Armed] = 0;
    times[timesAt + Time.Asked] = times[timesAt + Time.Session] = 0;
    times[timesAt + Time.Deadline] = this.nowMs + ENDED_LIFE_MS;
    this.ring.keep();
  }

  /** A step of a walk through the tables. Call it some forty times a second. */
  walk(): void {
    const { rings } = this;
    if (this.walkTable < 0) {
      this.isTour = rings.tourAsked !== this.tour;
      if (!this.isTour && this.nowMs - this.walkedMs < WALK_MS) return;
      this.tour = rings.tourAsked;
      this.walkedMs = this.nowMs;
      this.walkTable = this.walkFamily = this.walkSlot = 0;
    }
    this.step();
    this.publish();
  }

  private step(): void {
    const family = this.state.families[this.walkFamily];
    const which = TABLES[this.walkTable];
    const entries = tableOf(family, which);
    const { table } = entries;
    const end = table.count === 0 ? table.slotCount : Math.min(table.slotCount, this.walkSlot + STEP_SLOTS);
    for (; table.count > 0 && this.walkSlot < end; this.walkSlot++) {
      const slot = this.walkSlot;
      if (!table.isLive(slot)) continue;
      // Between two walks only what had packets, and is older than one, has a later deadline to tell.
      if (!this.isTour && (which === Table.Activated || table.ageMs(slot) > WALK_MS)) continue;
      if (this.ring.next()) this.tell(family, which, slot);
      else return;
    }
    if (end < table.slotCount) return;
    this.walkSlot = 0;
    if (++this.walkFamily < this.state.families.length) return;
    this.walkFamily = 0;
    if (++this.walkTable < TABLES.length) return;
    this.walkTable = -1;
    if (this.isTour) this.rings.tourDone = this.tour;
  }

  /** @param change undefined: it stands */
  private connection(
    state: FamilyState,
    which: Table.Requests | Table.Reports,
    slot: number,
    change: Change | undefined,
  ): void {
    const entries = which === Table.Reports ? state.reportConnections : state.connectionRequests;
    const isGone = change === Change.Ended;
    const cpe = entries.cpe(slot);
    const what = isGone ? What.Gone : change === undefined ? What.Standing : What.Changed;
    if (!this.begin(which, cpe.length, what)) return;
    const { words, times, at, timesAt } = this.ring;
    const seen = entries.table.state(slot);
    this.setCpe(cpe);
    words[at + Cell.Ports] = (entries.cpePort(slot) << 16) | entries.visiblePort(slot);
    words[at + Cell.Step] = isGone ? Step.Ended : stepOf(seen);
    words[at + Cell.State] = seen & (Seen.Answer | ENDS | Seen.Remapped);
    words[at + Cell.Owner] = entries.owner(slot);
    words[at + Cell.Isn] = entries.isn(slot);
    words[at + Cell.OwnPort] = which === Table.Requests ? entries.word(slot, Word.OwnPort) : 0;
    words[at + Cell.Marks] = (entries.word(slot, Word.Marks) & SCALES) | (headOf(entries.head(slot)) << 8);
    words[at + Cell.Begins] = change === Change.Opened ? 1 : 0;
    times[timesAt + Time.Deadline] = this.nowMs + (isGone ? ENDED_LIFE_MS : entries.table.remainingMs(slot));
    const number = this.ring.keep();
    if (!isGone) entries.setWord(slot, Word.Told, number);
  }

  /** @param stage 0: as it stands */
  private activation(state: FamilyState, slot: number, stage: number, change: Change | undefined): void {
    const { activatedCpes: entries } = state;
    const isGone = change === Change.Ended;
    const cpe = entries.cpe(slot);
    const what = isGone ? What.Gone : change === undefined ? What.Standing : What.Changed;
    if (!this.begin(Table.Activated, cpe.length, what)) return;
    const { words, times, at, timesAt } = this.ring;
    const isOver = isGone || entries.phaseRemainingMs(slot) < 0;
    const phase = isOver ? Phase.None : entries.phase(slot);
    this.setCpe(cpe);
    words[at + Cell.Ports] = 0;
    words[at + Cell.Step] = stage !== 0 ? stage : standingStage(phase, entries.sessionMs(slot) >= 0);
    // Peers of an earlier version know no Login, which lives as long.
    const grace = Math.min(entries.graceOf(slot) ?? Grace.Short, Grace.Retry);
    words[at + Cell.State] = phase | (grace << 8);
    words[at + Cell.Owner] = phase === Phase.None ? ITMS : entries.owner(slot);
    words[at + Cell.Isn] = phase === Phase.None ? 0 : entries.ports(slot);
    words[at + Cell.Begins] = change === Change.Asked || change === Change.Armed ? 1 : 0;
    const { nowMs } = this;
    const isAsked = !isGone && entries.isAsked(slot);
    times[timesAt + Time.Phase] = phase === Phase.None ? 0 : nowMs - entries.phaseMs(slot);
    times[timesAt + Time.Armed] = phase === Phase.None ? 0 : nowMs - entries.armedMs(slot);
    times[timesAt + Time.Asked] = isAsked ? nowMs - entries.askedMs(slot) : 0;
    times[timesAt + Time.Session] = isAsked && entries.sessionMs(slot) >= 0 ? nowMs - entries.sessionMs(slot) : 0;
    times[timesAt + Time.Deadline] = nowMs + (isOver && !isAsked ? ENDED_LIFE_MS : entries.table.remainingMs(slot));
    const number = this.ring.keep();
    if (!isGone) entries.setToldAt(slot, number);
  }

  private begin(table: Table, words: number, what: What): boolean {
    const { ring } = this;
    if (!ring.next()) {
      this.rings.tallies[Tally.Lost]++;
      return false;
    }
    ring.words[ring.at + Cell.Kind] = kindWord(table, words, what);
    ring.words[ring.at + Cell.Seen] = this.rings.rows.taken;
    return true;
  }

  private setCpe(cpe: Int32Array): void {
    const { words, at } = this.ring;
    for (let word = 0; word < cpe.length; word++) words[at + Cell.Cpe + word] = cpe[word];
  }
}

export function tableOf(state: FamilyState, table: Table): ConnectionTable | FamilyState['activatedCpes'] {
  if (table === Table.Activated) return state.activatedCpes;
  return table === Table.Reports ? state.reportConnections : state.connectionRequests;
}

/** How far a connection has come, by what was seen of it. */
export function stepOf(seen: number): Step {
  if ((seen & RST) !== 0 || (seen & FIN) === FIN) return Step.Closed;
  if ((seen & FIN) !== 0) return Step.Closing;
  if ((seen & Seen.Answer) !== 0) return Step.Confirmed;
  return (seen & (Seen.Learned | Seen.Accepted)) !== 0 ? Step.Accepted : Step.Opened;
}

function standingStage(phase: Phase, hadSession: boolean): Stage {
  if (phase === Phase.Grace) return Stage.Grace;
  if (phase === Phase.Consumed) return Stage.Consumed;
  if (phase === Phase.Armed) return Stage.Armed;
  return hadSession ? Stage.SessionFirst : Stage.Asked;
}

function stageOf(change: Change): Stage {
  switch (change) {
    case Change.Asked:
      return Stage.Asked;
    case Change.Armed:
      return Stage.Armed;
    case Change.SessionFirst:
      return Stage.SessionFirst;
    case Change.Consumed:
      return Stage.Consumed;
    case Change.Grace:
      return Stage.Grace;
    default:
      return Stage.Finished;
  }
}

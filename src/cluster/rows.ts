/**
 * All rows that a router knows: its own and its peers'. It merges what comes, turns changes of our tables into rows, and
 * says which rows our tables must take over. Pure: no clock, no socket.
 *
 * A change of our tables may be older than a row of a peer that is on its way to them. Every row handed over has a number,
 * and every change says how many of them the tables had taken over; so which came first is known, not guessed.
 */
import { isFurther, overAt, withArming } from './arming';
import { PAUSE_KEY } from './key';
import { type ActivationFields, compare, type Fields, Kind, kindOf, type Row, Stage, Step } from './row';

/** A change of our tables. */
export interface LocalChange {
  key: string;
  step: number;
  /** A new connection, request or arming. */
  begins: boolean;
  /** Nothing changed but that time has passed, or somebody asked. */
  isStanding: boolean;
  deadlineMs: number;
  fields: Fields;
  /** Rows that the tables had taken over. int32, wraps */
  applied: number;
}

export interface Tallies {
  /** Session and activation met in the wrong order: the activation is used up. */
  overtaken: number;
  /** Two routers gave one port away. */
  conflicts: number;
  /** Rows of peers that were newer than ours. */
  merged: number;
  /** Rows for which there was no room. */
  refused: number;
}

interface Entry extends Row {
  /** Number of the row when it was handed to our tables; undefined: it never was. */
  handed: number | undefined;
}

/** A prolongation below this is not published. */
export const REFRESH_MS = 60_000;
/** Rows that a router keeps, unless its tables are smaller: some 400 MB. */
export const MOST_ROWS = 1_000_000;
/** Of a row's life: somebody may write any deadline into a store. */
const MOST_LIFE_MS = 400 * 86_400_000;
/** How long the end of an entry is remembered: longer than any row is on its way. */
export const ENDED_LIFE_MS = 120_000;

export class Rows {
  readonly tallies: Tallies = { overtaken: 0, conflicts: 0, merged: 0, refused: 0 };
  private readonly rows = new Map<string, Entry>();
  private readonly dirty = new Set<string>();
  private sweeper: IterableIterator<[string, Entry]> | undefined;

  /** @param limit rows of peers; our own may be as many again */
  constructor(
    private readonly router: string,
    private readonly limit = MOST_ROWS,
  ) {}

  /** Of this router. */
  get name(): string {
    return this.router;
  }

  get size(): number {
    return this.rows.size;
  }

  /** Keys of the rows that our tables must take over. */
  get waiting(): ReadonlySet<string> {
    return this.dirty;
  }

  get(key: string): Row | undefined {
    return this.rows.get(key);
  }

  all(): IterableIterator<Row> {
    return this.rows.values();
  }

  /**
   * A row from a store.
   * @returns our own row that must be published again; undefined: none
   */
  merge(row: Row, nowMs: number): Row | undefined {
    if (row.deadlineMs <= nowMs) return undefined;
    const known = this.rows.get(row.key);
    if (known === undefined) {
      if (this.rows.size < this.limit) this.take(row, nowMs);
      else this.tallies.refused++;
      return undefined;
    }
    const order = compare(row, known);
    if (isOvertaken(row, known)) this.tallies.overtaken++;
    const arming = this.mergeArming(row, known, order);
    if (arming !== undefined) return arming;
    if (order <= 0) return undefined;
    if (this.isConflict(row, known)) {
      this.tallies.conflicts++;
      if (bornOf(known) < bornOf(row)) return this.reassert(known, row);
    }
    this.take(row, nowMs);
    return undefined;
  }

  /**
   * A change of our tables.
   * @param clockMs a clock that all routers share, so that a new connection is newer than a row that is long forgotten
   * @returns the row to publish; undefined: none
   */
  change(told: LocalChange, clockMs: number): Row | undefined {
    const change = this.onTopOf(told);
    const known = this.rows.get(change.key);
    if (known === undefined && this.rows.size >= 2 * this.limit) {
      this.tallies.refused++;
      return undefined;
    }
    if (known === undefined) return this.publish(change, Math.max(1, Math.floor(clockMs)), 0, {});
    const hasNotTaken = !hasTaken(known, change.applied);
    const isConcurrent = known.router !== this.router && hasNotTaken;
    // An earlier row, ours or not, is on its way to the tables: it must not be the last one to get there.
    const isAgain = isConcurrent || (known.handed !== undefined && hasNotTaken);
    const next = Math.max(known.generation + 1, Math.floor(clockMs));
    if (isConcurrent && isActivation(change.key) && isOvertaken(change, known)) {
      this.tallies.overtaken++;
      return this.lose(known);
    }
    if (change.begins && isNewTo(change, known)) return this.publish(change, next, 0, {}, isAgain);
    if (isOther(change, known)) return isConcurrent ? this.lose(known) : this.publish(change, next, 0, {}, isAgain);
    if (change.step > known.step) return this.publish(change, known.generation, 0, known.fields, isAgain);
    if (change.step === known.step) {
      const isSame = change.deadlineMs - known.deadlineMs < REFRESH_MS / 2 && !isChanged(change.fields, known.fields);
      if (change.isStanding && (isSame || isConcurrent)) return isConcurrent ? this.lose(known) : undefined;
      return this.publish(change, known.generation, known.refresh + 1, known.fields, isAgain);
    }
    if (isConcurrent || change.isStanding) return this.lose(known);
    // A RST was not the end, or a session goes on over another connection.
    return this.publish(change, next, 0, { ...known.fields, born: bornOf(known) }, isAgain);
  }

  /** An act of the operator for all routers. */
  act(key: string, fields: Fields, deadlineMs: number, clockMs: number): Row {
    const generation = Math.max((this.rows.get(key)?.generation ?? 0) + 1, Math.floor(clockMs));
    const row: Row = { key, generation, step: 1, refresh: 0, router: this.router, deadlineMs, fields };
    this.rows.set(key, { ...row, handed: undefined });
    return row;
  }

  /** Hands over up to `limit` rows. @param put numbers the row it has handed over; undefined: there is no room */
  hand(limit: number, put: (row: Row) => number | undefined): void {
    let rest = limit;
    for (const key of this.dirty) {
      const entry = this.rows.get(key);
      if (entry !== undefined) {
        if (rest-- === 0) return;
        const number = put(entry);
        if (number === undefined) return;
        entry.handed = number;
      }
      this.dirty.delete(key);
    }
  }

  /** Everything must be handed to the tables again: they were emptied. */
  handAll(): void {
    for (const key of this.rows.keys()) this.dirty.add(key);
  }

  /** Forgets rows whose deadline has passed, in bounded steps. */
  sweep(nowMs: number, limit: number): void {
    this.sweeper ??= this.rows.entries();
    for (let i = 0; i < limit; i++) {
      const next = this.sweeper.next();
      if (next.done === true) {
        this.sweeper = undefined;
        return;
      }
      const [key, { deadlineMs }] = next.value;
      if (deadlineMs > nowMs) continue;
      this.rows.delete(key);
      this.dirty.delete(key);
    }
  }

  private publish(
    { key, step, deadlineMs, fields }: LocalChange,
    generation: number,
    refresh: number,
    before: Fields,
    isAgain = false,
  ): Row {
    const row: Row = {
      ...{ key, generation, step, refresh, router: this.router, deadlineMs },
      // What a later version has added to this connection's row stays.
      fields: { ...before, ...fields, ...(isActivation(key) && overAt(fields, this.rows.get(key)?.fields)) },
    };
    this.rows.set(key, { ...row, handed: this.rows.get(key)?.handed });
    // The peer's row may reach the tables after this change.
    if (isAgain) this.dirty.add(key);
    else this.dirty.delete(key);
    return row;
  }

  /** Our tables have not seen the newer row yet, or have overwritten it. */
  private lose(known: Entry): undefined {
    this.dirty.add(known.key);
    return undefined;
  }

  private take(row: Row, nowMs: number): void {
    // It has a number once it is handed over: until then, our changes are older.
    const deadlineMs = Math.min(row.deadlineMs, nowMs + MOST_LIFE_MS);
    this.rows.set(row.key, { ...row, deadlineMs, handed: undefined });
    this.tallies.merged++;
    this.dirty.add(row.key);
  }

  /** Two routers gave the same port to two servers' connections. */
  private isConflict(row: Row, known: Entry): boolean {
    if (known.router !== this.router || row.router === this.router) return false;
    if (kindOf(row.key) !== (Kind.Request as string)) return false;
    if (row.step >= (Step.Closing as number) || known.step >= (Step.Closing as number)) return false;
    return ['owner', 'ownPort', 'tag'].some((name) => row.fields[name] !== known.fields[name]);
  }

  /** A change whose author did not know yet what became of the arming. */
  private onTopOf(change: LocalChange): LocalChange {
    const known = this.rows.get(change.key);
    if (known === undefined || !isActivation(change.key) || hasTaken(known, change.applied)) return change;
    const isOnItsWay = known.router !== this.router || known.handed !== undefined || this.dirty.has(change.key);
    if (!isOnItsWay || !isFurther(known.fields, change.fields)) return change;
    return { ...change, fields: withArming(change.fields, known.fields) };
  }

  /** One row is newer, the other knows more of the arming. @returns our row of both */
  private mergeArming(row: Row, known: Entry, order: number): Row | undefined {
    if (!isActivation(row.key) || known.router !== this.router || row.router === this.router) return undefined;
    const [newer, older] = order > 0 ? [row, known] : [known, row];
    if (newer.generation === older.generation || !isFurther(older.fields, newer.fields)) return undefined;
    const fields = withArming(newer.fields, older.fields);
    const deadlineMs = Math.max(row.deadlineMs, known.deadlineMs);
    const both = { ...known, fields, generation: newer.generation + 1, step: stageOf(fields), refresh: 0, deadlineMs };
    this.rows.set(row.key, { ...both, handed: undefined });
    this.dirty.add(row.key);
    return both;
  }

  /** The older connection keeps the port. */
  private reassert(known: Entry, { generation }: Row): Row {
    known.fields = { ...known.fields, born: bornOf(known) };
    known.generation = generation + 1;
    return known;
  }
}

function bornOf({ fields, generation }: Row): number {
  return typeof fields.born === 'number' ? fields.born : generation;
}

/** Our tables had taken the row over when the change happened. */
function hasTaken({ handed }: Entry, applied: number): boolean {
  return handed !== undefined && ((applied - handed) | 0) >= 0;
}

function isNewTo(change: LocalChange, known: Entry): boolean {
  if (!isActivation(change.key)) return isOther(change, known);
  return change.step === (Stage.Asked as number) || known.step !== (Stage.Asked as number);
}

/** Another connection under the same key. */
function isOther({ key, fields }: LocalChange, known: Entry): boolean {
  if (isActivation(key) || key === PAUSE_KEY) return false;
  return fields.isn !== known.fields.isn || fields.owner !== known.fields.owner;
}

/** Armed and session-first of the same request, whichever came first. */
function isOvertaken(one: Pick<Row, 'key' | 'step'> & { generation?: number }, known: Entry): boolean {
  if (!isActivation(one.key)) return false;
  if (one.generation !== undefined && one.generation !== known.generation) return false;
  const steps = [one.step, known.step];
  if (one.generation === undefined)
    return one.step === (Stage.Armed as number) && known.step === (Stage.SessionFirst as number);
  return steps.includes(Stage.Armed) && steps.includes(Stage.SessionFirst);
}

function isChanged(fields: Fields, known: Fields): boolean {
  return Object.keys(fields).some((name) => fields[name] !== known[name] && !name.endsWith('At'));
}

function isActivation(key: string): boolean {
  return kindOf(key) === (Kind.Activation as string);
}

/** Of an activation by its fields. */
function stageOf(fields: Fields): Stage {
  const { phase, askedAt, sessionAt } = fields as ActivationFields;
  if (phase > 0) return [Stage.Armed, Stage.Consumed, Stage.Grace][phase - 1];
  if (askedAt === 0) return Stage.Finished;
  return sessionAt > 0 ? Stage.SessionFirst : Stage.Asked;
}

/**
 * The health of each server, from the connections that CPEs open to it: up, degraded or down, since when and why.
 *
 * Down takes five distinct CPEs whose SYNs were refused or unanswered within 30 s, all sent after the last connection
 * that the server accepted. So no single CPE can bring a server down. While a collector is down, its CPEs go to the
 * ITMS, except for one trial session every 10 s. The first connection that a server accepts ends its being down.
 *
 * Pure: time is an argument and memory is fixed. docs/decisions/health.md
 */
import { type Address } from '../../packet/address';
import { PendingSyns } from './pending-syns';
import { Col, placeOf, rowOf, ROWS, ServerRows, ServerState, Trouble } from './server-row';
import { type ServerWatch, type WatchedServer } from './server-watch';
import { MEMORY_MS, TroubledCpes } from './troubled-cpes';
import { Window } from './window';

/** How far back failures count. */
export const WINDOW_MS = 30_000;
/** Failures this recent are judged by themselves too, so that many good connections before them hide nothing. */
const LATEST_MS = 10_000;
export const TRIAL_MS = 10_000;
/** An answer after this long is slow: by then a CPE has repeated its SYN. */
export const SLOW_MS = 1000;
/** Distinct CPEs in trouble that make a server degraded while it accepts others, and while it accepts none. */
const PARTLY_CPES = 3;
const CUT_CPES = 2;
/** Distinct CPEs that make it down. */
export const DOWN_CPES = 5;
/** Shares of the connections in trouble that make a server degraded, and that keep it so. */
const DEGRADED_SHARE = 0.2;
const STAYS_DEGRADED_SHARE = 0.1;
/** Weight of the latest time to answer in the average. */
const SMOOTHING = 1 / 8;
/** Most SYNs judged in one sweep. */
const JUDGED_PER_SWEEP = 1024;
const EVALUATE_MS = 250;
/** An engine that has not swept for so long stood still; answers may lie in its queues. It sweeps forty times a second. */
const STALL_MS = 500;

export interface HealthOptions {
  /** Memory of `Health.BYTES`, zeroed or from an earlier worker; allocated if absent. */
  buffer?: ArrayBuffer;
  /** int32 seed of the hash. */
  seed: number;
  /** False: a collector that is down gets its sessions all the same. */
  turnsAway: boolean;
  /** For captures, which may lack a server's side: the silence of a server that never accepted anything means nothing. */
  isCapture?: boolean;
}

export class Health implements ServerWatch {
  static readonly BYTES = ServerRows.BYTES;
  readonly rows: ServerRows;
  isTurningAway: boolean;
  private readonly pending: PendingSyns;
  private readonly window = new Window(WINDOW_MS);
  private readonly troubled = new TroubledCpes(DOWN_CPES);
  /** Rows of the configured servers. */
  private watched: readonly number[] = [];
  private nowMs = 0;
  /** The same as int32, modulo 2^32: no object on the heap. */
  private tick = 0;
  private evaluatedTick = 0;
  private sweptTick = 0;
  /** By row: when the next trial session may begin, and when it last accepted a connection, if `hasAccepted`. */
  private readonly trialAt = new Int32Array(ROWS);
  private readonly acceptedAt = new Int32Array(ROWS);
  private readonly hasAccepted = new Uint8Array(ROWS);
  /** By row: 1 after a probe ended its being down, until it accepts a CPE's connection. */
  private readonly isOnTrust = new Uint8Array(ROWS);
  private readonly isCapture: boolean;

  constructor({ buffer = new ArrayBuffer(Health.BYTES), seed, turnsAway, isCapture = false }: HealthOptions) {
    this.rows = new ServerRows(buffer);
    this.pending = new PendingSyns(seed);
    this.isTurningAway = turnsAway;
    this.isCapture = isCapture;
  }

  /** The servers to be judged from now on. Those that stay keep their state. */
  watch(servers: readonly WatchedServer[]): void {
    this.watched = servers.map(({ owner, address }) => {
      const row = rowOf(owner, address.length);
      this.rows.claim(row, address);
      return row;
    });
  }

  advance(nowMs: number): void {
    this.nowMs = nowMs;
    this.tick = nowMs | 0;
  }

  // ---- what packets tell ----

  opened(owner: number, cpe: Address, cpePort: number, port: number, isn: number): void {
    const { pending, rows, tick } = this;
    const row = rowOf(owner, cpe.length);
    const known = pending.find(cpe, cpePort, port);
    if (known >= 0) {
      if (pending.isn(known) === isn && pending.row(known) === row) return;
      pending.remove(known);
    }
    pending.add(row, cpe, cpePort, port, isn, tick);
    rows.count(row, Col.Opened);
    this.trialAt[row] = (tick + TRIAL_MS) | 0;
  }

  accepted(owner: number, cpe: Address, cpePort: number, port: number, isn: number, sequence: number): void {
    const { pending } = this;
    const row = rowOf(owner, cpe.length);
    const slot = pending.find(cpe, cpePort, port);
    if (slot >= 0 && pending.row(slot) === row && pending.isn(slot) === isn) {
      if (pending.isWaiting(slot)) this.answered(row, slot);
      pending.accept(slot, sequence);
    }
    this.isOnTrust[row] = 0;
    this.lives(row);
  }

  reset(owner: number, cpe: Address, cpePort: number, port: number, isn: number, sequence: number): void {
    const { pending, rows } = this;
    const row = rowOf(owner, cpe.length);
    const slot = pending.find(cpe, cpePort, port);
    const isKnown = slot >= 0 && pending.row(slot) === row;
    if (isKnown && !pending.isAccepted(slot) && pending.isn(slot) === isn) return this.refused(row, slot);
    rows.count(row, Col.Resets);
    if (isKnown && pending.isSilentUntil(slot, sequence)) this.cut(row, slot);
  }

  /** The server resets a connection that it had accepted, and over which it has said nothing. */
  private cut(row: number, slot: number): void {
    const { pending, tick } = this;
    if (((tick - pending.tick(slot)) | 0) < WINDOW_MS) {
      this.window.revise(row);
      this.troubled.add(row, pending, slot);
    }
    pending.remove(slot);
  }

  private refused(row: number, slot: number): void {
    const { pending, rows } = this;
    if (pending.isWaiting(slot)) {
      rows.count(row, Col.Refused);
      this.failed(row, slot, Trouble.Refused);
    }
    pending.remove(slot);
  }

  turnsAway(owner: number, cpe: Address): boolean {
    const row = rowOf(owner, cpe.length);
    if (!this.isTurningAway || !this.isDown(row)) return false;
    const leftMs = (this.trialAt[row] - this.tick) | 0;
    return leftMs > 0 && leftMs <= TRIAL_MS;
  }

  /**
   * A probe has connected to the server. It ends the server's being down; where CPEs then fail again, it only permits
   * the next trial session.
   */
  probed(owner: number, addressWords: number): void {
    const row = rowOf(owner, addressWords);
    if (!this.isDown(row)) return;
    this.trialAt[row] = this.tick;
    if (this.isOnTrust[row] !== 0) return;
    this.isOnTrust[row] = 1;
    this.lives(row);
  }

  private answered(row: number, slot: number): void {
    const { rows, pending } = this;
    const tookMs = (this.tick - pending.tick(slot)) | 0;
    const { values } = rows;
    const average = placeOf(row, Col.AnswerMs);
    values[placeOf(row, Col.AnswerSumMs)] += tookMs;
    if (values[placeOf(row, Col.Answered)] === 0) values[average] = tookMs;
    else values[average] += (tookMs - values[average]) * SMOOTHING;
    rows.count(row, Col.Answered);
    const isSlow = tookMs >= SLOW_MS;
    this.window.count(row, isSlow);
    if (!isSlow) return;
    rows.count(row, Col.Slow);
    this.troubled.add(row, pending, slot);
  }

  private failed(row: number, slot: number, trouble: Trouble): void {
    const { troubled, tick } = this;
    this.window.count(row, true);
    troubled.add(row, this.pending, slot);
    if (this.isDown(row) || (this.isCapture && this.hasAccepted[row] === 0)) return;
    const cpes = Math.min(this.cpesSinceAnswer(row), troubled.countSince(row, (tick - WINDOW_MS) | 0));
    if (cpes < DOWN_CPES) return;
    this.trialAt[row] = (tick + TRIAL_MS) | 0;
    this.become(row, ServerState.Down, trouble, cpes, cpes);
  }

  /** Distinct CPEs that failed, with SYNs sent after the last connection that the server accepted. */
  private cpesSinceAnswer(row: number): number {
    const since = this.hasAccepted[row] !== 0 ? this.acceptedAt[row] : this.tick - MEMORY_MS;
    return this.troubled.countSince(row, since | 0);
  }

  /** The server has accepted a connection. */
  private lives(row: number): void {
    this.acceptedAt[row] = this.tick;
    this.hasAccepted[row] = 1;
    if (!this.isDown(row)) return;
    // What happened while it was down says nothing about it now.
    this.window.clear(row);
    this.troubled.clear(row);
    this.become(row, ServerState.Up, Trouble.None, 0, 0);
  }

  // ---- what time tells ----

  sweep(): void {
    const { pending, rows, tick, watched } = this;
    const isStalled = !this.isCapture && ((tick - this.sweptTick) | 0) > STALL_MS;
    this.sweptTick = tick;
    // Their servers may have answered in time.
    if (isStalled) pending.forgive();
    for (let judged = 0; judged < JUDGED_PER_SWEEP; judged++) {
      const slot = pending.judge(tick);
      if (slot < 0) break;
      rows.count(pending.row(slot), Col.Unanswered);
      this.failed(pending.row(slot), slot, Trouble.Unanswered);
    }
    const passedMs = (tick - this.evaluatedTick) | 0;
    if (passedMs >= 0 && passedMs < EVALUATE_MS) return;
    this.evaluatedTick = tick;
    this.window.advance(tick, watched);
    for (let i = 0; i < watched.length; i++) this.evaluate(watched[i]);
  }

  private evaluate(row: number): void {
    const { rows, window, troubled, tick } = this;
    const { values } = rows;
    if (values[placeOf(row, Col.Since)] === 0) values[placeOf(row, Col.Since)] = this.nowMs;
    this.keepRecent(row);
    const state = values[placeOf(row, Col.State)];
    if (state === ServerState.Down) return;
    const attempts = window.attempts(row);
    const inTrouble = window.inTrouble(row);
    const share = state === ServerState.Degraded ? STAYS_DEGRADED_SHARE : DEGRADED_SHARE;
    const cut = this.cpesSinceAnswer(row);
    const isPartly = troubled.countSince(row, (tick - WINDOW_MS) | 0) >= PARTLY_CPES && inTrouble >= share * attempts;
    const isPartlyNow =
      troubled.countSince(row, (tick - LATEST_MS) | 0) >= PARTLY_CPES && window.latestShare(row) >= DEGRADED_SHARE;
    if (isPartly || isPartlyNow) {
      this.become(row, ServerState.Degraded, Trouble.Partly, inTrouble, attempts);
    } else if (cut >= CUT_CPES) {
      this.become(row, ServerState.Degraded, Trouble.Cut, cut, cut);
    } else if (state !== ServerState.Up) {
      this.become(row, ServerState.Up, Trouble.None, 0, 0);
    }
  }

  /** Ticks wrap after 24 days: none may become older than MEMORY_MS. */
  private keepRecent(row: number): void {
    const { tick, acceptedAt } = this;
    this.troubled.advance(row, tick);
    if (((tick - acceptedAt[row]) | 0) > MEMORY_MS) acceptedAt[row] = (tick - MEMORY_MS) | 0;
  }

  private become(row: number, state: ServerState, trouble: Trouble, inTrouble: number, attempts: number): void {
    const { values } = this.rows;
    values[placeOf(row, Col.Trouble)] = trouble;
    values[placeOf(row, Col.Troubled)] = inTrouble;
    values[placeOf(row, Col.Attempts)] = attempts;
    if (values[placeOf(row, Col.State)] === state) return;
    values[placeOf(row, Col.Since)] = this.nowMs;
    values[placeOf(row, Col.State)] = state;
    this.rows.changed(row);
  }

  private isDown(row: number): boolean {
    return this.rows.values[placeOf(row, Col.State)] === ServerState.Down;
  }
}

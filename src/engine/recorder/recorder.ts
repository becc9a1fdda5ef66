/**
 * The recorder: from the flow ring to the day's files. It may be slow, stopped or killed at any moment: the ring then
 * fills up, and what is lost is counted. In quiet, every diverted SYN that the worker told is in exactly one of these
 * counts: `OpenedLost`, `Connections`, `DroppedConnections`, `PendingConnections`, `Forgotten`, `Repeated`.
 */
import { Count, type FlowRing } from '../shared/flow-ring';
import { type HistoryEvent } from '../shared/recorder-protocol';
import { type DayFiles, type Tally } from './day-files';
import { Outcome } from './session';
import { Sessions } from './sessions';

/** Rows of the ring that are read in one go; between two, messages are heard. */
const MAX_TAKEN = 8192;
const EXPIRE_MS = 3600 * 1000;

export class Recorder {
  private readonly sessions: Sessions;
  private readonly droppedBefore: Tally;
  private readonly repeatedBefore: number;
  private isOpen = false;
  private expiredMs = 0;

  constructor(
    private readonly ring: FlowRing,
    private readonly files: DayFiles,
  ) {
    const { counts } = ring;
    this.sessions = new Sessions((row) => files.add(row));
    this.droppedBefore = { rows: counts[Count.DroppedRows], connections: counts[Count.DroppedConnections] };
    this.repeatedBefore = counts[Count.Repeated];
  }

  /** Why the files cannot be written; undefined when they can. */
  get failure(): string | undefined {
    return this.files.failure;
  }

  /** Reads what the ring holds. Call it some ten times a second. */
  read(): void {
    // Until the files are there, the ring keeps the changes.
    if (!this.isOpen) return;
    const { ring, sessions } = this;
    const cleared = ({ words, timeMs }: { words: number; timeMs: number }) => sessions.cleared(words, timeMs);
    const taken = ring.take((change) => sessions.take(change), cleared, MAX_TAKEN);
    // Counted first: nobody sees a quiet recorder whose counts are old.
    this.count();
    ring.release(taken);
  }

  /** Writes what has ended. Call it every second. */
  flush(nowMs: number): void {
    const isWritten = this.files.flush(nowMs);
    if (isWritten && !this.isOpen) this.opened();
    if (nowMs - this.expiredMs > EXPIRE_MS) {
      this.sessions.expire(nowMs);
      this.expiredMs = nowMs;
    }
    this.count();
  }

  /** @throws SystemError when it cannot be written */
  note(events: readonly HistoryEvent[], nowMs: number): void {
    if (!this.isOpen) this.flush(nowMs);
    this.files.addEvents(events, nowMs);
    this.ring.counts[Count.Events] += events.length;
  }

  /** The engine stops: writes everything, open sessions included. */
  end(nowMs: number): void {
    if (!this.isOpen) this.flush(nowMs);
    while (this.isOpen && this.ring.waiting > 0) this.read();
    this.sessions.endAll(Outcome.Unfinished, nowMs);
    this.flush(nowMs);
    this.files.close();
  }

  /** What an earlier recorder had in memory when it was killed is lost. */
  private opened(): void {
    const { ring, files } = this;
    this.isOpen = true;
    const kept = files.written.connections + this.droppedBefore.connections + this.repeatedBefore;
    ring.counts[Count.Forgotten] = (ring.openedTaken - kept) >>> 0;
  }

  private count(): void {
    const { sessions, files, droppedBefore } = this;
    const { counts } = this.ring;
    const { waiting, written, dropped } = files;
    if (this.isOpen) {
      counts[Count.Rows] = written.rows;
      counts[Count.Connections] = written.connections;
    }
    counts[Count.DroppedRows] = droppedBefore.rows + dropped.rows;
    counts[Count.DroppedConnections] = droppedBefore.connections + dropped.connections;
    counts[Count.Repeated] = this.repeatedBefore + sessions.repeated;
    counts[Count.OpenSessions] = sessions.count + waiting.rows;
    counts[Count.PendingConnections] = sessions.pendingConnections + waiting.connections;
    counts[Count.Failing] = this.failure === undefined ? 0 : 1;
    counts[Count.Bytes] = files.bytes;
  }
}

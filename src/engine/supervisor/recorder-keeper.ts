/**
 * The recorder (kept-process.ts): passes events on. They wait here, bounded, until it has written them; sessions wait in the
 * flow ring.
 */
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { loadAddon } from '../shared/binding';
import { type EngineLog } from '../shared/engine-log';
import { Count, FlowRing } from '../shared/flow-ring';
import {
  type EventKind,
  type FromRecorder,
  type HistoryEvent,
  type HistorySettings,
  type Lost,
  type RecorderStart,
  type RecorderStatus,
  type ToRecorder,
} from '../shared/recorder-protocol';
import { FD } from '../shared/worker-protocol';
import { KeptProcess } from './kept-process';
import { RECORDER_MAIN, type WorkerProgram } from './worker-program';

const MAX_DELAY_MS = 30_000;
/** Events that wait. */
const MAX_EVENTS = 1000;
const STOP_TIMEOUT_MS = 2000;
const LOOK_MS = 5000;

export interface RecorderOptions {
  log: EngineLog;
  /** Of the ring's memory; ours to close. */
  descriptor: number;
  ring: FlowRing;
  program: WorkerProgram;
  start: Omit<RecorderStart, 'kind' | 'parent'>;
}

/** @returns undefined when sessions are not kept */
export function keepRecorder(options: {
  history: HistorySettings | undefined;
  name: string;
  run: string;
  program: WorkerProgram;
  log: EngineLog;
}): RecorderKeeper | undefined {
  const { history, name, run, program, log } = options;
  if (!history) return undefined;
  const { createMemory, mapFile } = loadAddon();
  const descriptor = createMemory(FlowRing.BYTES);
  const ring = new FlowRing(mapFile(descriptor, 0, FlowRing.BYTES));
  const start = { run, settings: history, directory: join(history.directory, name) };
  return new RecorderKeeper({ log, descriptor, ring, program, start });
}

export class RecorderKeeper {
  private readonly kept: KeptProcess<FromRecorder, ToRecorder>;
  private isUp = false;
  private failure: string | undefined;
  private nextId = 0;
  private readonly events = new Map<number, HistoryEvent>();
  private lostEvents = 0;
  private told: Lost = { changes: 0, connections: 0, sessions: 0, events: 0 };
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly options: RecorderOptions) {
    this.kept = this.launch();
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.timer.unref();
  }

  /** Of the ring's memory, which outlives workers and recorders. */
  get descriptor(): number {
    return this.options.descriptor;
  }

  /** Keeps an event that happened now. */
  note(kind: EventKind, details: object = {}): void {
    if (this.events.size >= MAX_EVENTS) {
      this.lostEvents++;
      return;
    }
    const id = this.nextId++;
    this.events.set(id, { timeMs: Date.now(), kind, ...details });
    if (this.isUp) this.send(id);
  }

  get status(): RecorderStatus {
    const { counts } = this.options.ring;
    return {
      state: this.failure === undefined ? 'on' : 'failing',
      directory: this.options.start.directory,
      pid: this.kept.pid,
      restarts: this.kept.restarts,
      sessions: counts[Count.Rows],
      open: counts[Count.OpenSessions],
      waiting: this.options.ring.waiting,
      events: counts[Count.Events],
      bytes: counts[Count.Bytes],
      lost: this.lost,
    };
  }

  /** Lets the recorder write what it has, for 2 s at most, and closes the ring's memory. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.kept.stop({ kind: 'stop' });
    closeSync(this.descriptor);
  }

  private get lost(): Lost {
    const { counts } = this.options.ring;
    return {
      changes: counts[Count.Lost],
      connections: counts[Count.OpenedLost] + counts[Count.Forgotten] + counts[Count.DroppedConnections],
      sessions: counts[Count.DroppedRows],
      events: this.lostEvents,
    };
  }

  private launch(): KeptProcess<FromRecorder, ToRecorder> {
    const { program, descriptor, log } = this.options;
    return new KeptProcess({
      ...{ main: RECORDER_MAIN, program, memory: { descriptor, at: FD.history } },
      ...{ maxDelayMs: MAX_DELAY_MS, stopTimeoutMs: STOP_TIMEOUT_MS },
      hear: (message) => this.hear(message),
      onDeath: (reason, details) => {
        this.isUp = false;
        const what = `the recorder died: ${reason}; the history lacks the sessions that were open`;
        log.warn({ event: 'recorder-died', ...details }, what);
      },
    });
  }

  private hear(message: FromRecorder): void {
    switch (message.kind) {
      case 'up':
        this.isUp = true;
        this.kept.tell({ kind: 'start', parent: process.pid, ...this.options.start });
        for (const id of this.events.keys()) this.send(id);
        return;
      case 'kept':
        this.events.delete(message.id);
        return;
      case 'failing':
        this.noteFailure(message.reason);
    }
  }

  private noteFailure(reason: string | undefined): void {
    const { log, start } = this.options;
    const { directory } = start;
    if (reason === undefined && this.failure !== undefined) {
      log.info({ event: 'history', directory }, 'the history is written again');
    } else if (reason !== undefined) {
      const what = `the history cannot be written: ${reason}; sessions wait in memory, beyond 131072 they are lost`;
      log.error({ event: 'history', directory }, what);
    }
    this.failure = reason;
  }

  /** A warning when more was lost. */
  private look(): void {
    const { lost, told } = this;
    if (!(Object.keys(lost) as (keyof Lost)[]).some((what) => lost[what] > told[what])) return;
    this.told = lost;
    const message = `not in the history: ${lost.connections} connections, ${lost.sessions} sessions, ${lost.events} events so far`;
    this.options.log.warn({ event: 'history-lost', ...lost }, message);
  }

  private send(id: number): void {
    this.kept.tell({ kind: 'event', id, event: this.events.get(id)! });
  }
}

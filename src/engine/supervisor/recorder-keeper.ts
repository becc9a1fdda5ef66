/**
 * Keeps the recorder alive without ever waiting for it: starts it, starts it again when it dies, with growing delays,
 * and passes events on. Events wait here, bounded, until the recorder has written them; sessions wait in the flow ring.
 */
import { type ChildProcess, spawn } from 'node:child_process';
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
import { lastWords, MAX_WORDS } from './worker-process';
import { RECORDER_MAIN, WORKER_BOOT, type WorkerProgram } from './worker-program';

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 30_000;
/** A recorder that lives this long has started well. */
const PROVEN_MS = 10_000;
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
  private child: ChildProcess | undefined;
  private isUp = false;
  private isStopping = false;
  private restarts = 0;
  private failures = 0;
  private startedMs = 0;
  private failure: string | undefined;
  private nextId = 0;
  private readonly events = new Map<number, HistoryEvent>();
  private lostEvents = 0;
  private told: Lost = { changes: 0, connections: 0, sessions: 0, events: 0 };
  private restart: NodeJS.Timeout | undefined;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly options: RecorderOptions) {
    this.launch();
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
      pid: this.child?.pid ?? 0,
      restarts: this.restarts,
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
    this.isStopping = true;
    clearInterval(this.timer);
    clearTimeout(this.restart);
    const { child } = this;
    if (child) await this.end(child);
    closeSync(this.descriptor);
  }

  private async end(child: ChildProcess): Promise<void> {
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const limit = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    this.tell({ kind: 'stop' });
    await ended;
    clearTimeout(limit);
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

  private launch(): void {
    const { program, descriptor } = this.options;
    const stdio: (number | 'ignore' | 'pipe' | 'ipc')[] = ['ignore', 'ignore', 'pipe'];
    stdio[FD.channel] = 'ipc';
    for (const unused of [FD.queue, FD.batch, FD.state, FD.control, FD.flows4, FD.flows6]) stdio[unused] = 'ignore';
    stdio[FD.modules] = program.modules;
    stdio[FD.addon] = program.addon;
    stdio[FD.history] = descriptor;
    const child = spawn(process.execPath, ['-e', WORKER_BOOT, RECORDER_MAIN], { stdio });
    this.child = child;
    this.startedMs = performance.now();
    let words = '';
    child.stderr?.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-MAX_WORDS)));
    child.on('message', (message: FromRecorder) => this.hear(message));
    // `close` follows every end, `error` only comes when it could not be started.
    child.once('error', () => this.mourn(child, 'it cannot be started'));
    child.once('close', (code, signal) => this.mourn(child, lastWords(words, code, signal)));
  }

  private hear(message: FromRecorder): void {
    switch (message.kind) {
      case 'up':
        this.isUp = true;
        this.tell({ kind: 'start', parent: process.pid, ...this.options.start });
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

  private mourn(child: ChildProcess, reason: string): void {
    if (this.child !== child) return;
    this.child = undefined;
    this.isUp = false;
    if (this.isStopping) return;
    this.failures = performance.now() - this.startedMs > PROVEN_MS ? 1 : this.failures + 1;
    const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.failures - 1));
    const message = `the recorder died: ${reason}; the history lacks the sessions that were open`;
    this.options.log.warn({ event: 'recorder-died', pid: child.pid, delayMs }, message);
    this.restarts++;
    this.restart = setTimeout(() => this.launch(), delayMs);
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
    this.tell({ kind: 'event', id, event: this.events.get(id)! });
  }

  /** A dying recorder no longer listens, which is no error. */
  private tell(message: ToRecorder): void {
    if (this.child?.connected) this.child.send(message, () => undefined);
  }
}

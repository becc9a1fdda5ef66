/**
 * The recorder's program, started by the supervisor (recorder-keeper.ts) and killed at any moment. It writes nothing that
 * the engine needs, and nobody waits for it.
 */
import { loadAddon } from '../shared/binding';
import { Count, FlowRing } from '../shared/flow-ring';
import { type FromRecorder, type HistoryEvent, type RecorderStart, type ToRecorder } from '../shared/recorder-protocol';
import { FD } from '../shared/worker-protocol';
import { DayFiles } from './day-files';
import { Recorder } from './recorder';

const READ_MS = 50;
const FLUSH_MS = 1000;

function tell(message: FromRecorder): void {
  // The supervisor may be gone.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

class Program {
  private readonly recorder: Recorder;
  private failure: string | undefined;
  /** Events that could not be written yet. */
  private waiting: { id: number; event: HistoryEvent }[] = [];

  constructor({ parent, run, settings, directory }: RecorderStart) {
    if (!loadAddon().dieWithParent(parent)) process.exit(0);
    const ring = new FlowRing(loadAddon().mapFile(FD.history, 0, FlowRing.BYTES));
    const already = { rows: ring.counts[Count.Rows], connections: ring.counts[Count.Connections] };
    const { keepDays, maxMiB } = settings;
    const files = new DayFiles({ directory, keepDays, maxBytes: maxMiB * 2 ** 20, run, already, sync: true });
    this.recorder = new Recorder(ring, files);
    this.flush();
    setInterval(() => this.recorder.read(), READ_MS);
    setInterval(() => this.flush(), FLUSH_MS);
  }

  /** Events that come together are written together: each write waits for the disk. */
  note(id: number, event: HistoryEvent): void {
    if (this.waiting.push({ id, event }) === 1) setImmediate(() => this.writeEvents());
  }

  stop(): void {
    this.writeEvents();
    this.recorder.end(Date.now());
    process.exit(0);
  }

  private flush(): void {
    this.recorder.flush(Date.now());
    this.writeEvents();
    const { failure } = this.recorder;
    if (failure !== this.failure) tell({ kind: 'failing', reason: failure });
    this.failure = failure;
  }

  /** The supervisor keeps an event until it is told that it is written. */
  private writeEvents(): void {
    const { waiting } = this;
    if (waiting.length === 0) return;
    try {
      this.recorder.note(
        waiting.map(({ event }) => event),
        Date.now(),
      );
    } catch {
      // Tried again with the next flush.
      return;
    }
    this.waiting = [];
    for (const { id } of waiting) tell({ kind: 'kept', id });
  }
}

let program: Program | undefined;
process.on('message', (message: ToRecorder) => {
  if (message.kind === 'start') program = new Program(message);
  else if (message.kind === 'event') program?.note(message.id, message.event);
  else if (program === undefined) process.exit(0);
  else program.stop();
});
process.on('disconnect', () => process.exit(0));
// Signals to the whole process group (Ctrl-C) are the supervisor's to handle.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
tell({ kind: 'up' });

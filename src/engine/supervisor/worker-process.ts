/** The supervisor's view of one worker: a child process with the engine's descriptors, and why it died. */
import { type ChildProcess, spawn } from 'node:child_process';
import { WORKER_BOOT, WORKER_MAIN, type WorkerProgram } from './worker-program';
import { type MirrorMaps } from '../shared/fast-path';
import { FD, type FromWorker, type ToWorker } from '../shared/worker-protocol';

/** How much of a child's last output is kept. */
export const MAX_WORDS = 8192;

export interface Descriptors {
  queue: number;
  batch: number;
  state: number;
  program: WorkerProgram;
  /** Undefined: there is no fast path. */
  mirror: MirrorMaps | undefined;
  /** The flow ring; undefined without a history. */
  history: number | undefined;
  /** The cluster's rings; undefined without a cluster. */
  cluster: number | undefined;
}

export interface Death {
  /** One line. */
  reason: string;
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class WorkerProcess {
  /** Never rejects. */
  readonly died: Promise<Death>;
  private readonly child: ChildProcess;
  private words = '';

  constructor(descriptors: Descriptors, hear: (message: FromWorker) => void) {
    const stdio: (number | 'ignore' | 'pipe' | 'ipc')[] = ['ignore', 'ignore', 'pipe'];
    stdio[FD.channel] = 'ipc';
    stdio[FD.queue] = descriptors.queue;
    stdio[FD.batch] = descriptors.batch;
    stdio[FD.state] = descriptors.state;
    stdio[FD.modules] = descriptors.program.modules;
    stdio[FD.addon] = descriptors.program.addon;
    // No holes: Node takes them for pipes.
    for (const unused of [FD.control, FD.flows4, FD.flows6, FD.history, FD.overheard, FD.cluster]) {
      stdio[unused] = 'ignore';
    }
    if (descriptors.mirror) {
      stdio[FD.control] = descriptors.mirror.control;
      stdio[FD.flows4] = descriptors.mirror.flows4;
      stdio[FD.flows6] = descriptors.mirror.flows6;
      stdio[FD.overheard] = descriptors.mirror.overheard;
    }
    if (descriptors.history !== undefined) stdio[FD.history] = descriptors.history;
    if (descriptors.cluster !== undefined) stdio[FD.cluster] = descriptors.cluster;
    this.child = spawn(process.execPath, ['-e', WORKER_BOOT, WORKER_MAIN], { stdio });
    this.child.stderr?.on('data', (chunk: Buffer) => (this.words = (this.words + chunk.toString()).slice(-MAX_WORDS)));
    this.child.on('message', hear);
    this.died = new Promise((resolve) => {
      this.child.once('error', (error) => resolve({ reason: error.message, code: null, signal: null }));
      this.child.once('close', (code, signal) =>
        resolve({ reason: lastWords(this.words, code, signal), code, signal }),
      );
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** A dying worker no longer listens, which is no error. */
  tell(message: ToWorker): void {
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/** Why a child ended, in one line: the exception's own line if Node printed a stack, else its last output. */
export function lastWords(words: string, code: number | null, signal: NodeJS.Signals | null): string {
  const lines = words.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('Node.js v'));
  const exception = lines.find((line) => /^(Uncaught )?\w*Error\b.*:/.test(line));
  const ending = signal === null ? `exit code ${code}` : `killed by ${signal}`;
  const last = exception ?? lines.at(-1);
  return last === undefined ? ending : `${ending}: ${last.trim().slice(0, 500)}`;
}

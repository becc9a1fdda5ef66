/**
 * A helper process of the supervisor that is kept alive without anyone waiting for it: started, and started again when it
 * dies, with growing delays. It runs the program that was read at the engine's start. docs/decisions/crash-only.md
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { FD } from '../shared/worker-protocol';
import { lastWords, MAX_WORDS } from './worker-process';
import { WORKER_BOOT, type WorkerProgram } from './worker-program';

const FIRST_DELAY_MS = 100;
/** A process that lives this long has started well. */
const PROVEN_MS = 10_000;

export interface KeptProcessOptions<Told> {
  /** The module that it runs. */
  main: string;
  program: WorkerProgram;
  /** Shared memory: the parent's descriptor, and its number in the process. */
  memory: { descriptor: number; at: number };
  /** Between two starts, at the most. */
  maxDelayMs: number;
  /** For the process to end by itself. */
  stopTimeoutMs: number;
  hear: (message: Told) => void;
  /** It has died, and is started again after a delay. @param reason one line */
  onDeath: (reason: string, details: { pid: number | undefined; delayMs: number }) => void;
}

export class KeptProcess<Told, ToTell extends object> {
  restarts = 0;
  private child: ChildProcess | undefined;
  private isStopping = false;
  private failures = 0;
  private startedMs = 0;
  private restart: NodeJS.Timeout | undefined;

  constructor(private readonly options: KeptProcessOptions<Told>) {
    this.launch();
  }

  /** 0 while there is none. */
  get pid(): number {
    return this.child?.pid ?? 0;
  }

  /** False when it is not there. A dying process no longer listens, which is no error. */
  tell(message: ToTell): boolean {
    return this.child?.connected === true && this.child.send(message, () => undefined);
  }

  /** @param message asks it to end; after a while it is killed */
  async stop(message: ToTell): Promise<void> {
    this.isStopping = true;
    clearTimeout(this.restart);
    const { child } = this;
    if (!child) return;
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const limit = setTimeout(() => child.kill('SIGKILL'), this.options.stopTimeoutMs);
    this.tell(message);
    await ended;
    clearTimeout(limit);
  }

  private launch(): void {
    const { main, program, memory, hear } = this.options;
    const stdio: (number | 'ignore' | 'pipe' | 'ipc')[] = ['ignore', 'ignore', 'pipe'];
    // No holes: Node takes them for pipes.
    for (let fd = FD.channel; fd <= Math.max(FD.addon, memory.at); fd++) stdio[fd] = 'ignore';
    stdio[FD.channel] = 'ipc';
    stdio[FD.modules] = program.modules;
    stdio[FD.addon] = program.addon;
    stdio[memory.at] = memory.descriptor;
    const child = spawn(process.execPath, ['-e', WORKER_BOOT, main], { stdio });
    this.child = child;
    this.startedMs = performance.now();
    let words = '';
    child.stderr?.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-MAX_WORDS)));
    child.on('message', (message: Told) => hear(message));
    // `close` follows every end, `error` only comes when it could not be started.
    child.once('error', () => this.mourn(child, 'it cannot be started'));
    child.once('close', (code, signal) => this.mourn(child, lastWords(words, code, signal)));
  }

  private mourn(child: ChildProcess, reason: string): void {
    if (this.child !== child) return;
    this.child = undefined;
    if (this.isStopping) return;
    const { maxDelayMs, onDeath } = this.options;
    this.failures = performance.now() - this.startedMs > PROVEN_MS ? 1 : this.failures + 1;
    const delayMs = Math.min(maxDelayMs, FIRST_DELAY_MS * 2 ** (this.failures - 1));
    this.restarts++;
    this.restart = setTimeout(() => this.launch(), delayMs);
    onDeath(reason, { pid: child.pid, delayMs });
  }
}

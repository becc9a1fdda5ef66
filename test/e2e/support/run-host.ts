/**
 * A host to run the command line on: one namespace with the three interfaces, and a CPE behind the first.
 *
 *     cpe ns                    host ns
 *     eth0 10.1.0.9 ── eth0 10.1.0.1   eth1 10.2.0.1   eth2 10.3.0.1
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askEngine, controlSocketPath } from '../../../src/engine/control/ask';
import { type Status } from '../../../src/engine/report/status';
import { sh } from './netns';

const MAIN = join(__dirname, '..', '..', '..', 'dist', 'cli', 'main.js');
/** Bounds a failure; what we wait for takes a second. */
const PATIENCE_MS = 30_000;

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export class RunHost {
  /** What `start` runs: the build, or a copy of it. */
  program = MAIN;
  readonly directory = mkdtempSync(join(tmpdir(), 'acsplit-run-'));
  private readonly prefix = `acsrun${process.pid}-${randomBytes(3).toString('hex')}`;
  private readonly commands = new Set<RunningCommand>();

  constructor() {
    for (const name of [this.host, this.cpe]) sh('ip', 'netns', 'add', name);
    sh('ip', '-n', this.host, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.cpe);
    for (const n of [1, 2])
      sh('ip', '-n', this.host, 'link', 'add', `eth${n}`, 'type', 'veth', 'peer', 'name', `far${n}`);
    for (const [n, address] of ['10.1.0.1/16', '10.2.0.1/24', '10.3.0.1/24'].entries()) {
      sh('ip', '-n', this.host, 'address', 'add', address, 'dev', `eth${n}`);
      sh('ip', '-n', this.host, 'link', 'set', `eth${n}`, 'up');
    }
    sh('ip', '-n', this.cpe, 'address', 'add', '10.1.0.9/16', 'dev', 'eth0');
    sh('ip', '-n', this.cpe, 'link', 'set', 'eth0', 'up');
  }

  get host(): string {
    return `${this.prefix}-host`;
  }

  get cpe(): string {
    return `${this.prefix}-cpe`;
  }

  get stateDirectory(): string {
    return join(this.directory, 'state');
  }

  /** Writes a configuration and returns its path. `more` is appended: other queues, another state directory. */
  configure(name: string, more = `stateDirectory: ${this.stateDirectory}`, cpeInterface = 'eth0'): string {
    const file = join(this.directory, name);
    const lines = [
      `cpe: { interface: ${cpeInterface}, address: 10.1.0.1, networks: [10.1.0.0/16] }`,
      'itms: { interface: eth1, address: 10.2.0.2 }',
      'collectors: [{ name: c1, interface: eth2, address: 10.3.0.2 }]',
      'reportPorts: [7547]',
      'tables: { capacity: 4096 }',
    ];
    writeFileSync(file, [...lines, more, ''].join('\n'));
    return file;
  }

  /** Starts `acsplit WORDS` on the host, `wrapper` in front of it. */
  start(words: string[], wrapper: string[] = []): RunningCommand {
    const command = new RunningCommand([
      'ip',
      'netns',
      'exec',
      this.host,
      ...wrapper,
      process.execPath,
      this.program,
      ...words,
    ]);
    this.commands.add(command);
    return command;
  }

  /** Starts a program that is not ours on the host. */
  startProgram(...words: string[]): RunningCommand {
    const command = new RunningCommand(['ip', 'netns', 'exec', this.host, ...words]);
    this.commands.add(command);
    return command;
  }

  /** Starts a command where the CPE is. */
  startInCpe(...words: string[]): void {
    this.commands.add(new RunningCommand(['ip', 'netns', 'exec', this.cpe, ...words]));
  }

  /** Runs `acsplit WORDS` to its end. */
  acsplit(words: string[], wrapper: string[] = []): Promise<Ended> {
    return this.start(words, wrapper).ended;
  }

  /** What `acsplit status --json` prints, without the start of a program for each look. */
  async status(stateDirectory = this.stateDirectory): Promise<Status> {
    return (await askEngine(controlSocketPath(stateDirectory), { command: 'status' })) as Status;
  }

  /** Numbers of the queues that anyone has bound on the host. */
  boundQueues(): number[] {
    const text = sh('ip', 'netns', 'exec', this.host, 'cat', '/proc/net/netfilter/nfnetlink_queue');
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => Number(line.trim().split(/\s+/)[0]));
  }

  async remove(): Promise<void> {
    for (const name of [this.host, this.cpe]) {
      const pids = sh('ip', 'netns', 'pids', name).split('\n').filter(Boolean).map(Number);
      for (const pid of pids) kill(pid);
    }
    await Promise.all([...this.commands].map((command) => command.ended));
    for (const name of [this.host, this.cpe]) sh('ip', 'netns', 'delete', name);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export class RunningCommand {
  readonly ended: Promise<Ended>;
  private readonly child;
  private stdout = '';
  private stderr = '';

  constructor([program, ...words]: string[]) {
    this.child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
  }

  /** The log's first event of this kind; fails when the command ends without it. */
  async event(name: string): Promise<Record<string, unknown>> {
    return eventually(`event ${name}`, () => {
      const found = this.events().find((row) => row.event === name);
      if (!found && this.child.exitCode !== null) throw new Error(`ended without event ${name}: ${this.stderr}`);
      return found;
    });
  }

  events(): Record<string, unknown>[] {
    const lines = this.stderr.split('\n').slice(0, -1);
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

/** What `look` finds, as soon as it finds anything. */
export async function eventually<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; ;) {
    const lookedMs = performance.now();
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms in vain for ${what}`);
    // A look that starts a program must not keep the cores busy.
    const pauseMs = Math.min(Math.max(20, 2 * (performance.now() - lookedMs)), 250);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}

/** An acsplit command of the build under test, while it runs and when it has ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cli } from '../../../src/lab/engine';
import { type World } from '../../../src/lab/world';
import { eventually } from './run-host';

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

const running = new Set<ChildProcess>();

// `trace` and `status --watch` never end by themselves: a test that fails must not leave them behind.
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

export class Command {
  stdout = '';
  stderr = '';
  readonly child;
  readonly ended: Promise<Ran>;

  constructor(world: World, configurationFile: string, words: readonly string[]) {
    const [program, ...rest] = cli(world, ...words, '-c', configurationFile) as [string, ...string[]];
    this.child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.child);
    this.child.once('close', () => running.delete(this.child));
    this.child.stdout.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  /** Waits for lines of standard output that fit. */
  lines(count: number, fits: (line: string) => boolean = () => true): Promise<string[]> {
    return eventually(`${count} lines`, () => {
      const found = this.stdout.split('\n').slice(0, -1).filter(fits);
      return found.length >= count ? found : undefined;
    });
  }
}

/**
 * `acsplit doctor`, `rules` and `status` without a start for each call: one process inside a namespace has the build's
 * command line loaded and runs what it is asked (warm-program.js). Most of a short command is the start of Node and the
 * loading of modules, where tests with a hundred calls would spend their time. Other tests run the program itself.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type World } from '../../../src/lab/world';
import { type Outcome } from '../../../src/steering/iptables/iptables';

const PROGRAM = join(__dirname, 'warm-program.js');
/** Bounds a failure. */
const PATIENCE_MS = 60_000;

export class WarmCli {
  private child: ChildProcess | undefined;
  private readonly asked: string;
  private readonly answered: string;

  /** @param through the command that runs another one on the router */
  constructor(
    private readonly world: World,
    private readonly through: readonly string[],
  ) {
    this.asked = join(world.directory, 'warm-cli.asked');
    this.answered = join(world.directory, 'warm-cli.answered');
  }

  /** Runs `acsplit WORDS` to its end. */
  run(words: readonly string[]): Outcome {
    this.child ??= this.start();
    const { status, stdout, stderr } = spawnSync('sh', ['-c', 'cat >"$0" && cat "$1"', this.asked, this.answered], {
      input: JSON.stringify(words),
      encoding: 'utf8',
      timeout: PATIENCE_MS,
    });
    if (status !== 0 || stdout === '') throw new Error(`acsplit ${words.join(' ')}: no outcome; ${stderr}`);
    return { error: undefined, ...(JSON.parse(stdout) as Omit<Outcome, 'error'>) };
  }

  async close(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill();
    await ended;
  }

  private start(): ChildProcess {
    execFileSync('mkfifo', [this.asked, this.answered]);
    const cli = join(this.world.programs, '..', 'cli');
    const [file, ...rest] = [...this.through, process.execPath, PROGRAM, cli, this.asked, this.answered];
    return spawn(file, rest, { stdio: ['ignore', 'ignore', 'inherit'] });
  }
}

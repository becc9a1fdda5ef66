/** A command on a real terminal (support/on-terminal.py), and the contents of its screen. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { PYTHON } from '../../support/tools';

const PTY = join(__dirname, 'on-terminal.py');
const HOME = '\x1b[H';
const ENTER = '\x1b[?1049h';
const LEAVE = '\x1b[?1049l';

export class Terminal {
  /** Everything that was written to it. */
  text = '';
  readonly ended: Promise<number | null>;
  private readonly child;

  constructor(columns: number, rows: number, command: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    const env: NodeJS.ProcessEnv = { ...process.env, TERM: 'xterm', LC_ALL: 'C.UTF-8', NO_COLOR: '', ...environment };
    this.child = spawn(PYTHON, [PTY, String(columns), String(rows), ...command], { env });
    this.child.stdout.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
  }

  /** Ctrl-C, typed. */
  interrupt(): void {
    this.child.stdin.write('interrupt\n');
  }

  type(keys: string): void {
    this.child.stdin.write(`type ${keys}\n`);
  }

  resize(columns: number, rows: number): void {
    this.child.stdin.write(`size ${columns} ${rows}\n`);
  }

  /** The last whole picture, line by line, without colours; undefined before there is one. */
  picture(): string[] | undefined {
    const pictures = this.text.split(HOME);
    const last = pictures.filter((one, index) => index > 0 && one.includes('\x1b[J')).at(-1);
    if (last === undefined) return undefined;
    const lines = last.slice(0, last.indexOf('\x1b[J')).split(/\r*\n/);
    return lines.map((line) => line.replace(/\x1b\[\d*[mK]/g, ''));
  }

  /** Whether the screen that was before is back, with its cursor. */
  get isRestored(): boolean {
    return this.text.includes(ENTER) && this.text.endsWith(`\x1b[?25h${LEAVE}`);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

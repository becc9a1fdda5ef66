/** Starts a search of the history (recorder/search.ts): one at a time, niced, bounded in time, memory and answer. */
import { spawn } from 'node:child_process';
import { FD } from '../shared/worker-protocol';

/** The program that was read at the start, so that an upgrade changes nothing under a running engine. */
export interface SearchProgram {
  /** What the search's Node evaluates, and the module it is to run. */
  boot: string;
  main: string;
  /** Descriptors. */
  modules: number;
  addon: number;
}

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
const MEMORY_MIB = 256;
/** Newest sessions, and events, in an answer. */
const MOST_ROWS = 100;

export class Busy extends Error {}

export class HistorySearch {
  private isRunning = false;

  constructor(
    private readonly program: SearchProgram,
    /** Where the sessions are kept; undefined: nowhere. */
    private readonly directory: string | undefined,
  ) {}

  get isKept(): boolean {
    return this.directory !== undefined;
  }

  /** JSON of a SearchAnswer. @throws Busy, or Error when the search fails or takes too long */
  async find(cpe: string): Promise<string> {
    if (this.isRunning) throw new Busy('another search of the history is running');
    this.isRunning = true;
    try {
      return await this.run(JSON.stringify({ directory: this.directory, cpe, limit: MOST_ROWS }));
    } finally {
      this.isRunning = false;
    }
  }

  private run(order: string): Promise<string> {
    const { boot, main, modules, addon } = this.program;
    const stdio: (number | 'ignore' | 'pipe')[] = ['ignore', 'pipe', 'ignore'];
    for (let unused = stdio.length; unused < FD.modules; unused++) stdio[unused] = 'ignore';
    stdio[FD.modules] = modules;
    stdio[FD.addon] = addon;
    const words = [`--max-old-space-size=${MEMORY_MIB}`, '-e', boot, main, order];
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, words, { stdio });
      const limit = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
      let answer = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        answer += text;
        if (answer.length > MAX_ANSWER_BYTES) child.kill('SIGKILL');
      });
      const end = (code: number | null) => {
        clearTimeout(limit);
        if (code === 0) resolve(answer);
        else reject(new Error('the history could not be read in time; acsplit history tells more'));
      };
      child.once('error', () => end(null));
      child.once('close', end);
    });
  }
}

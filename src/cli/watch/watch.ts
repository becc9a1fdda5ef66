/**
 * `status --watch`: asks for the status at an interval and shows it. On a terminal it redraws one screen; in a pipe it
 * prints a line each time. `q` or Ctrl-C ends it and restores the terminal; `?` shows the other keys. If the engine stops,
 * it says so and waits.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { type Status } from '../../engine';
import { Failure } from '../../configuration/errors';
import { History, type Seen } from './history';
import { renderLine, renderWatch, type Screen, SORTS } from './render';
import { choosePaint, speaksUtf8 } from './style';

export interface WatchOptions {
  intervalMs: number;
  json: boolean;
  /** @throws Failure while no engine runs */
  ask: () => Promise<Status>;
}

/** Switch to the alternate screen and hide the cursor, and undo both. Source: xterm control sequences */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[2J';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE_END = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** Assumed when a terminal does not report its size. */
const DEFAULT_SIZE = { columns: 80, rows: 24 };
const GONE = 'no engine answers; waiting for one';

/** Resolves when the user ends it. @throws Failure when no engine runs at the start */
export async function watch(options: WatchOptions): Promise<void> {
  const first = await options.ask();
  const ended = new AbortController();
  const aborted = new Promise<undefined>((resolve) => ended.signal.addEventListener('abort', () => resolve(undefined)));
  const end = () => ended.abort();
  const isPicture = process.stdout.isTTY && !options.json;
  const view = isPicture ? new Picture(options.intervalMs, end) : new Lines(options.json);
  for (const signal of SIGNALS) process.on(signal, end);
  view.begin();
  try {
    for (let status: Status | undefined = first; ; status = await Promise.race([askAgain(options), aborted])) {
      if (ended.signal.aborted) break;
      view.show(status);
      await pause(options.intervalMs, undefined, { signal: ended.signal });
    }
  } catch (error) {
    if (!ended.signal.aborted) throw error;
  } finally {
    view.end();
    for (const signal of SIGNALS) process.off(signal, end);
  }
  // Exit even if a request to a hung engine is still pending.
  process.exit(0);
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Undefined while no engine runs. */
async function askAgain({ ask }: WatchOptions): Promise<Status | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

class Picture {
  private readonly history = new History();
  private readonly look: Pick<Screen, 'paint' | 'isAscii' | 'intervalMs'>;
  private isGone = false;
  private frozen: { seen: Seen; clock: string } | undefined;
  private sort = 0;
  private hasHelp = false;
  private readonly draw = () => this.redraw();
  private readonly suspend = () => {
    readKeys(false);
    process.stdout.write(LEAVE);
    process.kill(process.pid, 'SIGSTOP');
  };
  private readonly resume = () => {
    readKeys(true);
    process.stdout.write(ENTER);
    this.redraw();
  };
  /** Several keys may come at once. */
  private readonly hear = (text: string) => {
    for (const key of text) this.obey(key);
    this.redraw();
  };

  constructor(
    intervalMs: number,
    private readonly quit: () => void,
  ) {
    this.look = { paint: choosePaint(process.env), isAscii: !speaksUtf8(process.env), intervalMs };
  }

  begin(): void {
    process.stdout.write(ENTER);
    process.stdout.on('resize', this.draw);
    process.on('SIGTSTP', this.suspend).on('SIGCONT', this.resume);
    if (readKeys(true)) process.stdin.setEncoding('utf8').on('data', this.hear);
  }

  show(status: Status | undefined): void {
    this.isGone = status === undefined;
    if (status) this.history.add({ atMs: performance.now(), status });
    this.redraw();
  }

  end(): void {
    process.stdout.off('resize', this.draw);
    process.off('SIGTSTP', this.suspend).off('SIGCONT', this.resume);
    process.stdin.off('data', this.hear);
    readKeys(false);
    process.stdout.write(LEAVE);
  }

  private obey(key: string): void {
    switch (key) {
      case 'q':
      case CTRL_C:
        return this.quit();
      case CTRL_Z:
        process.kill(process.pid, 'SIGTSTP');
        return;
      case 'f':
        this.frozen = this.frozen ? undefined : { seen: this.history.frozen(), clock: clockText(new Date()) };
        return;
      case 's':
        this.sort = (this.sort + 1) % SORTS.length;
        return;
      case '?':
        this.hasHelp = !this.hasHelp;
    }
  }

  private redraw(): void {
    const { columns, rows } = { ...DEFAULT_SIZE, ...sizeOf(process.stdout) };
    const { frozen, hasHelp } = this;
    const notice = this.isGone ? GONE : frozen && `frozen at ${frozen.clock}; f continues`;
    const screen = {
      ...this.look,
      columns,
      rows,
      clock: clockText(new Date()),
      notice,
      hasHelp,
      sort: SORTS[this.sort],
    };
    const lines = renderWatch(frozen?.seen ?? this.history, screen);
    process.stdout.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE_END}`).join('\r\n')}${CLEAR_BELOW}`);
  }
}

const CTRL_C = '\x03';
const CTRL_Z = '\x1a';

/** Keys one by one, unechoed, where a keyboard is there. @returns whether it is */
function readKeys(isOn: boolean): boolean {
  const { stdin } = process;
  if (!stdin.isTTY) return false;
  stdin.setRawMode(isOn);
  if (isOn) stdin.resume();
  else stdin.pause();
  return true;
}

/** The size a terminal reports; 0 means it does not know. */
function sizeOf({ columns, rows }: { columns?: number; rows?: number }): Partial<typeof DEFAULT_SIZE> {
  return { ...(columns ? { columns } : {}), ...(rows ? { rows } : {}) };
}

class Lines {
  private readonly history = new History();
  private isGone = false;

  constructor(private readonly isJson: boolean) {}

  begin(): void {
    // A pipe needs no preparation.
  }

  show(status: Status | undefined): void {
    if (status === undefined) {
      if (!this.isGone) process.stderr.write(`${GONE}\n`);
      this.isGone = true;
      return;
    }
    if (this.isGone) process.stderr.write('an engine answers again\n');
    this.isGone = false;
    this.history.add({ atMs: performance.now(), status });
    const line = this.isJson ? JSON.stringify(status) : renderLine(this.history, clockText(new Date()));
    process.stdout.write(`${line}\n`);
  }

  end(): void {
    // A pipe needs no clean-up.
  }
}

function clockText(time: Date): string {
  return time.toTimeString().slice(0, 8);
}

/**
 * The actors' protocol: one JSON object per line. Commands arrive on stdin as {"ask": NUMBER, "do": NAME, ...}, answers
 * leave on stdout as {"answer": NUMBER, ...}, and events as {"event": NAME, ...}.
 */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export interface Command {
  ask: number;
  do: string;
  [argument: string]: unknown;
}

export interface Answer {
  answer: number;
  result?: unknown;
  error?: string;
}

export interface Happening {
  event: string;
  /** Milliseconds since the epoch, for people to read; no test depends on it. */
  atMs: number;
}

export type Line = Answer | Happening;

/** Calls `onLine` with every JSON object of a stream, and `onOther` with every other line. */
export function readLines<T>(stream: Readable, onLine: (line: T) => void, onOther: (text: string) => void): void {
  createInterface({ input: stream }).on('line', (text) => {
    if (!text.startsWith('{')) return onOther(text);
    onLine(JSON.parse(text) as T);
  });
}

/** Reports an event on standard output. */
export function tell<T extends object>(event: string, what: T): void {
  write({ event, atMs: Date.now(), ...what });
}

/**
 * Serves commands from standard input until it closes, which also happens when the director dies. `acts` maps the name
 * of a command to its function; if that rejects, the error is sent as the answer. "settle" does nothing: its answer
 * arrives after everything reported before.
 */
export function serve(acts: Record<string, (command: Command) => Promise<unknown>>): void {
  const perform = async (command: Command): Promise<unknown> => {
    if (command.do === 'settle') return null;
    const act = acts[command.do];
    if (act === undefined) throw new Error(`no such command: ${command.do}`);
    return act(command);
  };
  readLines<Command>(
    process.stdin,
    (command) => {
      perform(command).then(
        (result) => write({ answer: command.ask, result: result ?? null }),
        (error: unknown) =>
          write({ answer: command.ask, error: error instanceof Error ? error.message : String(error) }),
      );
    },
    () => {},
  );
  process.stdin.on('close', () => process.exit(0));
}

function write(line: Line): void {
  process.stdout.write(JSON.stringify(line) + '\n');
}

/**
 * Rows that are in no segment yet, one line of JSON each, so that a file cut short by a loss of power loses its last
 * line and no more. Between the rows stand marks: how much a run of the engine has stored so far.
 */
import { readFileSync } from 'node:fs';
import { type SessionRow } from './session';

/** What a run of the engine has stored so far: sessions, and the diverted SYNs that they count. */
export interface Progress {
  run: string;
  rows: number;
  connections: number;
}

export interface Recent {
  /** 8 bytes, hexadecimal; '' when the file has no legible beginning. */
  id: string;
  rows: SessionRow[];
  progress: Progress | undefined;
  /** Length of the whole lines. */
  bytes: number;
  /** Whole lines that are illegible. */
  damaged: number;
}

type Line = [
  cpe: number[],
  ...texts: [collector: string],
  ...numbers: [woken: number, outcome: number, isConfirmed: number, heads: number, lastHead: number],
  ...times: [endedMs: number, armedMs: number | null, openedMs: number | null],
  ...counts: [cpePort: number, port: number, connections: number],
];

export function beginningLine(id: string): string {
  return `${JSON.stringify({ id })}\n`;
}

export function progressLine(progress: Progress): string {
  return `${JSON.stringify({ progress })}\n`;
}

export function rowLine(row: SessionRow): string {
  const line: Line = [
    [...row.cpe],
    row.collector,
    ...([row.woken, row.outcome, row.isConfirmed ? 1 : 0, row.heads, row.lastHead] as const),
    ...([row.endedMs, row.armedMs ?? null, row.openedMs ?? null] as const),
    ...([row.cpePort, row.port, row.connections] as const),
  ];
  return `${JSON.stringify(line)}\n`;
}

/** Undefined without a file. @param wanted skips lines that need no parsing */
export function readRecent(path: string, wanted: (line: string) => boolean = () => true): Recent | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const bytes = text.lastIndexOf('\n') + 1;
  const recent: Recent = { id: '', rows: [], progress: undefined, bytes, damaged: 0 };
  for (let from = 0; from < bytes;) {
    const end = text.indexOf('\n', from);
    const line = text.slice(from, end);
    from = end + 1;
    if (line.startsWith('[') && !wanted(line)) continue;
    try {
      // Names are UTF-8; everything else is ASCII.
      take(JSON.parse(Buffer.from(line, 'latin1').toString()) as unknown, recent);
    } catch {
      recent.damaged++;
    }
  }
  return recent;
}

/** How the line of a CPE's row begins. */
export function lineStartOf(cpe: Int32Array): string {
  return `[[${cpe.join()}],`;
}

function take(parsed: unknown, recent: Recent): void {
  if (!Array.isArray(parsed)) {
    const { id, progress } = parsed as { id?: string; progress?: Progress };
    if (id !== undefined) recent.id = id;
    else recent.progress = progress;
    return;
  }
  const [cpe, collector, woken, outcome, isConfirmed, heads, lastHead, endedMs, armedMs, openedMs, ...counts] =
    parsed as Line;
  const [cpePort, port, connections] = counts;
  if (typeof connections !== 'number') throw new Error('a line is too short');
  recent.rows.push({
    ...{ cpe: Int32Array.from(cpe), collector, woken, outcome, isConfirmed: isConfirmed !== 0, heads, lastHead },
    ...{ endedMs, armedMs: armedMs ?? undefined, openedMs: openedMs ?? undefined, cpePort, port, connections },
  });
}

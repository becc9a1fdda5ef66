/**
 * Reads the history's files, while the recorder writes them or without it. Takes no lock: the recent rows are read before
 * the segments, so a row that moves from one to the other meanwhile is seen twice rather than never, and the segment's id
 * tells. What is damaged is left out, and counted.
 */
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { beginningOf, dayOf, DAY_MS, listDays, pathOf } from './day-names';
import { segmentsOf } from './day-files';
import { lineStartOf, readRecent } from './recent';
import { chunksOf, decodeChunk, decodeIndex, HEADER_BYTES, keyOf } from './segment';
import { type HistoryEvent } from '../shared/recorder-protocol';
import { type SessionRow } from './session';

export interface HistorySearch {
  directory: string;
  cpe?: Int32Array | undefined;
  /** Sessions that ended, and events that happened, from then to then. */
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
}

interface Found {
  sessions: (row: SessionRow) => void;
  events: (event: HistoryEvent) => void;
}

/**
 * Calls `found` for every session and event, in no particular order. Returns how many pieces were damaged.
 * @throws SystemError when the directory cannot be read
 */
export function readHistory(search: HistorySearch, found: Found): { damaged: number } {
  const { directory, sinceMs = -Infinity, untilMs = Infinity } = search;
  const isWanted = (timeMs: number) => timeMs >= sinceMs && timeMs <= untilMs;
  const visitor: Found = {
    sessions: (row) => {
      if (isWanted(row.endedMs) && isOf(row, search.cpe)) found.sessions(row);
    },
    events: (event) => {
      if (isWanted(event.timeMs)) found.events(event);
    },
  };
  let damaged = 0;
  for (const { day } of listDays(directory)) {
    // A row lies in the file of the day on which it was written, seldom a day late.
    const isBefore = day < dayOf(Math.max(sinceMs, 0));
    if (isBefore || beginningOf(day) - DAY_MS > untilMs) continue;
    damaged += readDay(search, day, visitor);
  }
  return { damaged };
}

function readDay({ directory, cpe }: HistorySearch, day: string, found: Found): number {
  const start = cpe === undefined ? '' : lineStartOf(cpe);
  const recent = readRecent(pathOf(directory, day, 'recent'), (line) => line.startsWith(start));
  const path = pathOf(directory, day, 'sessions');
  const segments = segmentsOf(path);
  let damaged = recent?.damaged ?? 0;
  if (recent && !segments.some(({ id }) => id === recent.id)) recent.rows.forEach(found.sessions);
  if (segments.length > 0) {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      for (const segment of segments) damaged += readSegment(fd, segment, beginningOf(day), cpe, found);
    } finally {
      closeSync(fd);
    }
  }
  return damaged + readEvents(pathOf(directory, day, 'events'), found);
}

function readSegment(
  fd: number,
  segment: ReturnType<typeof segmentsOf>[number],
  dayMs: number,
  cpe: Int32Array | undefined,
  found: Found,
): number {
  const chunksAt = segment.at + HEADER_BYTES + segment.indexBytes;
  let damaged = 0;
  try {
    const index = decodeIndex(readAt(fd, segment.at + HEADER_BYTES, segment.indexBytes));
    for (const { at, bytes, rows } of chunksOf(index, cpe && keyOf(cpe))) {
      try {
        decodeChunk(readAt(fd, chunksAt + at, bytes), rows, dayMs, index, cpe).forEach(found.sessions);
      } catch {
        damaged++;
      }
    }
  } catch {
    damaged++;
  }
  return damaged;
}

function readEvents(path: string, found: Found): number {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
  let damaged = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      found.events(JSON.parse(line) as HistoryEvent);
    } catch {
      damaged++;
    }
  }
  return damaged;
}

function isOf({ cpe }: SessionRow, wanted: Int32Array | undefined): boolean {
  return wanted === undefined || (cpe.length === wanted.length && cpe.every((word, i) => word === wanted[i]));
}

function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(fd, bytes, 0, length, at));
}

/** A day of ten million sessions in the history: how large its files are, how fast they are written and asked. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DayFiles } from '../../src/engine/recorder/day-files';
import { beginningOf, DAY_MS, listDays } from '../../src/engine/recorder/day-names';
import { readHistory } from '../../src/engine/recorder/read-history';
import { type SessionRow } from '../../src/engine/recorder/session';
import { sessionRows } from '../support/session-rows';
import type { Findings, Proof } from './proof';

const DAY = '2026-11-29';
/** The recorder flushes every second; here it has more to write each time. */
const FLUSH_MS = 10_000;
const QUESTIONS = 20;
const MAX_BYTES_A_ROW = 31;
const MAX_ANSWER_MS = 1000;

interface Figures {
  rows: number;
  bytesARow: number;
  rowsASecond: number;
  slowestMs: number;
  medianMs: number;
}

/** @param sessions of one day, of a tenth as many CPEs */
function measure(
  sessions: number,
  flushMs: number,
  say: (line: string) => void,
): { figures: Figures; failures: string[] } {
  const directory = mkdtempSync(join(tmpdir(), 'acsplit-history-'));
  const failures: string[] = [];
  try {
    const rowOf = sessionRows(1, sessions / 10);
    const files = new DayFiles({ directory, keepDays: 30, maxBytes: 2 ** 31, run: 'prove', sync: true });
    const asked: SessionRow[] = [];
    const dayMs = beginningOf(DAY);
    const before = process.cpuUsage();
    for (let n = 0, dueMs = flushMs; n < sessions; n++) {
      const nowMs = dayMs + Math.floor((n / sessions) * (DAY_MS - flushMs));
      const row = rowOf(nowMs);
      files.add(row);
      if (n % Math.ceil(sessions / QUESTIONS) === 7) asked.push(row);
      if (nowMs - dayMs < dueMs && n + 1 < sessions) continue;
      if (!files.flush(nowMs)) throw new Error(files.failure);
      dueMs += flushMs;
      if (dueMs % 3_600_000 === 0) say(`${dueMs / 3_600_000} of 24 hours written`);
    }
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    files.flush(dayMs + DAY_MS + 1);
    files.close();
    const bytes = listDays(directory).reduce((sum, one) => sum + one.bytes, 0);
    const answersMs = asked.map((row) => {
      const found: SessionRow[] = [];
      const before = process.cpuUsage();
      readHistory({ directory, cpe: row.cpe }, { sessions: (one) => found.push(one), events: () => undefined });
      if (!found.some(({ endedMs, cpePort }) => endedMs === row.endedMs && cpePort === row.cpePort)) {
        failures.push(`a session of ${row.cpe.join()} is not found`);
      }
      // CPU time: what the disk adds is the host's, and other programs' load is nobody's.
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    });
    answersMs.sort((one, other) => one - other);
    const figures = {
      ...{ rows: sessions, bytesARow: bytes / sessions, rowsASecond: sessions / seconds },
      ...{ slowestMs: answersMs.at(-1)!, medianMs: answersMs[answersMs.length >> 1] },
    };
    return { figures, failures };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function prove(sessions: number, flushMs: number, say: (line: string) => void): Findings {
  const { figures, failures } = measure(sessions, flushMs, say);
  const { rows, bytesARow, rowsASecond, slowestMs, medianMs } = figures;
  if (bytesARow > MAX_BYTES_A_ROW) failures.push(`a session takes ${bytesARow.toFixed(1)} bytes`);
  if (slowestMs > MAX_ANSWER_MS) failures.push(`an answer takes ${slowestMs.toFixed()} ms`);
  const text = [
    '| sessions of a day | bytes a session | written in a second of CPU | answer for one CPE, CPU: median, slowest |',
    '| ----------------- | --------------- | -------------------------- | ---------------------------------------- |',
    `| ${rows} | ${bytesARow.toFixed(1)} | ${Math.round(rowsASecond / 1000)}k | ${medianMs.toFixed()} ms, ${slowestMs.toFixed()} ms |`,
  ].join('\n');
  return { failures, text };
}

export const history: Proof = {
  name: 'history',
  shows: 'a day of ten million sessions in the history answers for one CPE within a second',
  takes: 'five minutes, 200 MB in the temporary directory',
  needsRoot: false,
  section: { file: 'docs/decisions/history.md', name: 'history' },
  smallest: () => ({ failures: prove(20_000, 60 * FLUSH_MS, () => undefined).failures }),
  full: (say) => prove(10_000_000, FLUSH_MS, say),
};

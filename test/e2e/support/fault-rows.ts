/**
 * The rows of docs/reliability.md: each is a test's own count. Printed as the test runs; with ACSPLIT_WRITE_FAULTS=1 in
 * the environment the row of this fault is written there, in place of the one of an earlier run.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome } from './load';

const ROOT = join(__dirname, '..', '..', '..');
const DOCUMENT = join(ROOT, 'docs', 'reliability.md');

export interface Fault {
  /** The first column, and the row's name. */
  fault: string;
  times: number;
  outcome: Outcome;
  /** As counted in `status`; absent when no engine was left to count. */
  packetsLost?: number;
}

export function recordFault({ fault, times, outcome, packetsLost }: Fault): void {
  const { itms, collector, transfers, failures, wrong } = outcome;
  const load = `${itms + collector} + ${transfers}`;
  const columns = [fault, times, load, packetsLost ?? 'unknown', failures.length, wrong.length];
  const row = `| ${columns.join(' | ')} |`;
  console.log([row, ...failures, ...wrong].join('\n'));
  if (process.env.ACSPLIT_WRITE_FAULTS === '1') writeRow(row, fault);
}

/** Into the table whose first column is `fault`; a new fault comes last. */
function writeRow(row: string, fault: string): void {
  const lines = readFileSync(DOCUMENT, 'utf8').split('\n');
  const nameOf = (line: string): string | undefined => line.split('|')[1]?.trim();
  const head = lines.findIndex((line) => nameOf(line) === 'fault');
  if (head < 0) throw new Error(`${DOCUMENT} has no table of faults`);
  const end = lines.findIndex((line, at) => at > head && !line.startsWith('|'));
  const known = lines.findIndex((line, at) => at > head && at < end && nameOf(line) === fault);
  lines.splice(known < 0 ? end : known, known < 0 ? 0 : 1, row);
  writeFileSync(DOCUMENT, lines.join('\n'));
}

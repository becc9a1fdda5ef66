/** A diagnosis as text: failures first, then warnings, then what is in order. On a terminal in colour, and wrapped. */

import { type Finding, type Level } from '../doctor/check';
import { type Diagnosis } from '../doctor/checks';
import { printable } from './printable';
import { type Colour, type Paint } from './watch/style';

export interface TextOptions {
  paint: Paint;
  /** Of the terminal; undefined: each finding is one line. */
  columns: number | undefined;
  /** Without what is in order. */
  isQuiet: boolean;
}

const ORDER: readonly Level[] = ['failure', 'warning', 'ok'];
const COLOURS: Readonly<Record<Level, Colour>> = { failure: 'red', warning: 'yellow', ok: 'green' };
const LEVEL_CELLS = 'failure'.length;
/** A narrower terminal gets lines as long as these. */
const LEAST_CELLS = 20;

export function formatDiagnosis(diagnosis: Diagnosis, { paint, columns, isQuiet }: TextOptions): string {
  const levels = ORDER.filter((level) => !isQuiet || level !== 'ok');
  const findings = levels.flatMap((level) => diagnosis.findings.filter((finding) => finding.level === level));
  const checkCells = Math.max(0, ...findings.map(({ check }) => check.length));
  const indent = LEVEL_CELLS + 2 + checkCells + 2;
  const cells = columns === undefined ? Infinity : Math.max(columns - indent, LEAST_CELLS);
  const lines = findings.map((finding) => {
    const head = `${paint(COLOURS[finding.level], finding.level.padEnd(LEVEL_CELLS))}  ${finding.check.padEnd(checkCells)}  `;
    return `${head}${wrap(finding, cells).join(`\n${' '.repeat(indent)}`)}\n`;
  });
  return `${lines.join('')}${summary(diagnosis)}\n`;
}

/** Lines of at most so many cells. A command is never broken, so that it can be copied. */
function wrap({ message: told, mend, see }: Finding, cells: number): string[] {
  const message = printable(told);
  const command = mend !== null ? `fix it: ${mend}` : see !== undefined ? `see: ${see}` : undefined;
  const whole = command === undefined ? message : `${message}; ${command}`;
  if (whole.length <= cells) return [whole];
  const lines: string[] = [];
  for (const word of message.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= cells) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return command === undefined ? lines : [...lines, command];
}

export function countOf({ findings }: Diagnosis, level: Level): number {
  return findings.filter((finding) => finding.level === level).length;
}

function summary(diagnosis: Diagnosis): string {
  const counted = (['failure', 'warning'] as const).map((level) => {
    const count = countOf(diagnosis, level);
    return `${count} ${level}${count === 1 ? '' : 's'}`;
  });
  const left = diagnosis.omitted.map(({ check, until }) => `${check} (after ${until})`);
  return [...counted, ...(left.length === 0 ? [] : [`skipped: ${left.join(', ')}`])].join(', ');
}

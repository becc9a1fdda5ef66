/**
 * Compares a run's lines with stored ones and reports the first difference: a few equal lines before it, then `-` for
 * expected and `+` for actual lines.
 */
import { type LineReader } from './line-reader';
import { type LineSink } from './lines';

/** Equal lines shown before the difference. */
const CONTEXT_LINES = 3;
/** Lines of each side that are compared from the first difference on. */
const WINDOW_LINES = 40;

export class Expectation implements LineSink {
  /** Number of the first differing line, from 1; 0 without a difference. */
  firstDifference = 0;
  /** The difference as lines to print; empty without one. */
  readonly report: string[] = [];
  private readonly context: string[] = [];
  private readonly expected: string[] = [];
  private readonly actual: string[] = [];
  private count = 0;

  constructor(private readonly stored: LineReader) {}

  line(text: string): void {
    this.count++;
    if (this.firstDifference > 0) {
      if (this.actual.length < WINDOW_LINES) this.actual.push(text);
      return;
    }
    const expected = this.stored.next();
    if (expected === text) {
      this.context.push(text);
      if (this.context.length > CONTEXT_LINES) this.context.shift();
      return;
    }
    this.firstDifference = this.count;
    this.actual.push(text);
    if (expected !== undefined) this.expected.push(expected);
  }

  end(): void {
    if (this.firstDifference === 0) {
      const missing = this.stored.next();
      if (missing === undefined) return;
      this.firstDifference = this.count + 1;
      this.expected.push(missing);
    }
    while (this.expected.length < WINDOW_LINES) {
      const next = this.stored.next();
      if (next === undefined) break;
      this.expected.push(next);
    }
    const isWhole = this.expected.length < WINDOW_LINES && this.actual.length < WINDOW_LINES;
    this.report.push(...this.context.map((text) => `  ${text}`), ...difference(this.expected, this.actual));
    if (!isWhole) this.report.push(`  (only ${WINDOW_LINES} lines from the first difference on are shown)`);
  }
}

/** Lines marked `-`, `+` or ` `, by the longest common subsequence. */
export function difference(expected: readonly string[], actual: readonly string[]): string[] {
  const common = commonLengths(expected, actual);
  const marked: string[] = [];
  let e = 0;
  let a = 0;
  while (e < expected.length || a < actual.length) {
    if (e < expected.length && a < actual.length && expected[e] === actual[a]) {
      marked.push(`  ${expected[e]}`);
      e++;
      a++;
    } else if (a === actual.length || (e < expected.length && common[e + 1][a] >= common[e][a + 1])) {
      marked.push(`- ${expected[e++]}`);
    } else {
      marked.push(`+ ${actual[a++]}`);
    }
  }
  return marked;
}

/** `[e][a]`: the length of the longest common subsequence from lines `e` and `a` on. */
function commonLengths(expected: readonly string[], actual: readonly string[]): number[][] {
  const lengths = Array.from({ length: expected.length + 1 }, () => new Array<number>(actual.length + 1).fill(0));
  for (let e = expected.length - 1; e >= 0; e--) {
    for (let a = actual.length - 1; a >= 0; a--) {
      lengths[e][a] =
        expected[e] === actual[a] ? lengths[e + 1][a + 1] + 1 : Math.max(lengths[e + 1][a], lengths[e][a + 1]);
    }
  }
  return lengths;
}

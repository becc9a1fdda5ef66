/** The lab's voice: tells the story on a terminal, in colour where one is. Knows words, judges nothing. */
import type { Writable } from 'node:stream';

export type Ink = 'bold' | 'dim' | 'green' | 'red' | 'cyan' | 'yellow';

const CODES: Record<Ink, number> = { bold: 1, dim: 2, green: 32, red: 31, cyan: 36, yellow: 33 };
/** Columns to where the time ends. */
const WIDTH = 74;
const MARGIN = '     ';

export class Narrator {
  private readonly startedMs = performance.now();
  private readonly coloured: boolean;

  /** @param out where to; undefined: says nothing (--json) */
  constructor(private readonly out: (Writable & { isTTY?: boolean }) | undefined) {
    this.coloured = out?.isTTY === true && process.env.NO_COLOR === undefined;
  }

  ink(text: string, ...inks: Ink[]): string {
    if (!this.coloured) return text;
    return inks.reduce((painted, ink) => `\x1b[${CODES[ink]}m${painted}\x1b[0m`, text);
  }

  line(text = ''): void {
    this.out?.write(text + '\n');
  }

  /** A numbered scene: what somebody does now. */
  scene(number: number, title: string): void {
    const seconds = ((performance.now() - this.startedMs) / 1000).toFixed(1).padStart(WIDTH - title.length);
    this.line();
    this.line(
      `  ${this.ink(String(number), 'bold', 'cyan')}  ${this.ink(title, 'bold')} ${this.ink(`${seconds} s`, 'dim')}`,
    );
  }

  /** What was seen to happen. */
  saw(text: string): void {
    this.line(MARGIN + text);
  }

  /** The splitter's own reason. */
  because(text: string): void {
    this.line(MARGIN + this.ink(`because: ${text}`, 'dim'));
  }

  /** A claim, and whether it came true. */
  claim(true_: boolean, text: string): void {
    const mark = true_ ? this.ink('✓', 'green') : this.ink('✗', 'red', 'bold');
    this.line(`${MARGIN}${mark} ${true_ ? text : this.ink(text, 'red')}`);
  }
}

/** Prints the lab's story, in colour on a terminal. Does not judge anything. */
import type { Writable } from 'node:stream';

export type Ink = 'bold' | 'dim' | 'green' | 'red' | 'cyan' | 'yellow';

const CODES: Record<Ink, number> = { bold: 1, dim: 2, green: 32, red: 31, cyan: 36, yellow: 33 };
/** The column at which the time ends. */
const WIDTH = 74;
const MARGIN = '     ';

export class Narrator {
  private readonly startedMs = performance.now();
  private readonly coloured: boolean;

  /** @param out where to print; undefined: print nothing (--json) */
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

  /** The title of a numbered scene. */
  scene(number: number, title: string): void {
    const seconds = ((performance.now() - this.startedMs) / 1000).toFixed(1).padStart(WIDTH - title.length);
    this.line();
    this.line(
      `  ${this.ink(String(number), 'bold', 'cyan')}  ${this.ink(title, 'bold')} ${this.ink(`${seconds} s`, 'dim')}`,
    );
  }

  /** Something that was observed. */
  saw(text: string): void {
    this.line(MARGIN + text);
  }

  /** The splitter's own reason. */
  because(text: string): void {
    this.line(MARGIN + this.ink(`because: ${text}`, 'dim'));
  }

  /** A claim, and whether it proved true. */
  claim(true_: boolean, text: string): void {
    const mark = true_ ? this.ink('✓', 'green') : this.ink('✗', 'red', 'bold');
    this.line(`${MARGIN}${mark} ${true_ ? text : this.ink(text, 'red')}`);
  }
}

/** Terminal colours (ECMA-48, SGR), or none. Colour never carries information that the text does not. */

export type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

const CODES: Readonly<Record<Colour, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };
const RESET = '\x1b[0m';

export type Paint = (colour: Colour, text: string) => string;

export const inColour: Paint = (colour, text) => (text === '' ? '' : `\x1b[${CODES[colour]}m${text}${RESET}`);
export const plain: Paint = (_colour, text) => text;

/** No colour if NO_COLOR is set and not empty (no-color.org), or on a dumb terminal. */
export function choosePaint(environment: NodeJS.ProcessEnv): Paint {
  const isRefused = (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb';
  return isRefused ? plain : inColour;
}

/** Whether the locale uses UTF-8: LC_ALL overrides LC_CTYPE, which overrides LANG. locale(7) */
export function speaksUtf8({ LC_ALL, LC_CTYPE, LANG }: NodeJS.ProcessEnv): boolean {
  return /utf-?8/i.test([LC_ALL, LC_CTYPE, LANG].find((value) => (value ?? '') !== '') ?? '');
}

/** Cuts a line to `columns` cells. Each character counts as one cell, a colour code as none. */
export function cut(line: string, columns: number): string {
  let cells = 0;
  let isCut = false;
  let text = '';
  for (const part of line.split(/(\x1b\[\d+m)/)) {
    if (part.startsWith('\x1b')) text += part;
    else if (!isCut) {
      const kept = [...part].slice(0, columns - cells);
      cells += kept.length;
      isCut = cells >= columns;
      text += kept.join('');
    }
  }
  return text;
}

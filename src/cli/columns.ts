/** Rows as aligned text: the first column to the left, the others to the right. */

type Row = readonly (string | number)[];

/** A table printed in parts: the head once, and columns that only get wider. */
export class Columns {
  private readonly widths: number[];
  private isBegun = false;

  constructor(private readonly heads: readonly string[]) {
    this.widths = heads.map((head) => head.length);
  }

  /** The first call also prints the head. */
  format(rows: readonly Row[]): string {
    const { widths } = this;
    for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i], String(cell).length)));
    const line = (cells: Row) =>
      cells
        .map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i])))
        .join('  ')
        .trimEnd();
    const lines = [...(this.isBegun ? [] : [this.heads]), ...rows].map((row) => `${line(row)}\n`);
    this.isBegun = true;
    return lines.join('');
  }
}

export function formatColumns(heads: readonly string[], rows: readonly Row[]): string {
  return new Columns(heads).format(rows);
}

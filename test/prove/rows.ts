type Row = readonly [group: string, name: string, ...cells: readonly (string | number)[]];

/** Rows of a Markdown table. Those of one group with the same cells become one, with all their names. */
export function mergedRows(rows: readonly Row[]): string[] {
  const names = new Map<string, string[]>();
  for (const [group, name, ...cells] of rows) {
    const key = JSON.stringify([group, cells]);
    names.set(key, [...(names.get(key) ?? []), name]);
  }
  return [...names].map(([key, all]) => {
    const [group, cells] = JSON.parse(key) as [string, (string | number)[]];
    return `| ${[`${group}: ${all.join(', ')}`, ...cells].join(' | ')} |`;
  });
}

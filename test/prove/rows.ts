/** One run of a proof, and what came of it. */
export interface Run {
  /** Its place in each dimension, e.g. `ipv4`, `iptables-nft`, `paused`. */
  at: readonly string[];
  result: string;
}

/**
 * Results as a list: a line for each, the most frequent first, with its runs, named by the values of each dimension.
 * A result that only some runs of a block of values have is named run by run.
 */
export function byResult(runs: readonly Run[]): string {
  const results = new Map<string, Run[]>();
  for (const run of runs) results.set(run.result, [...(results.get(run.result) ?? []), run]);
  return [...results]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([result, these]) => `- ${these.length} of ${runs.length} runs (${whichOf(these, runs)}): ${result}`)
    .join('\n');
}

function whichOf(these: readonly Run[], all: readonly Run[]): string {
  const values = these[0]!.at.map((_, dimension) => [...new Set(these.map(({ at }) => at[dimension]!))]);
  const isIn = ({ at }: Run) => at.every((value, dimension) => values[dimension]!.includes(value));
  if (all.filter(isIn).length > these.length) return these.map(({ at }) => at.map(plain).join(' ')).join(', ');
  return values.map((names) => names.map(plain).join(', ')).join('; ');
}

/** A value's own comma must not look like one between values. */
function plain(name: string): string {
  return name.replace(', ', ' with ');
}

/**
 * Whether a process has grown: medians of the middle and the last third of its samples, so that its start does not
 * count.
 */

export interface Sample {
  /** Memory that is the process's own, KiB: RssAnon of /proc/PID/status. The tables are shared, and of a fixed size. */
  ownKib: number;
  descriptors: number;
}

export interface Judgement {
  ok: boolean;
  /** One line. */
  words: string;
}

/** Between two thirds of the run. A heap breathes; a leak of a hundred bytes a session is more within minutes. */
const MOST_GROWTH_KIB = 4096;
/** Somebody may be asking for the status just then. */
const MOST_MORE_DESCRIPTORS = 1;
const FEWEST_SAMPLES = 9;

/** @param mostGrowthKib between the middle and the last third */
export function judge(name: string, samples: readonly Sample[], mostGrowthKib = MOST_GROWTH_KIB): Judgement {
  if (samples.length < FEWEST_SAMPLES) return { ok: false, words: `${name}: ${samples.length} samples say nothing` };
  const third = Math.floor(samples.length / 3);
  const [middle, last] = [samples.slice(third, 2 * third), samples.slice(2 * third)];
  const both = (of: (sample: Sample) => number) => [median(middle.map(of)), median(last.map(of))] as const;
  const [kibBefore, kib] = both(({ ownKib }) => ownKib);
  const [descriptorsBefore, descriptors] = both((sample) => sample.descriptors);
  const ok = kib - kibBefore <= mostGrowthKib && descriptors - descriptorsBefore <= MOST_MORE_DESCRIPTORS;
  const words = [
    `${name}: ${mib(kibBefore)} MiB, then ${mib(kib)} MiB`,
    `${descriptorsBefore} descriptors, then ${descriptors}: ${ok ? 'flat' : 'GROWN'}`,
  ];
  return { ok, words: words.join('; ') };
}

export function mib(kib: number): string {
  return (kib / 1024).toFixed(1);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

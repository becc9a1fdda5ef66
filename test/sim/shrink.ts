/** Looks for the shortest run that still fails the same check. */
import { type SimOptions, TROUBLES } from './options';
import { type SimResult, World } from './world';

/** Most runs tried, and most packets simulated in all of them together. */
const MAX_RUNS = 400;
const MAX_PACKETS = 6_000_000;
const SEEDS_PER_SIZE = 6;

/** @param failed a run with a failure. Returns a run with a failure by the same check, of as few packets as was found. */
export function shrink(failed: SimResult): SimResult {
  let best = failed;
  let runs = 0;
  let packets = 0;
  const attempt = (options: SimOptions): boolean => {
    if (runs >= MAX_RUNS || packets >= MAX_PACKETS) return false;
    runs++;
    const result = new World(options).run();
    packets += result.packets;
    const isShorter = result.failure?.check === failed.failure!.check && result.packets < best.packets;
    if (isShorter) best = { ...result, options: { ...options, hours: hoursUp(result.hours) } };
    return isShorter;
  };
  best = { ...failed, options: { ...failed.options, hours: hoursUp(failed.hours) } };
  for (const trouble of TROUBLES) {
    if (!best.options.without.includes(trouble)) {
      attempt({ ...best.options, without: [...best.options.without, trouble] });
    }
  }
  while (best.options.cpes > 1 && attemptFewer(best.options, attempt)) continue;
  return best;
}

/** Half the CPEs, or a little fewer; the same seed first, then others. */
function attemptFewer(options: SimOptions, attempt: (options: SimOptions) => boolean): boolean {
  for (const share of [0.1, 0.5, 0.8]) {
    const cpes = Math.max(1, Math.floor(options.cpes * share));
    if (cpes === options.cpes) continue;
    for (let i = 0; i < SEEDS_PER_SIZE; i++) {
      // With fewer CPEs it takes longer until the same thing happens.
      const hours = Math.min(24, options.hours * 4);
      if (attempt({ ...options, cpes, hours, seed: (options.seed + i) | 0 })) return true;
    }
  }
  return false;
}

/** A run is repeated by whole thousandths of an hour. */
function hoursUp(hours: number): number {
  return Math.max(0.001, Math.ceil(hours * 1000) / 1000);
}

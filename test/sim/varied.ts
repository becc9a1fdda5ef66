/** Runs of every size and kind, derived from a number, for a long search. */
import { type Mode } from '../reference/reference';
import { DEFAULTS, type SimOptions, TROUBLES } from './options';
import { Prng } from './prng';

const MODES: readonly Mode[] = ['auto', 'auto', 'fin', 'response', 'off'];
/** Shorter, a run would hardly have a session for each CPE. */
const LEAST_HOURS = 0.1;

/** The same number draws the same run. @param cpeHours of a run, about: 300 are some 5 000 sessions */
export function variedOptions(seed: number, cpeHours = 300): SimOptions {
  const prng = new Prng(seed);
  // As many small runs as large ones: from a single CPE to a town.
  const cpes = Math.min(Math.round(2 ** prng.between(0, 10.5)), cpeHours / LEAST_HOURS);
  const share = 2 ** prng.between(-1, 1);
  const isCalm = prng.chance(0.3);
  return {
    ...DEFAULTS,
    seed,
    cpes,
    hours: Math.min(24, Math.max(LEAST_HOURS, Math.round((cpeHours / cpes) * 10) / 10)),
    activation: prng.pick(MODES),
    capacityEntries: prng.pick([DEFAULTS.capacityEntries, DEFAULTS.capacityEntries, 20, 90, 400]),
    informSeconds: Math.round(DEFAULTS.informSeconds * share),
    pollSeconds: Math.round(DEFAULTS.pollSeconds * share * 2 ** prng.between(-2, 1)),
    family: prng.pick(['ipv4', 'ipv4', 'ipv6']),
    without: isCalm ? TROUBLES.filter(() => prng.chance(0.5)) : [],
  };
}

/** The options of a run. The same options give the same run, to the last packet. */
import { type Mode } from '../reference/reference';

/** What may go wrong; each can be left out, which is how a failing run is shrunk. */
export const TROUBLES = [
  'loss',
  'duplication',
  'reordering',
  'corruption',
  'outages',
  'power-cuts',
  'moods', // servers that are slow, busy, refuse or die
  'overlap', // several servers want one CPE at once
  'restarts',
  'state-loss',
  'pauses',
  'operator',
  'noise',
  'attacker', // forges packets of CPEs, and knows addresses and ports, but no numbers
  'hostile', // CPEs that misbehave once they are woken
] as const;
export type Trouble = (typeof TROUBLES)[number];

export interface SimOptions {
  /** int32. */
  seed: number;
  cpes: number;
  /** Of virtual time. */
  hours: number;
  activation: Mode;
  /** Entries of each table. */
  capacityEntries: number;
  /** Seconds between a CPE's periodic Informs. */
  informSeconds: number;
  /** Seconds between two Connection Requests of collectors to a CPE, on average. */
  pollSeconds: number;
  without: readonly Trouble[];
  family: 'ipv4' | 'ipv6';
  /** False for measurements of scale: the core runs unwatched. */
  isChecked: boolean;
  /** False: the ledger and the limits alone judge, without the reference. */
  hasReference: boolean;
}

export const DEFAULTS: SimOptions = {
  seed: 1,
  cpes: 500,
  hours: 1,
  activation: 'auto',
  capacityEntries: 8192,
  informSeconds: 600,
  pollSeconds: 400,
  without: [],
  family: 'ipv4',
  isChecked: true,
  hasReference: true,
};

/** The words that repeat a run: only what differs from the defaults, but always seed, CPEs and hours. */
export function commandOf(options: SimOptions): string {
  const words = [`--seed ${options.seed}`, `--cpes ${options.cpes}`, `--hours ${options.hours}`];
  if (options.activation !== DEFAULTS.activation) words.push(`--activation ${options.activation}`);
  if (options.capacityEntries !== DEFAULTS.capacityEntries) words.push(`--capacity ${options.capacityEntries}`);
  if (options.informSeconds !== DEFAULTS.informSeconds) words.push(`--inform ${options.informSeconds}`);
  if (options.pollSeconds !== DEFAULTS.pollSeconds) words.push(`--poll ${options.pollSeconds}`);
  if (options.family !== DEFAULTS.family) words.push(`--family ${options.family}`);
  if (!options.hasReference) words.push('--alone');
  if (options.without.length > 0) words.push(`--without ${options.without.join(',')}`);
  return `npm run sim -- ${words.join(' ')}`;
}

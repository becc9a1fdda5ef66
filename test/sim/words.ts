/** Parses the arguments of `npm run sim --`. */
import { parseArgs } from 'node:util';
import { type Mode } from '../reference/reference';
import { DEFAULTS, type SimOptions, type Trouble, TROUBLES } from './options';
import { type Load, LOADS } from './measure';
import { type Hunt } from './planted-bugs';

export const USAGE = `npm run sim -- [--seed N] [--cpes N] [--hours H] [--activation auto|fin|response|off] [--capacity N]
               [--inform SECONDS] [--poll SECONDS] [--without TROUBLE,…] [--family ipv4|ipv6] [--alone]
               [--no-shrink]
       npm run sim -- --runs N [--seed N] [--alone] N runs of every size and kind
       npm run sim -- --planted [--seed N] [--soon] [--only WORDS] [--sessions N] [--write]
                                                    breaks the core in many ways, and says how soon each is found
       npm run sim -- --load ${LOADS.join('|')} [--cpes N]    what a load asks of the engine
       npm run sim -- --scale [--write]             the tables of docs/scale.md
troubles: ${TROUBLES.join(', ')}`;

export type Order =
  | { what: 'run'; options: SimOptions; mayShrink: boolean }
  | { what: 'runs'; count: number; seed: number; hasReference: boolean }
  | ({ what: 'planted' } & Hunt)
  | { what: 'load'; load: Load; cpes: number | undefined }
  | { what: 'scale'; isWritten: boolean };

const MODES: readonly string[] = ['auto', 'fin', 'response', 'off'] satisfies Mode[];
const TEXT = { type: 'string' } as const;
const FLAG = { type: 'boolean' } as const;
const WORDS = {
  seed: TEXT,
  cpes: TEXT,
  hours: TEXT,
  activation: TEXT,
  capacity: TEXT,
  inform: TEXT,
  poll: TEXT,
  without: TEXT,
  family: TEXT,
  alone: FLAG,
  'no-shrink': FLAG,
  runs: TEXT,
  planted: FLAG,
  soon: FLAG,
  sessions: TEXT,
  only: TEXT,
  load: TEXT,
  scale: FLAG,
  write: FLAG,
};

/** Throws Error on a word that means nothing. @param words without node's own; the process's where left out */
export function readOrder(words?: string[]): Order {
  const { values } = parseArgs({ args: words, options: WORDS });
  const number = (
    name: 'seed' | 'cpes' | 'hours' | 'capacity' | 'inform' | 'poll' | 'runs' | 'sessions',
    otherwise: number,
  ) => {
    const value = values[name] === undefined ? otherwise : Number(values[name]);
    if (!Number.isFinite(value) || (value <= 0 && name !== 'seed')) throw new Error(`--${name} is no number`);
    return value;
  };
  const freshSeed = Math.floor(Math.random() * 0x7fffffff);
  const isWritten = values.write === true;
  if (values.scale === true) return { what: 'scale', isWritten };
  if (values.planted === true) {
    const maxSessions = values.sessions === undefined ? undefined : number('sessions', 1);
    const { only } = values;
    return {
      what: 'planted',
      seed: number('seed', DEFAULTS.seed),
      isWritten,
      soonOnes: values.soon === true,
      maxSessions,
      only,
    };
  }
  const hasReference = values.alone !== true;
  if (values.runs !== undefined) {
    return { what: 'runs', count: number('runs', 1), seed: number('seed', freshSeed), hasReference };
  }
  if (values.load !== undefined) {
    const load = oneOf('load', LOADS, values.load);
    return { what: 'load', load, cpes: values.cpes === undefined ? undefined : number('cpes', 0) };
  }
  const without = (values.without?.split(',') ?? []) as Trouble[];
  const stranger = without.find((word) => !TROUBLES.includes(word));
  if (stranger !== undefined) throw new Error(`no trouble is named '${stranger}'`);
  const options: SimOptions = {
    seed: number('seed', freshSeed) | 0,
    cpes: number('cpes', DEFAULTS.cpes),
    hours: number('hours', DEFAULTS.hours),
    activation: oneOf('activation', MODES, values.activation ?? DEFAULTS.activation) as Mode,
    capacityEntries: number('capacity', DEFAULTS.capacityEntries),
    informSeconds: number('inform', DEFAULTS.informSeconds),
    pollSeconds: number('poll', DEFAULTS.pollSeconds),
    without,
    family: oneOf('family', ['ipv4', 'ipv6'], values.family ?? DEFAULTS.family),
    isChecked: true,
    hasReference,
  };
  return { what: 'run', options, mayShrink: values['no-shrink'] !== true };
}

function oneOf<T extends string>(name: string, choices: readonly T[], word: string): T {
  const found = choices.find((choice) => choice === word);
  if (found === undefined) throw new Error(`--${name} is '${word}', and must be one of ${choices.join(', ')}`);
  return found;
}

/** What a check is, and what comes of one. */

import { type Configuration } from '../configuration/configuration';
import { type Host } from './host';

export type Level = 'ok' | 'warning' | 'failure';

/** Something that is not as it must be. */
export interface Fault {
  level: Exclude<Level, 'ok'>;
  /** What was found, and what it does to the traffic; one line. */
  says: string;
  /** The command that mends it, as it is typed on this host. */
  mend: string;
}

/** One row of the table: what is looked at, and what is made of it. */
export interface Check<Facts> {
  name: string;
  /** Names of checks that must not fail before this one can be made: what it would see, they have seen. */
  needs?: readonly string[];
  look(host: Host, wanted: Configuration): Facts | Promise<Facts>;
  /** Facts in, faults out; nothing else is known here. */
  judge(facts: Facts, wanted: Configuration): Fault[];
  /** What to say where there is no fault. */
  fine(facts: Facts, wanted: Configuration): string;
}

export interface Finding {
  check: string;
  level: Level;
  message: string;
  /** `null` where nothing is to be mended, or where the message says what to do. */
  mend: string | null;
}

/** A check whose facts are known to nobody else, so that checks of all kinds stand in one table. */
export interface Row {
  name: string;
  needs: readonly string[];
  find(host: Host, wanted: Configuration): Promise<Finding[]>;
}

export function row<Facts>({ name, needs = [], look, judge, fine }: Check<Facts>): Row {
  const find = async (host: Host, wanted: Configuration): Promise<Finding[]> => {
    const facts = await look(host, wanted);
    const faults = judge(facts, wanted);
    if (faults.length === 0) return [{ check: name, level: 'ok', message: fine(facts, wanted), mend: null }];
    return faults.map(({ level, says, mend }) => ({ check: name, level, message: says, mend }));
  };
  return { name, needs, find };
}

/** What a check is, and what it finds. */

import { type Configuration } from '../configuration/configuration';
import { type Host } from './host';

export type Level = 'ok' | 'warning' | 'failure';

/** A fault found by a check. */
export interface Fault {
  level: Exclude<Level, 'ok'>;
  /** What was found and how it affects the traffic, on one line. */
  says: string;
  /** The command that fixes it, ready to be typed on this host; `null` where none on this host does. */
  mend: string | null;
  /** Where `mend` is null: a command that shows more. */
  see?: string;
}

/** One check: what it looks at, and how it judges that. */
export interface Check<Facts> {
  name: string;
  /** Names of checks this one depends on: if one of them fails, this one is skipped. */
  needs?: readonly string[];
  look(host: Host, wanted: Configuration): Facts | Promise<Facts>;
  /** Facts in, faults out. Pure. */
  judge(facts: Facts, wanted: Configuration): Fault[];
  /** The message if there is no fault. */
  fine(facts: Facts, wanted: Configuration): string;
}

export interface Finding {
  check: string;
  level: Level;
  message: string;
  /** `null` if there is nothing to fix, or if no command on this host does. */
  mend: string | null;
  see?: string;
}

/** A check without the type of its facts, so that all checks fit into one list. */
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
    return faults.map(({ level, says, mend, see }) => {
      return { check: name, level, message: says, mend, ...(see === undefined ? {} : { see }) };
    });
  };
  return { name, needs, find };
}

/**
 * The queues that the installed rules steer to. An engine on other queues waits in vain, and the rules' packets find nobody:
 * `acsplit run` looks here when it starts. It may be a service with CAP_NET_ADMIN alone, and iptables needs CAP_NET_RAW to
 * read rules that name a set; then the name of the set that tells whether an engine lives says it.
 */

import { SIDES } from '../../packet/batch';
import { firstQueueOf } from './conflicts';
import { FAMILIES, PROGRAM } from './family';
import { DEFAULT_INSTANCE } from './instance';
import { type Reader, readProgram } from './read-program';
import { parseRuleset } from './ruleset';
import { firstQueueOfSet } from './sets';

/** The first queue of an instance's installed rules; `undefined` when there are none, or they cannot be read. */
export async function installedQueue(
  instance: string = DEFAULT_INSTANCE,
  read: Reader = readProgram,
): Promise<number | undefined> {
  const inRules = FAMILIES.map(async (family) => {
    const ruleset = parseRuleset(await read(`${PROGRAM[family]}-save`, ['-t', 'mangle']));
    return firstQueueOf(ruleset, instance);
  });
  const answers = await Promise.allSettled(inRules);
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? (answer.value ?? []) : []));
  if (found.length > 0) return Math.min(...found);
  if (answers.every(({ status }) => status === 'fulfilled')) return undefined;
  const names = await read('ipset', ['list', '-n']).catch(() => '');
  return names
    .split('\n')
    .map((name) => firstQueueOfSet(name, instance))
    .find((first) => first !== undefined);
}

/** `queues 4 to 7`. */
export function describeQueues(first: number): string {
  return `queues ${first} to ${first + SIDES.length - 1}`;
}

/** The names by which chains and sets say whose they are. */

import { RulesError } from './rules-error';

/** The name of the only instance of a host. */
export const DEFAULT_INSTANCE = 'default';

/** So the longest name of a chain has the 28 characters, and the longest name of a set the 31, that the kernel takes. */
const MAX_INSTANCE_CHARACTERS = 10;

/** Every chain and set of this instance starts with it, and none of another's. @throws RulesError */
export function ownPrefix(instance: string): string {
  if (instance === DEFAULT_INSTANCE) return 'ACSPLIT-';
  if (new RegExp(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,${MAX_INSTANCE_CHARACTERS - 1}}$`).test(instance)) {
    return `ACSPLIT@${instance}:`;
  }
  const expected = `1 to ${MAX_INSTANCE_CHARACTERS} letters, digits, ".", "_" or "-"`;
  throw new RulesError(`the name "${instance}" cannot be part of a chain's name: expected ${expected}`);
}

/** Whether a chain or set belongs to this or any other instance of acsplit. */
export function isOfAnyInstance(name: string): boolean {
  return /^ACSPLIT(-|@[^:]+:)/.test(name);
}

/** Of a chain or set of any instance. */
export function instanceOf(name: string): string | undefined {
  const named = /^ACSPLIT(?:-|@([^:]+):)/.exec(name);
  return named ? (named[1] ?? DEFAULT_INSTANCE) : undefined;
}

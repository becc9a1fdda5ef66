/** Names of chains and sets, which tell the instance that owns them. */

import { RulesError } from './rules-error';

/** Name of a host's only instance. */
export const DEFAULT_INSTANCE = 'default';

/** Keeps the longest chain name within the kernel's 28 characters and the longest set name within 31. */
const MAX_INSTANCE_CHARACTERS = 10;

/** Prefix of all chains and sets of this instance, and of no other's. @throws RulesError */
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

/** The instance that owns a chain or set. */
export function instanceOf(name: string): string | undefined {
  const named = /^ACSPLIT(?:-|@([^:]+):)/.exec(name);
  return named ? (named[1] ?? DEFAULT_INSTANCE) : undefined;
}

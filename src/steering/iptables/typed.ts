/**
 * What others wrote into their rules, as words of a command that is printed to be typed: a comment must not run one itself.
 */

import { words } from './rule';

/** A text as one word for the shell; `$'…'`, which bash knows, only for what cannot be printed. */
export function quoted(word: string): string {
  // A lone `!` negates; before other characters it would recall an earlier command.
  if (word === '!' || /^[\w@%+=:,./-]+$/.test(word)) return word;
  if (!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(word)) return `'${word.replaceAll("'", `'\\''`)}'`;
  const escaped = word.replaceAll(/['\\]/g, '\\$&').replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, inOctal);
  return `$'${escaped}'`;
}

function inOctal(character: string): string {
  return [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

/** A rule as iptables-save prints it, for the command line of iptables. */
export function typed(rule: string): string {
  return words(rule)
    .map(({ word }) => quoted(word))
    .join(' ');
}

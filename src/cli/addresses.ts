/** Addresses of CPEs as commands take them: one as an argument, or any number on standard input. */

import { text } from 'node:stream/consumers';
import { formatAddress, parseAddress } from '../packet/address';
import { UsageError } from '../configuration/errors';

/** An address in its canonical text, as the engine writes it. @throws UsageError */
export function requireAddress(word: string): string {
  const address = parseAddress(word);
  if (!address) throw new UsageError(`"${word}" is not an IP address such as 10.1.0.5 or 2001:db8::5`);
  return formatAddress(address);
}

/**
 * The address, or for `-` all those on standard input.
 * @param word as yargs gives it: '' for a bare `-`
 * @param words of the command line
 * @throws UsageError
 */
export async function readAddresses(word: string, words: readonly string[] = process.argv): Promise<string[]> {
  const isStandardInput = word === '' && words.includes('-');
  return isStandardInput ? parseAddresses(await text(process.stdin)) : [requireAddress(word)];
}

/** Addresses separated by blanks or line ends; each is named once. @throws UsageError that names the line */
export function parseAddresses(input: string): string[] {
  const addresses = new Set<string>();
  for (const [index, line] of input.split('\n').entries()) {
    for (const word of line.split(/\s+/).filter(Boolean)) {
      if (!parseAddress(word)) {
        throw new UsageError(`standard input, line ${index + 1}: "${word}" is not an IP address; nothing was done`);
      }
      addresses.add(requireAddress(word));
    }
  }
  if (addresses.size === 0) throw new UsageError('standard input: found no address');
  return [...addresses];
}

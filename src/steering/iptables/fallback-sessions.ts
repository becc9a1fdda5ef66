/**
 * How many sessions the rules of table nat have sent to the ITMS without the engine. A rule of nat counts each connection
 * once. The chain names no set, so CAP_NET_ADMIN is enough to read it.
 */
import { type Family } from '../../packet/address';
import { PROGRAM } from './family';
import { ownPrefix } from './instance';
import { type Reader, readProgram } from './read-program';

/** Since the rules were installed; undefined where they are not there or cannot be read. */
export async function countFallbackSessions(
  instance: string,
  families: readonly Family[],
  read: Reader = readProgram,
): Promise<number | undefined> {
  const words = ['-t', 'nat', '-nvxL', `${ownPrefix(instance)}FROM-CPE`];
  try {
    const listings = await Promise.all(families.map((family) => read(PROGRAM[family], words)));
    return listings.flatMap(countsOf).reduce((sum, count) => sum + count, 0);
  } catch {
    return undefined;
  }
}

/** Packets of the rules that translate: the first column. */
function countsOf(listing: string): number[] {
  return [...listing.matchAll(/^ *(\d+) +\d+ DNAT /gm)].map(([, packets]) => Number(packets));
}

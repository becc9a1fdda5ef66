/**
 * What V8 has learnt about call sites: reads the log of `node --log-ic`. A site that saw more than four object shapes
 * is megamorphic: it looks every property up in a hash table, and the compiler cannot optimise it.
 */

/** The interpreter runs everything, so that every site keeps its record, and each function has an address of its own. */
export const CALL_SITE_FLAGS = [
  '--log-ic',
  '--log-code',
  '--no-opt',
  '--no-sparkplug',
  '--interpreted-frames-native-stack',
  '--no-logfile-per-isolate',
];

/** Letters of the log for a site's new state: megamorphic, and generic, which is worse. */
const WORN_OUT = new Set(['N', 'G']);

export interface CallSites {
  /** How many records of sites fit the pattern. */
  seen: number;
  /** `property at function file:line:column` of the worn-out ones. */
  megamorphic: string[];
}

/** @param pattern of the code whose sites count, for `function file:line:column` */
export function readCallSites(log: string, pattern: RegExp): CallSites {
  const code = new Map<number, { name: string; size: number }>();
  const sites: CallSites = { seen: 0, megamorphic: [] };
  for (const line of log.split('\n')) {
    const fields = line.split(',');
    if (fields[0] === 'code-creation') {
      code.set(Number(fields[4]), { size: Number(fields[5]), name: fields[6] });
    } else if (fields[0] === 'code-move') {
      const moved = code.get(Number(fields[1]));
      if (moved) code.set(Number(fields[2]), moved);
      code.delete(Number(fields[1]));
    } else if (fields[0].endsWith('IC')) {
      const [, address, , siteLine, siteColumn, , newState, , property] = fields;
      const name = nameAt(code, Number(address));
      if (name === undefined || !pattern.test(name)) continue;
      sites.seen++;
      if (WORN_OUT.has(newState)) sites.megamorphic.push(`${property} at ${name}, ${siteLine}:${siteColumn}`);
    }
  }
  return sites;
}

function nameAt(code: ReadonlyMap<number, { name: string; size: number }>, address: number): string | undefined {
  for (const [start, { name, size }] of code) if (address >= start && address < start + size) return name;
  return undefined;
}

/** The CPEs' interfaces in the configuration file: a name, a list, or one for packets in and another for packets out. */

import * as v from 'valibot';
import { type CpeInterface } from '../splitter/topology';
import { inJson } from './described';

/** The kernel allows 15 bytes. Quotes or blanks would break a rule. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/;
/** `+` stands for any end of a name in iptables; alone it would match every interface. */
const WILDCARD = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,13}\+$/;
const EXPECTED = 'an interface name: 1 to 15 letters, digits, ".", "_" or "-", as `ip link` shows it';
const EXPECTED_CPE = `${EXPECTED}; or one with + at its end for all that begin so; or a list, or { in, out }`;
const MAX_INTERFACES = 64;

const IN_JSON = { type: 'string', pattern: NAME.source };
const CPE_IN_JSON = {
  anyOf: [
    { type: 'string', pattern: `${NAME.source}|${WILDCARD.source}` },
    {
      type: 'object',
      properties: { in: { type: 'string' }, out: { type: 'string' } },
      required: ['in', 'out'],
      additionalProperties: false,
    },
  ],
};

export const interfaceName = v.pipe(
  v.string(EXPECTED),
  v.check((value) => NAME.test(value), EXPECTED),
  inJson(IN_JSON),
);

/** What the file has: `eth0`, `[vlan10, ppp+]`, `{ in: vrrp.51, out: eth0 }`. */
export const cpeInterfaces = v.pipe(
  v.unknown(),
  v.rawTransform(({ dataset: { value }, addIssue, NEVER }): CpeInterface[] => {
    const candidates: unknown[] = Array.isArray(value) ? value : [value];
    const refuse = (message: string, key: number) => {
      const item = { type: 'array', origin: 'value', input: candidates, key, value: candidates[key] } as const;
      addIssue(Array.isArray(value) && candidates.length > 0 ? { message, path: [item] } : { message });
      return NEVER;
    };
    if (candidates.length === 0 || candidates.length > MAX_INTERFACES) {
      addIssue({ message: `an interface, or a list of 1 to ${MAX_INTERFACES}` });
      return NEVER;
    }
    const found: CpeInterface[] = [];
    for (const [index, candidate] of candidates.entries()) {
      const side = readSide(candidate);
      if (side === undefined) return refuse(EXPECTED_CPE, index);
      if (found.some((other) => other.in === side.in)) return refuse('each interface once', index);
      found.push(side);
    }
    return found;
  }),
  inJson({
    anyOf: [...CPE_IN_JSON.anyOf, { type: 'array', items: CPE_IN_JSON, minItems: 1, maxItems: MAX_INTERFACES }],
  }),
);

function readSide(value: unknown): CpeInterface | undefined {
  if (isName(value)) return { in: value, out: value };
  if (typeof value !== 'object' || value === null || Object.keys(value).sort().join() !== 'in,out') return undefined;
  const { in: incoming, out: outgoing } = value as { in: unknown; out: unknown };
  return isName(incoming) && isName(outgoing) ? { in: incoming, out: outgoing } : undefined;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && (NAME.test(value) || WILDCARD.test(value));
}

/** Whether a name, which may end in `+`, stands for this interface. */
export function covers(pattern: string, name: string): boolean {
  return pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

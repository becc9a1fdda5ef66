/**
 * The configuration's shape: every key, its type, its limits and its default. design: docs/operations.md.
 * A schema's message says what is *expected* there; configuration.ts puts position and what was found before it.
 */

import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { parseIpv4, parseIpv4Network } from '../packet/address';
import { MAX_NAME_BYTES } from '../splitter/owners';
import { ACTIVATION_MODES, DEFAULT_LIVES, type Lives } from '../splitter/topology';

/** Several ports share one multiport match, which holds fifteen. */
const MAX_PORTS = 15;
const MAX_COLLECTORS = 64;
const MAX_NETWORKS = 64;
const MAX_CAPACITY = 16_777_216;
/** Three queues of this length ask for 1 GiB of receive buffer, the most a socket takes. */
const MAX_QUEUE_LENGTH = 131_072;
/** Queue numbers have 16 bits; the fourth, first+3, takes the host's own ICMP errors. */
const MAX_FIRST_QUEUE = 65_535 - 3;
const MAX_LIFE_SECONDS = 7 * 86_400;
/** sun_path holds 108 bytes with its final zero. unix(7) */
const MAX_SOCKET_PATH_BYTES = 107;
export const CONTROL_SOCKET_NAME = 'control.sock';

const DEFAULT_STATE_DIRECTORY = '/run/acsplit';
const DEFAULT_METRICS_LISTEN = '127.0.0.1:9547';

/** A string that passes `accepts`; otherwise the message says what was expected. */
function text(expected: string, accepts: (value: string) => boolean) {
  return z.string({ error: expected }).refine(accepts, { error: expected });
}

function integer(what: string, minimum: number, maximum: number) {
  const expected = `${what} from ${minimum} to ${maximum}`;
  return z.int({ error: expected }).min(minimum, { error: expected }).max(maximum, { error: expected });
}

function list<T extends z.ZodType>(element: T, what: string, minimum: number, maximum: number) {
  const expected =
    minimum === 0 ? `a list of at most ${maximum} ${what}` : `a list of ${minimum} to ${maximum} ${what}`;
  return z.array(element, { error: expected }).min(minimum, { error: expected }).max(maximum, { error: expected });
}

function mapping<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, { error: `a mapping with ${Object.keys(shape).join(', ')}` });
}

/** 0/8, loopback, multicast and above name no host that could be a server or a splitter. */
function isUnicast(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

const NO_IPV6 = '(IPv6 is not carried yet)';

/** One IPv4 address, bare or as a list of one: the list is where an IPv6 address will stand beside it. */
const addresses = z.unknown().transform((value, context) => {
  const candidates: unknown[] = Array.isArray(value) ? value : [value];
  const refuse = (expected: string, index: number) => {
    const path = Array.isArray(value) && candidates.length > 0 ? [index] : [];
    context.issues.push({ code: 'custom', message: expected, input: value, path });
    return z.NEVER;
  };
  for (const [index, candidate] of candidates.entries()) {
    if (typeof candidate === 'string' && isIP(candidate) === 6) return refuse(`an IPv4 address ${NO_IPV6}`, index);
    const address = typeof candidate === 'string' ? parseIpv4(candidate) : undefined;
    if (address === undefined) return refuse('an IPv4 address such as 10.1.0.1', index);
    if (!isUnicast(address)) return refuse("a host's unicast IPv4 address", index);
  }
  if (candidates.length !== 1) return refuse('one IPv4 address', Math.min(1, candidates.length - 1));
  return { ipv4: candidates[0] as string };
});

const network = z.string({ error: 'an IPv4 network such as 10.1.0.0/16' }).superRefine((value, context) => {
  const [address, bits, ...rest] = value.split('/');
  const refuse = (message: string) => context.addIssue({ code: 'custom', message });
  if (isIP(address) === 6) return refuse(`an IPv4 network ${NO_IPV6}`);
  const isCidr =
    rest.length === 0 && parseIpv4(address) !== undefined && /^(0|[1-9]\d?)$/.test(bits ?? '') && Number(bits) <= 32;
  if (!isCidr) return refuse('an IPv4 network such as 10.1.0.0/16');
  if (!parseIpv4Network(value)) return refuse(`a network without host bits: ${baseOf(address, Number(bits))}/${bits}`);
});

function baseOf(address: string, bits: number): string {
  let left = bits;
  return address
    .split('.')
    .map((octet) => {
      const keep = Math.max(0, Math.min(8, left));
      left -= 8;
      return Number(octet) & (0xff00 >> keep) & 0xff;
    })
    .join('.');
}

/** The kernel's limit is 15 bytes; `+` would be a wildcard to iptables, and quotes or blanks have no place in a rule. */
const interfaceName = text(
  'an interface name: 1 to 15 letters, digits, ".", "_" or "-", as `ip link` shows it',
  (value) => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(value),
);

const collectorName = text(
  `a name of 1 to ${MAX_NAME_BYTES} letters, digits, ".", "_" or "-", and neither "itms" nor "cpe"`,
  (value) =>
    /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(value) &&
    value.length <= MAX_NAME_BYTES &&
    value !== 'itms' &&
    value !== 'cpe',
);

const port = integer('a port', 1, 65_535);

const stateDirectory = text(
  `an absolute path, short enough for the socket in it (${MAX_SOCKET_PATH_BYTES} bytes)`,
  (value) =>
    isAbsolute(value) &&
    !value.includes('\0') &&
    Buffer.byteLength(`${value}/${CONTROL_SOCKET_NAME}`) <= MAX_SOCKET_PATH_BYTES,
);

const listen = text(`an address and a port such as ${DEFAULT_METRICS_LISTEN}`, (value) => {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
  if (!match || Number(match[3]) < 1 || Number(match[3]) > 65_535) return false;
  return match[1] === undefined ? isIP(match[2]) === 4 : isIP(match[1]) === 6;
});

const seconds = (() => {
  const expected = `seconds from 0.1 to ${MAX_LIFE_SECONDS}`;
  return z.number({ error: expected }).min(0.1, { error: expected }).max(MAX_LIFE_SECONDS, { error: expected });
})();

const lives = Object.fromEntries(
  Object.entries(DEFAULT_LIVES).map(([name, life]) => [name, seconds.default(life as number)]),
) as Record<keyof Lives, z.ZodDefault<typeof seconds>>;

const side = { interface: interfaceName, address: addresses };

export const configurationSchema = mapping({
  cpe: mapping({ ...side, networks: list(network, 'IPv4 networks', 1, MAX_NETWORKS) }),
  itms: mapping(side),
  collectors: list(
    mapping({ name: collectorName, ...side }),
    'collectors, each { name, interface, address }',
    1,
    MAX_COLLECTORS,
  ),
  reportPorts: list(port, 'ports', 1, MAX_PORTS),
  itmsPorts: list(port, 'ports', 0, MAX_PORTS).default([]),
  activation: z.enum(ACTIVATION_MODES, { error: `one of ${ACTIVATION_MODES.join(', ')}` }).default('auto'),
  ttl: mapping(lives).prefault({}),
  tables: mapping({ capacity: integer('a number of entries', 16, MAX_CAPACITY).default(1_048_576) }).prefault({}),
  queue: mapping({
    first: integer('a queue number', 0, MAX_FIRST_QUEUE).default(0),
    length: integer('a number of packets', 64, MAX_QUEUE_LENGTH).default(16_384),
    gso: z.boolean({ error: 'true or false' }).default(true),
  }).prefault({}),
  onEngineDown: z
    .literal('hold', {
      error: ({ input }) => (input === 'itms' ? 'hold (itms comes with a later version)' : 'hold'),
    })
    .default('hold'),
  stateDirectory: stateDirectory.default(DEFAULT_STATE_DIRECTORY),
  metrics: mapping({ listen: listen.default(DEFAULT_METRICS_LISTEN) }).prefault({}),
});

export type ConfigurationShape = z.infer<typeof configurationSchema>;

/** Words that are allowed at `path`, for the near miss: the keys of a mapping. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = configurationSchema;
  for (const step of path) {
    const at = unwrap(schema);
    if (at instanceof z.ZodObject) schema = (at.shape as Record<string, unknown>)[String(step)];
    else if (at instanceof z.ZodArray) schema = at.element;
    else return [];
  }
  const at = unwrap(schema);
  return at instanceof z.ZodObject ? Object.keys(at.shape as object) : [];
}

function unwrap(schema: unknown): unknown {
  let at = schema;
  while (at instanceof z.ZodDefault || at instanceof z.ZodPrefault) at = at.unwrap();
  return at;
}

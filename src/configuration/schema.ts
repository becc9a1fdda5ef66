/**
 * The configuration's shape: every key, its type, its limits and its default. design: docs/operations.md.
 * A schema's message says what is *expected* there; configuration.ts puts position and what was found before it.
 */

import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import * as v from 'valibot';
import { MAX_NAME_BYTES } from '../splitter/memory/owners';
import { ACTIVATION_MODES, DEFAULT_LIVES, type Lives } from '../splitter/topology';
import { addresses, network } from './address';

/** Fifteen ports share a rule (src/steering/iptables/render.ts): this bounds the rules of each chain. */
const MAX_PORTS = 64;
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
  return v.pipe(v.string(expected), v.check(accepts, expected));
}

function number(expected: string, accepts: (value: number) => boolean) {
  return v.pipe(v.number(expected), v.check(accepts, expected));
}

function integer(what: string, minimum: number, maximum: number) {
  const isIn = (value: number) => Number.isInteger(value) && value >= minimum && value <= maximum;
  return number(`${what} from ${minimum} to ${maximum}`, isIn);
}

function list<T extends v.GenericSchema>(element: T, what: string, minimum: number, maximum: number) {
  const expected =
    minimum === 0 ? `a list of at most ${maximum} ${what}` : `a list of ${minimum} to ${maximum} ${what}`;
  return v.pipe(
    v.array(element, expected),
    v.check(({ length }) => length >= minimum && length <= maximum, expected),
  );
}

/** What stands under a key that no mapping knows: told apart by its type, and there may be several. */
const unknownKey = v.never();
export const UNKNOWN_KEY = unknownKey.type;

/** A mapping of just these keys. What is missing is complained of in the words of what should stand there. */
function mapping<T extends v.ObjectEntries>(entries: T) {
  const expected = `a mapping with ${Object.keys(entries).join(', ')}`;
  const isMapping = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  return v.pipe(
    v.custom<{ [K in keyof T]?: unknown }>(isMapping, expected),
    v.objectWithRest(entries, unknownKey, ({ path }) => {
      const missing = entries[String(path?.at(-1)?.key)];
      return v.safeParse(missing, undefined).issues?.[0].message ?? expected;
    }),
  );
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

/** As groupadd(8) takes it, or a number. */
const group = text('the name of a group of this host', (value) => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/.test(value));

const listen = text(`an address and a port such as ${DEFAULT_METRICS_LISTEN}`, (value) => {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
  if (!match || Number(match[3]) < 1 || Number(match[3]) > 65_535) return false;
  return match[1] === undefined ? isIP(match[2]) === 4 : isIP(match[1]) === 6;
});

const seconds = number(`seconds from 0.1 to ${MAX_LIFE_SECONDS}`, (value) => value >= 0.1 && value <= MAX_LIFE_SECONDS);

const lives = Object.fromEntries(
  Object.entries(DEFAULT_LIVES).map(([name, life]) => [name, v.optional(seconds, life as number)]),
) as Record<keyof Lives, v.OptionalSchema<typeof seconds, number>>;

const side = { interface: interfaceName, address: addresses };

export const configurationSchema = mapping({
  cpe: mapping({ ...side, networks: list(network, 'networks', 1, MAX_NETWORKS) }),
  itms: mapping(side),
  collectors: list(
    mapping({ name: collectorName, ...side }),
    'collectors, each { name, interface, address }',
    1,
    MAX_COLLECTORS,
  ),
  reportPorts: list(port, 'ports', 1, MAX_PORTS),
  itmsPorts: v.optional(list(port, 'ports', 0, MAX_PORTS), []),
  activation: v.optional(v.picklist(ACTIVATION_MODES, `one of ${ACTIVATION_MODES.join(', ')}`), 'auto'),
  ttl: v.optional(mapping(lives), {}),
  tables: v.optional(
    mapping({ capacity: v.optional(integer('a number of entries', 16, MAX_CAPACITY), 1_048_576) }),
    {},
  ),
  queue: v.optional(
    mapping({
      first: v.optional(integer('a queue number', 0, MAX_FIRST_QUEUE), 0),
      length: v.optional(integer('a number of packets', 64, MAX_QUEUE_LENGTH), 16_384),
      gso: v.optional(v.boolean('true or false'), true),
    }),
    {},
  ),
  onEngineDown: v.optional(v.picklist(['itms', 'hold'], 'one of itms, hold'), 'itms'),
  stateDirectory: v.optional(stateDirectory, DEFAULT_STATE_DIRECTORY),
  controlGroup: v.optional(group),
  metrics: v.optional(mapping({ listen: v.optional(listen, DEFAULT_METRICS_LISTEN) }), {}),
});

export type ConfigurationShape = v.InferOutput<typeof configurationSchema>;

/** The keys of the mapping at `path`, for the near miss. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  return Object.keys(schemaAt(path)?.entries ?? {});
}

/** The values of the choice at `path`; none where there is no choice. */
export function choicesAt(path: readonly PropertyKey[]): readonly string[] {
  return schemaAt(path)?.options ?? [];
}

function schemaAt(path: readonly PropertyKey[]): Described | undefined {
  let at: Described = within(configurationSchema);
  for (const step of path) {
    const below = at.entries?.[String(step)] ?? at.item;
    if (below === undefined) return undefined;
    at = within(below);
  }
  return at;
}

/** As much of a schema as tells what it allows. */
interface Described {
  type: string;
  entries?: Readonly<Record<string, Described>>;
  item?: Described;
  options?: readonly string[];
  /** Of an optional value. */
  wrapped?: Described;
  /** Of a checked one; what describes it may stand first or second. */
  pipe?: readonly Described[];
}

function within(schema: Described): Described {
  if (schema.wrapped) return within(schema.wrapped);
  return schema.pipe?.find(({ entries, item, options }) => entries ?? item ?? options) ?? schema;
}

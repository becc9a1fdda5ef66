/**
 * The shape of the configuration: every key with its type, limits and default. Documented in docs/operations.md.
 * A schema's message tells what is *expected*; configuration.ts adds the position and what was found.
 */

import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import * as v from 'valibot';
import { MAX_NAME_BYTES } from '../splitter/memory/owners';
import { ACTIVATION_MODES, DEFAULT_LIVES, type Lives } from '../splitter/topology';
import { address, addresses, network } from './address';
import { cpeInterfaces, interfaceName } from './interface';

/** A rule holds fifteen ports (src/steering/iptables/render.ts), so this limits the number of rules in a chain. */
const MAX_PORTS = 64;
const MAX_COLLECTORS = 64;
const MAX_NETWORKS = 4096;
/** Of one collector: where a new collector is tried first. */
const MAX_CANARY_NETWORKS = 64;
const MAX_REQUEST_ADDRESSES = 16;
const MAX_SESSIONS_PER_SECOND = 1_000_000;
const MAX_CAPACITY = 16_777_216;
/** Three queues of this length ask for 1 GiB of receive buffer, the most a socket takes. */
const MAX_QUEUE_LENGTH = 131_072;
/** Queue numbers have 16 bits; first+3, the fourth queue, is for the host's own ICMP errors. */
const MAX_FIRST_QUEUE = 65_535 - 3;
const MAX_LIFE_SECONDS = 7 * 86_400;
const MAX_KEEP_DAYS = 3650;
const MAX_HISTORY_MIB = 1_048_576;
/** sun_path holds 108 bytes with its final zero. unix(7) */
const MAX_SOCKET_PATH_BYTES = 107;
export const CONTROL_SOCKET_NAME = 'control.sock';

const DEFAULT_STATE_DIRECTORY = '/run/acsplit';
const DEFAULT_HISTORY_DIRECTORY = '/var/lib/acsplit';
const DEFAULT_METRICS_LISTEN = '127.0.0.1:9547';

/** A string accepted by `accepts`; `expected` is the error message. */
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

/** The schema for values under unknown keys, recognized by its type. */
const unknownKey = v.never();
export const UNKNOWN_KEY = unknownKey.type;

/** A mapping with exactly these keys. A missing key is reported with the message of its own schema. */
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

const collectorName = text(
  `a name of 1 to ${MAX_NAME_BYTES} letters, digits, ".", "_" or "-", other than "itms" and "cpe"`,
  (value) =>
    /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(value) &&
    value.length <= MAX_NAME_BYTES &&
    value !== 'itms' &&
    value !== 'cpe',
);

/** Part of the names of chains, which have 28 characters at most (src/steering/iptables/instance.ts). */
const MAX_INSTANCE_CHARACTERS = 10;

const instanceName = text(
  `a name of 1 to ${MAX_INSTANCE_CHARACTERS} letters, digits, ".", "_" or "-"`,
  (value) => /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(value) && value.length <= MAX_INSTANCE_CHARACTERS,
);

const port = integer('a port', 1, 65_535);

/** The CPEs' ports for Connection Requests. */
const requestPorts = v.custom<'any' | number[]>(
  (value) => value === 'any' || v.is(list(port, 'ports', 1, MAX_PORTS), value),
  `any, or a list of 1 to ${MAX_PORTS} ports`,
);

const stateDirectory = text(
  `an absolute path, short enough for the socket in it (${MAX_SOCKET_PATH_BYTES} bytes)`,
  (value) =>
    isAbsolute(value) &&
    !value.includes('\0') &&
    Buffer.byteLength(`${value}/${CONTROL_SOCKET_NAME}`) <= MAX_SOCKET_PATH_BYTES,
);

const historyDirectory = text('an absolute path', (value) => isAbsolute(value) && !value.includes('\0'));

/** A group name as groupadd(8) accepts it, or a number. */
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

const server = {
  interface: interfaceName,
  address: addresses,
  requestAddresses: v.optional(list(address, 'addresses', 0, MAX_REQUEST_ADDRESSES), []),
};

export const configurationSchema = mapping({
  cpe: mapping({ interface: cpeInterfaces, address: addresses, networks: list(network, 'networks', 1, MAX_NETWORKS) }),
  itms: mapping(server),
  collectors: list(
    mapping({
      name: collectorName,
      ...server,
      networks: v.optional(list(network, 'networks', 1, MAX_CANARY_NETWORKS)),
      maxPerSecond: v.optional(integer('a number of sessions', 1, MAX_SESSIONS_PER_SECOND)),
    }),
    'collectors, each { name, interface, address }',
    1,
    MAX_COLLECTORS,
  ),
  reportPorts: list(port, 'ports', 1, MAX_PORTS),
  itmsPorts: v.optional(list(port, 'ports', 0, MAX_PORTS), []),
  requestPorts: v.optional(requestPorts, 'any'),
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
  fastPath: v.optional(v.picklist(['off', 'auto', 'on'], 'one of off, auto, on'), 'off'),
  name: v.optional(instanceName, 'default'),
  stateDirectory: v.optional(stateDirectory, DEFAULT_STATE_DIRECTORY),
  controlGroup: v.optional(group),
  metrics: v.optional(mapping({ listen: v.optional(listen, DEFAULT_METRICS_LISTEN) }), {}),
  history: v.optional(
    mapping({
      directory: v.optional(historyDirectory, DEFAULT_HISTORY_DIRECTORY),
      keepDays: v.optional(integer('a number of days', 1, MAX_KEEP_DAYS), 30),
      maxMiB: v.optional(integer('a number of MiB', 16, MAX_HISTORY_MIB), 2048),
    }),
  ),
});

export type ConfigurationShape = v.InferOutput<typeof configurationSchema>;

/** The keys of the mapping at `path`, to suggest a spelling. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  return Object.keys(schemaAt(path)?.entries ?? {});
}

/** The allowed values of the choice at `path`; empty if it is not a choice. */
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

/** The parts of a schema that tell what it allows. */
interface Described {
  type: string;
  entries?: Readonly<Record<string, Described>>;
  item?: Described;
  options?: readonly string[];
  /** The schema inside an optional one. */
  wrapped?: Described;
  /** The steps of a checked schema; the first or the second describes it. */
  pipe?: readonly Described[];
}

function within(schema: Described): Described {
  if (schema.wrapped) return within(schema.wrapped);
  return schema.pipe?.find(({ entries, item, options }) => entries ?? item ?? options) ?? schema;
}

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
import { inJson, jsonOf } from './described';
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
const MAX_PROBE_SECONDS = 3600;
const DEFAULT_PROBE_SECONDS = 10;
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
  return v.pipe(v.string(expected), v.check(accepts, expected), inJson({ type: 'string' }));
}

function integer(what: string, minimum: number, maximum: number) {
  const expected = `${what} from ${minimum} to ${maximum}`;
  const isIn = (value: number) => Number.isInteger(value) && value >= minimum && value <= maximum;
  return v.pipe(v.number(expected), v.check(isIn, expected), inJson({ type: 'integer', minimum, maximum }));
}

function list<T extends v.GenericSchema>(element: T, what: string, minimum: number, maximum: number) {
  const expected =
    minimum === 0 ? `a list of at most ${maximum} ${what}` : `a list of ${minimum} to ${maximum} ${what}`;
  return v.pipe(
    v.array(element, expected),
    v.check(({ length }) => length >= minimum && length <= maximum, expected),
    inJson({ type: 'array', minItems: minimum, maxItems: maximum }),
  );
}

/** What a key means. json-schema.ts, `config init` and docs/operations.md show it. */
function key<T extends v.GenericSchema>(means: string, schema: T): T {
  return v.pipe(schema, v.description(means)) as unknown as T;
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
const requestPorts = v.pipe(
  v.custom<'any' | number[]>(
    (value) => value === 'any' || v.is(list(port, 'ports', 1, MAX_PORTS), value),
    `any, or a list of 1 to ${MAX_PORTS} ports`,
  ),
  inJson({ anyOf: [{ const: 'any' }, { type: 'array', items: jsonOf(port), minItems: 1, maxItems: MAX_PORTS }] }),
);

const stateDirectory = text(
  `an absolute path, short enough for the socket in it (${MAX_SOCKET_PATH_BYTES} bytes)`,
  (value) =>
    isAbsolute(value) &&
    !value.includes('\0') &&
    Buffer.byteLength(`${value}/${CONTROL_SOCKET_NAME}`) <= MAX_SOCKET_PATH_BYTES,
);

const absolutePath = text('an absolute path', (value) => isAbsolute(value) && !value.includes('\0'));

/** A group name as groupadd(8) accepts it, or a number. */
const group = text('the name of a group of this host', (value) => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/.test(value));

const listen = text(`an address and a port such as ${DEFAULT_METRICS_LISTEN}`, isListen);

function isListen(value: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
  if (!match || Number(match[3]) < 1 || Number(match[3]) > 65_535) return false;
  return match[1] === undefined ? isIP(match[2]) === 4 : isIP(match[1]) === 6;
}

const SECONDS = `seconds from 0.1 to ${MAX_LIFE_SECONDS}`;
const seconds = v.pipe(
  v.number(SECONDS),
  v.check((value) => value >= 0.1 && value <= MAX_LIFE_SECONDS, SECONDS),
  inJson({ type: 'number', minimum: 0.1, maximum: MAX_LIFE_SECONDS }),
);

const LIVES: Readonly<Record<keyof Lives, string>> = {
  requestUnanswered: 'a Connection Request whose SYN is unanswered',
  reportUnanswered: 'a diverted connection that its collector has not answered',
  established: 'any answered connection, idle',
  finOne: 'a FIN of one end seen, after the last packet',
  finBoth: 'FINs of both ends seen',
  reset: 'a proven RST seen; a valid packet of the side that received it lifts the mark',
  armed: "an activation until the CPE's SYN",
  grace: 'after the end of a diverted connection whose answers cannot be read (TLS)',
  unfinished: 'the same, after a 2xx with a body, an unanswered request, or an idle time-out',
  retry: 'the same, after 401, 407 or 3xx',
  activation: 'from arming to the end of the last of these',
};

const lives = Object.fromEntries(
  Object.entries(DEFAULT_LIVES).map(([name, life]) => [
    name,
    key(LIVES[name as keyof Lives], v.optional(seconds, life as number)),
  ]),
) as Record<keyof Lives, v.OptionalSchema<typeof seconds, number>>;

/** Of the ITMS or a collector. @param which the server, in the text of `requestAddresses` */
function server(place: string, which: string, requests: string) {
  return {
    interface: key(place, interfaceName),
    address: key(which, addresses),
    requestAddresses: key(requests, v.optional(list(address, 'addresses', 0, MAX_REQUEST_ADDRESSES), [])),
  };
}

const collector = mapping({
  name: key('in commands, logs and entries; sessions follow the name, not the place in the list', collectorName),
  ...server(
    "third interface; may be the ITMS's",
    'the collection server',
    'further addresses from which it wakes CPEs; sessions go to `address`',
  ),
  networks: key(
    'only CPEs of these networks are ever diverted to it; all if absent',
    v.optional(list(network, 'networks', 1, MAX_CANARY_NETWORKS)),
  ),
  maxPerSecond: key(
    'sessions diverted to it per second; beyond it they go to the ITMS, counted as `collector-busy`',
    v.optional(integer('a number of sessions', 1, MAX_SESSIONS_PER_SECOND)),
  ),
});

const MAX_STORES = 4;

/** Of a group or a router; part of keys in the stores (src/cluster/codec.ts). */
const clusterName = text('a name of 1 to 31 letters, digits, ".", "_" or "-"', (value) =>
  /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}$/.test(value),
);

const storeAddress = text('an address and a port such as 192.0.2.1:6379, or the absolute path of a socket', (value) =>
  isAbsolute(value) ? !value.includes('\0') && Buffer.byteLength(value) <= MAX_SOCKET_PATH_BYTES : isListen(value),
);

const store = mapping({
  address: key('where the server listens', storeAddress),
  user: key(
    'its ACL user; the default user if absent',
    v.optional(text('a name without blanks', (value) => /^[^\s\0]{1,64}$/.test(value))),
  ),
  passwordFile: key("a file whose first line is the user's password", v.optional(absolutePath)),
  tls: key(
    '`tls: {}` for TLS',
    v.optional(
      mapping({
        ca: key(
          'with `tls` (`tls: {}`): a file with the authority that signs its certificate; those of the system if absent',
          v.optional(absolutePath),
        ),
      }),
    ),
  ),
});

export const configurationSchema = mapping({
  cpe: mapping({
    interface: key(
      'first interface; or a list; `ppp+` for all whose names begin so; `{ in: vrrp.51, out: eth0 }` if packets come in and leave by different ones',
      cpeInterfaces,
    ),
    address: key(
      'the ACS address that CPEs know; `[IPv4, IPv6]` for both families, and so for every server',
      addresses,
    ),
    networks: key('where CPEs live; all other traffic is left alone', list(network, 'networks', 1, MAX_NETWORKS)),
  }),
  itms: mapping(server('second interface', 'the ITMS', 'further addresses from which the ITMS wakes CPEs')),
  collectors: list(collector, 'collectors, each { name, interface, address }', 1, MAX_COLLECTORS),
  reportPorts: key(
    "TCP ports at the ACS address whose sessions may be diverted: the ACS URL's",
    list(port, 'ports', 1, MAX_PORTS),
  ),
  itmsPorts: key(
    'further TCP ports at the ACS address that always go to the ITMS',
    v.optional(list(port, 'ports', 0, MAX_PORTS), []),
  ),
  requestPorts: key(
    "the CPEs' ports for Connection Requests, if known: other connections of servers to CPEs are left alone",
    v.optional(requestPorts, 'any'),
  ),
  activation: key(
    'what counts as a woken CPE: `auto`, `fin`, `response`, `off`',
    v.optional(v.picklist(ACTIVATION_MODES, `one of ${ACTIVATION_MODES.join(', ')}`), 'auto'),
  ),
  ttl: key('the lives of entries in seconds, each by its name', v.optional(mapping(lives), {})),
  tables: v.optional(
    mapping({
      capacity: key(
        'entries of each table, for each family',
        v.optional(integer('a number of entries', 16, MAX_CAPACITY), 1_048_576),
      ),
    }),
    {},
  ),
  queue: v.optional(
    mapping({
      first: key('number of the first of four queues', v.optional(integer('a queue number', 0, MAX_FIRST_QUEUE), 0)),
      length: key(
        'packets that may wait in each',
        v.optional(integer('a number of packets', 64, MAX_QUEUE_LENGTH), 16_384),
      ),
      gso: key(
        'receive super-packets whole; `false` on a kernel that cannot',
        v.optional(v.boolean('true or false'), true),
      ),
    }),
    {},
  ),
  onEngineDown: key('`itms` or `hold`', v.optional(v.picklist(['itms', 'hold'], 'one of itms, hold'), 'itms')),
  onCollectorDown: key('`itms` or `divert`', v.optional(v.picklist(['itms', 'divert'], 'one of itms, divert'), 'itms')),
  probe: v.optional(
    mapping({
      interval: key(
        "with `probe` (`probe: {}`): every so many seconds the engine connects to each server's first report port",
        v.optional(integer('a number of seconds', 1, MAX_PROBE_SECONDS), DEFAULT_PROBE_SECONDS),
      ),
    }),
  ),
  fastPath: key(
    'whether the kernel carries what needs no decision: `auto`, where it can; `on`, or the engine does not start',
    v.optional(v.picklist(['off', 'auto', 'on'], 'one of off, auto, on'), 'off'),
  ),
  name: key(
    'of the instance; a second engine on a host needs its own name, queues, stateDirectory and metrics.listen',
    v.optional(instanceName, 'default'),
  ),
  stateDirectory: key(
    'tables and control socket; must be on a file system in memory',
    v.optional(stateDirectory, DEFAULT_STATE_DIRECTORY),
  ),
  controlGroup: key('who may command it, besides root', v.optional(group)),
  metrics: v.optional(
    mapping({
      listen: key('where Prometheus may scrape, and where the page is', v.optional(listen, DEFAULT_METRICS_LISTEN)),
      tokenFile: key(
        'a file with a token of 16 characters or more, without which the page shows no names',
        v.optional(absolutePath),
      ),
    }),
    {},
  ),
  cluster: v.optional(
    mapping({
      group: key(
        'routers of one group share activations and diverted sessions; without `cluster` this one is alone',
        clusterName,
      ),
      name: key('of this router, unlike those of the others', clusterName),
      stores: key(
        'Valkey or Redis servers, each by itself; normally one on each router',
        list(store, 'stores, each { address }', 1, MAX_STORES),
      ),
    }),
  ),
  history: v.optional(
    mapping({
      directory: key(
        "where past sessions are kept, in a directory of the instance's name; without `history` nowhere",
        v.optional(absolutePath, DEFAULT_HISTORY_DIRECTORY),
      ),
      keepDays: key('a day is deleted whole after that', v.optional(integer('a number of days', 1, MAX_KEEP_DAYS), 30)),
      maxMiB: key(
        'or earlier, the oldest first; a session takes 12 bytes',
        v.optional(integer('a number of MiB', 16, MAX_HISTORY_MIB), 2048),
      ),
    }),
  ),
});

export type ConfigurationShape = v.InferOutput<typeof configurationSchema>;

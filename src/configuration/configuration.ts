/**
 * The configuration file: read, checked, and turned into the topology and the limits that engine and rules share.
 * Any error is refused here, with file, line and column, before anything has been changed.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import * as v from 'valibot';
import {
  type ActivationMode,
  type Addresses,
  type Lives,
  type OnCollectorDown,
  type OnEngineDown,
  type Topology,
} from '../splitter/topology';
import { findContradictions } from './contradictions';
import { described, type Described } from './described';
import { type ConfigurationShape, configurationSchema, UNKNOWN_KEY } from './schema';
import {
  type ConfigurationText,
  describe,
  MAX_FILE_BYTES,
  type Path,
  parseText,
  type Problem,
  TextError,
} from './text';
import { ConfigurationError, UsageError } from './errors';
import { familyOfText } from './address';
import { didYouMean } from './near-miss';

export const DEFAULT_CONFIGURATION_FILE = '/etc/acsplit/acsplit.yaml';

export interface Configuration {
  /** Of the instance. Each on a host has its own chains, sets, queues, state directory and socket. */
  name: string;
  topology: Topology;
  activation: ActivationMode;
  /** Seconds. */
  lives: Lives;
  /** Entries of each table. */
  capacityEntries: number;
  /** `length` in packets, per queue. */
  queue: { first: number; length: number; gso: boolean };
  /**
   * What happens while no engine runs. `itms`: the kernel sends new sessions of CPEs to the ITMS. `hold`: steered packets
   * are dropped, and TCP retransmits them; none passes without being rewritten.
   */
  onEngineDown: OnEngineDown;
  /** Where the sessions of a collector that is down go. */
  onCollectorDown: OnCollectorDown;
  /** Every so many seconds a TCP connection to each server; undefined: none. */
  probe: { interval: number } | undefined;
  /** Whether the kernel carries what needs no decision: `auto`, where it can; `on`: or the engine does not start. */
  fastPath: 'off' | 'auto' | 'on';
  stateDirectory: string;
  /** The group whose members may command the engine; undefined: only root. */
  controlGroup: string | undefined;
  metrics: { listen: string; tokenFile?: string | undefined };
  /** Where past sessions are kept; undefined: nowhere. */
  history: { directory: string; keepDays: number; maxMiB: number } | undefined;
  /** The group of routers that share activations and diverted sessions; undefined: this one is alone. */
  cluster: Cluster | undefined;
  /** Absolute path of the file this was read from. */
  file: string;
  /** Every key with its value, defaults included, to compare two configurations: `collectors[0].address`. */
  keys: Readonly<Record<string, string>>;
}

export interface Cluster {
  group: string;
  /** Of this router. */
  name: string;
  stores: {
    address: string;
    user: string | undefined;
    passwordFile: string | undefined;
    tls: { ca: string | undefined } | undefined;
  }[];
}

/** What the rules depend on besides the topology. */
export function steeringOf({ name, queue, onEngineDown }: Configuration): {
  instance: string;
  first: number;
  onEngineDown: OnEngineDown;
} {
  return { instance: name, first: queue.first, onEngineDown };
}

/** Reads and checks a configuration file. @throws UsageError that names the place and what was expected */
export function loadConfiguration(file: string): Configuration {
  return parseConfiguration(readText(file), file);
}

/** Every key of a file with its value in force. @throws UsageError as `loadConfiguration` */
export function loadShape(file: string): ConfigurationShape {
  return parseShape(readText(file), file);
}

/** `loadConfiguration` for text that has been read already; `file` is its name in error messages. */
export function parseConfiguration(source: string, file: string): Configuration {
  return toConfiguration(parseShape(source, file), file);
}

export function parseShape(source: string, file: string): ConfigurationShape {
  let text: ConfigurationText;
  try {
    text = parseText(source);
  } catch (error) {
    if (!(error instanceof TextError)) throw error;
    throw new UsageError(`${file}:${error.at.line}:${error.at.column}: ${error.message}`);
  }
  const parsed = v.safeParse(configurationSchema, text.value);
  if (!parsed.success) {
    const problems = parsed.issues.map((issue) => problemOf(issue, text));
    throw refusal(file, text, problems);
  }
  const contradictions = findContradictions(parsed.output);
  if (contradictions.length > 0) throw refusal(file, text, contradictions);
  return parsed.output;
}

function toConfiguration(shape: ConfigurationShape, file: string): Configuration {
  return {
    name: shape.name,
    topology: toTopology(shape),
    activation: shape.activation,
    lives: shape.ttl,
    capacityEntries: shape.tables.capacity,
    queue: shape.queue,
    onEngineDown: shape.onEngineDown,
    onCollectorDown: shape.onCollectorDown,
    probe: shape.probe,
    fastPath: shape.fastPath,
    stateDirectory: shape.stateDirectory,
    controlGroup: shape.controlGroup,
    metrics: shape.metrics,
    history: shape.history,
    cluster: shape.cluster && { ...shape.cluster, stores: shape.cluster.stores.map(toStore) },
    file: resolve(file),
    keys: Object.fromEntries(keysOf(shape)),
  };
}

function toStore({ address, user, passwordFile, tls }: NonNullable<ConfigurationShape['cluster']>['stores'][number]) {
  return { address, user, passwordFile, tls: tls && { ca: tls.ca } };
}

/** A mapping, or a list of mappings with keys, has its keys in turn; an address of two families is one value. */
function keysOf(value: unknown, path = ''): [string, string][] {
  const isList = Array.isArray(value) && path === 'collectors';
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value) && !path.endsWith('.address');
  if (isList) return value.flatMap((one, i) => keysOf(one, `${path}[${i}]`));
  if (!isMapping) return value === undefined ? [] : [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, below]) => keysOf(below, path === '' ? key : `${path}.${key}`));
}

function toTopology({ cpe, itms, collectors, reportPorts, itmsPorts, requestPorts }: ConfigurationShape): Topology {
  return {
    cpe: { interfaces: cpe.interface, address: cpe.address, networks: cpe.networks },
    itms: { interface: itms.interface, address: itms.address, ...requestAddressesOf(itms) },
    collectors: collectors.map(({ networks, maxPerSecond, ...collector }) => ({
      ...{ name: collector.name, interface: collector.interface, address: collector.address },
      ...requestAddressesOf(collector),
      ...(networks === undefined ? {} : { networks }),
      ...(maxPerSecond === undefined ? {} : { maxPerSecond }),
    })),
    reportPorts,
    itmsPorts,
    ...(requestPorts === 'any' ? {} : { requestPorts }),
  };
}

function requestAddressesOf({ requestAddresses }: { requestAddresses: string[] }): { requestAddresses?: Addresses[] } {
  if (requestAddresses.length === 0) return {};
  return { requestAddresses: requestAddresses.map((text) => ({ [familyOfText(text)]: text })) };
}

/** More errors than these help nobody. */
const MOST_TOLD = 20;

/** All errors in the file's order, what is missing last. The message is the first, with the number of the others. */
function refusal(file: string, text: ConfigurationText, problems: Problem[]): ConfigurationError {
  const placed = problems.map((problem) => ({ problem, at: text.position(problem) }));
  placed.sort(
    (a, b) =>
      Number(a.problem.missing ?? false) - Number(b.problem.missing ?? false) ||
      a.at.line - b.at.line ||
      a.at.column - b.at.column,
  );
  const told = placed
    .slice(0, MOST_TOLD)
    .map(({ problem, at }) => `${file}:${at.line}:${at.column}: ${pathText(problem.path)}${problem.message}`);
  return new ConfigurationError(told, placed.length);
}

function pathText(path: Path): string {
  if (path.length === 0) return '';
  const words = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`));
  return `${words.join('').slice(1)}: `;
}

function problemOf(issue: v.GenericIssue, text: ConfigurationText): Problem {
  const path = issue.path?.map((item) => item.key as PropertyKey) ?? [];
  if (issue.type === UNKNOWN_KEY) {
    const key = String(path.at(-1));
    const parent = path.slice(0, -1);
    return {
      path: parent,
      key,
      // Computed only if it is told: a hostile file may have many thousand unknown keys.
      get message() {
        const known = Object.keys(describedAt(parent)?.entries ?? {});
        return `unknown key ${describe(key)}${didYouMean(key, known) || `, expected one of ${known.join(', ')}`}`;
      },
    };
  }
  if (path.length > 0 && !text.has(path)) return { path, missing: true, message: `missing, expected ${issue.message}` };
  const found = path.reduce<unknown>((value, step) => (value as Record<PropertyKey, unknown>)[step], text.value);
  const spelling = typeof found === 'string' ? didYouMean(found, describedAt(path)?.options ?? []) : '';
  return { path, message: `found ${describe(found)}, expected ${issue.message}${spelling}` };
}

function describedAt(path: readonly PropertyKey[]): Described | undefined {
  let at: Described | undefined = described(configurationSchema);
  for (const step of path) at = at?.entries?.[String(step)] ?? at?.item;
  return at;
}

const OPEN_ERRORS: Record<string, string> = {
  ENOENT: 'does not exist; create it, or name another with -c FILE',
  EACCES: 'cannot be read: permission denied; run as root or change its mode',
  EISDIR: 'is a directory, expected a YAML file',
  ENOTDIR: 'does not exist: a part of its path is not a directory',
};

function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readBounded(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(`configuration ${file} ${OPEN_ERRORS[code ?? ''] ?? `cannot be read: ${message}`}`);
  }
  if (bytes.length > MAX_FILE_BYTES) {
    throw new UsageError(
      `configuration ${file} is larger than ${MAX_FILE_BYTES} bytes, more than any configuration needs`,
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`configuration ${file} is not UTF-8 text`);
  }
}

/** Reads at most one byte more than the limit: the file may be an endless device. */
function readBounded(file: string): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    if (fstatSync(descriptor).isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
    let length = 0;
    for (;;) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (count === 0) break;
      length += count;
      if (length === buffer.length) break;
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

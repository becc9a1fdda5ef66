/**
 * The engines running on this host. Each writes an entry into a directory under /run, in a file named after its process
 * id. Commands find an engine there by its configuration file, without reading that file, or by its name.
 * docs/decisions/registry.md
 */
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { EngineError } from './engine-error';
import { type EngineLog } from './engine-log';

/** An engine's own entry. */
export interface RunningEngine {
  pid: number;
  /** The instance: `name` in its configuration. */
  name: string;
  /** Absolute path of the configuration file it was started with. */
  file: string;
  /** Path of its control socket. */
  socket: string;
  stateDirectory: string;
  /** The first of its four queues. */
  firstQueue: number;
  version: string;
}

interface Entry extends RunningEngine {
  /** Start time of the process, in clock ticks since boot: tells it from a later process with the same id. */
  startTicks: string;
  /** Its network namespace. Queues, rules and names belong to one. */
  network: string;
  /** Its pid namespace: in another one, its process id means nothing. An earlier version's entry has none. */
  pids?: string;
}

const DIRECTORY = '/run/acsplit-engines';
/** Members of a control group read it too; it holds no secrets. */
const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o644;
const MOST_ENTRIES = 1024;
const MOST_BYTES = 65_536;
/** An entry that disappears, because somebody cleaned up /run, is written again. */
const INTERVAL_MS = 3000;

/** Where engines write their entries; tests set ACSPLIT_ENGINES_DIRECTORY. */
export function registryDirectory(): string {
  return process.env.ACSPLIT_ENGINES_DIRECTORY ?? DIRECTORY;
}

/**
 * The engines of this network namespace, by name, then by process id. Skips dead engines and unreadable entries. Empty
 * when the directory is missing or not readable.
 */
export function listEngines(directory = registryDirectory()): RunningEngine[] {
  const network = networkOf('self');
  return entries(directory)
    .filter((entry) => isOfOwnPids(entry) && isLiving(entry) && (network === undefined || entry.network === network))
    .map(({ startTicks: _ticks, network: _network, pids: _pids, ...engine }) => engine)
    .sort((a, b) => a.name.localeCompare(b.name) || a.pid - b.pid);
}

/**
 * Two engines of one name in a network namespace would share the kernel's chains and sets.
 * @throws EngineError
 */
export function refuseNamesake(name: string): void {
  const namesake = listEngines().find((engine) => engine.name === name && engine.pid !== process.pid);
  if (!namesake) return;
  const { pid, file } = namesake;
  throw new EngineError(`instance "${name}" runs already (pid ${pid}, ${file}): give this one another name`);
}

export interface Registration {
  /** Removes the entry. Idempotent. */
  end(): void;
}

/**
 * Writes an entry for this process and keeps it in place. Removes entries of dead engines. Never throws: an engine that
 * cannot write its entry logs that once and runs; commands then need its configuration.
 */
export function register(
  engine: Omit<RunningEngine, 'pid'>,
  log: EngineLog,
  directory = registryDirectory(),
): Registration {
  const { pid } = process;
  const path = join(directory, `${pid}.json`);
  const entry: Entry = {
    ...{ pid, ...engine },
    startTicks: startTicksOf(pid) ?? '',
    network: networkOf('self') ?? '',
    pids: ownPids() ?? '',
  };
  let hasComplained = false;
  const note = () => {
    try {
      if (statSync(path, { throwIfNoEntry: false })) return;
      makeRegistry(directory);
      write(path, `${JSON.stringify(entry)}\n`);
      hasComplained = false;
    } catch (error) {
      if (hasComplained) return;
      hasComplained = true;
      const { code, message } = error as NodeJS.ErrnoException;
      log.warn({ event: 'registry', path, code }, `commands find this engine only by its configuration: ${message}`);
    }
  };
  removeDead(directory);
  removeFile(path);
  note();
  const timer = setInterval(note, INTERVAL_MS);
  timer.unref();
  return {
    end: () => {
      clearInterval(timer);
      removeFile(path);
    },
  };
}

function makeRegistry(directory: string): void {
  mkdirSync(directory, { recursive: true });
  // Where we may not chmod, the mode was somebody else's choice.
  try {
    if ((statSync(directory).mode & 0o777) !== DIRECTORY_MODE) chmodSync(directory, DIRECTORY_MODE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

/** A reader finds the whole entry or none. */
function write(path: string, text: string): void {
  const draft = `${path}.new`;
  removeFile(draft);
  writeFileSync(draft, text, { flag: 'wx', mode: FILE_MODE });
  chmodSync(draft, FILE_MODE);
  renameSync(draft, path);
}

function removeDead(directory: string): void {
  for (const name of namesIn(directory)) {
    const entry = readEntry(directory, name);
    if (entry && isOfOwnPids(entry) && !isLiving(entry)) removeFile(join(directory, name));
  }
}

function entries(directory: string): Entry[] {
  return namesIn(directory).flatMap((name) => readEntry(directory, name) ?? []);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => /^\d+\.json$/.test(name))
      .slice(0, MOST_ENTRIES);
  } catch {
    return [];
  }
}

/** Undefined unless an engine of root or of our own user has written it. */
function readEntry(directory: string, name: string): Entry | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    const isTrusted = stat.isFile() && (stat.uid === 0 || stat.uid === process.geteuid?.());
    if (!isTrusted || stat.size > MOST_BYTES) return undefined;
    const entry = JSON.parse(readFileSync(fd, 'utf8')) as unknown;
    return isEntry(entry) && name === `${entry.pid}.json` ? entry : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const TEXTS = ['name', 'file', 'socket', 'stateDirectory', 'version', 'startTicks', 'network'] as const;

function isEntry(value: unknown): value is Entry {
  const entry = value as Partial<Entry> | null;
  if (typeof entry !== 'object' || entry === null) return false;
  const areNumbers = Number.isSafeInteger(entry.pid) && Number.isSafeInteger(entry.firstQueue);
  return areNumbers && TEXTS.every((key) => typeof entry[key] === 'string');
}

/** Of this pid namespace, or of an earlier version. */
function isOfOwnPids({ pids }: Entry): boolean {
  return pids === undefined || pids === (ownPids() ?? '');
}

/** The same process still runs. */
function isLiving({ pid, startTicks }: Entry): boolean {
  const ticks = startTicksOf(pid);
  if (ticks !== undefined) return ticks === startTicks;
  // /proc may hide other users' processes (hidepid); a refused signal shows that one exists.
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Fields 3 (state) and 22 (start time) of /proc/PID/stat, counted from behind the name, which may contain anything. A
 * zombie gets a text that no entry has. proc_pid_stat(5)
 */
function startTicksOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'zombie' : fields[19];
  } catch {
    return undefined;
  }
}

function networkOf(process: string): string | undefined {
  return namespaceOf(process, 'net');
}

function ownPids(): string | undefined {
  return namespaceOf('self', 'pid');
}

function namespaceOf(process: string, kind: 'net' | 'pid'): string | undefined {
  try {
    return readlinkSync(`/proc/${process}/ns/${kind}`);
  } catch {
    return undefined;
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or not ours to remove.
  }
}

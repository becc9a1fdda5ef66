/**
 * The engines that run on this host: each notes itself in a directory under /run, in a file named after its process.
 * Commands find an engine there by the configuration file that it was started with, without reading that file, or by its
 * name. docs/decisions/registry.md
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
import { type EngineLog } from './engine-log';

/** An engine as it notes itself. */
export interface RunningEngine {
  pid: number;
  /** The instance: `name` of its configuration. */
  name: string;
  /** Absolute path of the configuration file that it was started with. */
  file: string;
  /** Path of its control socket. */
  socket: string;
  stateDirectory: string;
  /** Number of its first queue; it has four. */
  firstQueue: number;
  version: string;
}

interface Entry extends RunningEngine {
  /** When the process started, in clock ticks since boot: tells it from a later process with its number. */
  startTicks: string;
  /** The network namespace it runs in. Queues, rules and names belong to one. */
  network: string;
}

const DIRECTORY = '/run/acsplit-engines';
/** Members of a control group look in here, too; nothing in it is a secret. */
const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o644;
const MOST_ENTRIES = 1024;
const MOST_BYTES = 65_536;
/** A note that is gone, because somebody cleaned up /run, is written again. */
const INTERVAL_MS = 3000;

/** Where engines note themselves; ACSPLIT_ENGINES_DIRECTORY names another place, for tests. */
export function registryDirectory(): string {
  return process.env.ACSPLIT_ENGINES_DIRECTORY ?? DIRECTORY;
}

/**
 * The engines that run in this network namespace, by name, then by process id. Entries of dead ones are skipped, and so is
 * what does not read as an entry. Empty where the directory is not there or not ours to read.
 */
export function listEngines(directory = registryDirectory()): RunningEngine[] {
  const network = networkOf('self');
  return entries(directory)
    .filter((entry) => isLiving(entry) && (network === undefined || entry.network === network))
    .map(({ startTicks: _ticks, network: _network, ...engine }) => engine)
    .sort((a, b) => a.name.localeCompare(b.name) || a.pid - b.pid);
}

export interface Registration {
  /** Removes the note. Idempotent. */
  end(): void;
}

/**
 * Notes an engine of this process, and keeps the note in place. Notes of dead engines are removed. Never throws: an engine
 * that cannot note itself says so once, and runs; commands then need its configuration.
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
  // Where we may not, the mode is somebody else's choice.
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
    if (entry && !isLiving(entry)) removeFile(join(directory, name));
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

/** Undefined for what no engine of root's or of our own has written. */
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

/** The same process still runs. */
function isLiving({ pid, startTicks }: Entry): boolean {
  const ticks = startTicksOf(pid);
  if (ticks !== undefined) return ticks === startTicks;
  // /proc may hide the processes of others (hidepid); a signal that may not be sent tells that there is one.
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Fields 3 and 22 of /proc/PID/stat, counted behind the name, which may hold anything. A zombie has no ticks of any entry.
 * proc_pid_stat(5)
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
  try {
    return readlinkSync(`/proc/${process}/ns/net`);
  } catch {
    return undefined;
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone, or not ours to remove.
  }
}

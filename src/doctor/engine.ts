/** The engine, its state directory, and conntrack. */

import { dirname } from 'node:path';
import { type Holder, stateFilePath } from '../engine';
import { DEFAULT_INSTANCE, describeQueues, quoted } from '../steering/iptables';
import { Splitter } from '../splitter/splitter';
import { type OnEngineDown } from '../splitter/topology';
import { type Configuration } from '../configuration/configuration';
import { type Check, type Fault } from './check';
import { acsplit, edit, restart, restartInOrder, sysctl } from './command-line';
import { type EngineAnswer, type Entry, type Hidden, type Host, type Room, visible } from './host';
import { controlHolder } from './sockets';

const UNIT_DIRECTORIES = ['/etc/systemd/system', '/usr/lib/systemd/system'];

/** The engine's systemd unit: `acsplit`, or `acsplit@NAME` for an instance by another name. Undefined if not installed. */
export function unitOf(host: Host, { name }: Pick<Configuration, 'name'>): string | undefined {
  const isDefault = name === DEFAULT_INSTANCE;
  const file = isDefault ? 'acsplit.service' : 'acsplit@.service';
  const isInstalled = UNIT_DIRECTORIES.some((directory) => visible(host.entry(`${directory}/${file}`)) !== undefined);
  if (!isInstalled) return undefined;
  return isDefault ? 'acsplit' : `acsplit@${name}`;
}

/** Whether a signal (SIGSTOP) has stopped a process. proc_pid_status(5) */
function isStopped(host: Host, pid: number): boolean {
  return /^State:\s*T/m.test(host.read(`/proc/${pid}/status`) ?? '');
}

interface EngineFacts {
  answer: EngineAnswer;
  unit: string | undefined;
  /** The process that holds the control socket without answering properly; `restart` kills it and starts it again. */
  silent: { holder: Holder; restart: string; isStopped: boolean } | undefined;
  /** The worker of an engine that answers, where a signal has stopped it. */
  stoppedWorker: number | undefined;
  /** Restarts an engine that answers. */
  restart: string;
}

async function lookAtEngine(host: Host, wanted: Configuration): Promise<EngineFacts> {
  const answer = await host.askEngine(wanted.stateDirectory);
  const unit = unitOf(host, wanted);
  const start = startOf(unit, wanted);
  const holder = 'complaint' in answer ? controlHolder(host, wanted.stateDirectory) : undefined;
  const silent = holder && {
    ...{ holder, isStopped: isStopped(host, holder.pid) },
    restart: restart(holder.pid, host, start),
  };
  const restartIt = 'status' in answer ? restartInOrder(answer.status.pid, host, start) : start;
  const workers = 'status' in answer ? answer.status.workers : [];
  const stoppedWorker = workers.map(({ pid }) => pid).find((pid) => pid > 0 && isStopped(host, pid));
  return { answer, unit, silent, stoppedWorker, restart: restartIt };
}

/** The command that starts it. */
export function startOf(unit: string | undefined, wanted: Configuration): string {
  return unit === undefined ? acsplit('run', wanted) : `systemctl start ${unit}`;
}

export const engine: Check<EngineFacts> = {
  name: 'engine',
  needs: ['queue-owner', 'state-directory'],
  look: lookAtEngine,
  judge: ({ answer, unit, silent, stoppedWorker, restart: restartIt }, wanted) => {
    if ('isAbsent' in answer) {
      const isHeld = wanted.onEngineDown === 'hold';
      const effect = isHeld ? 'steered packets are dropped' : 'new sessions all go to the ITMS, running ones stall';
      return [{ level: 'failure', says: `no engine runs: ${effect}`, mend: startOf(unit, wanted) }];
    }
    if ('complaint' in answer && silent?.isStopped) {
      const { pid, name } = silent.holder;
      const says = `the engine's supervisor, process ${pid} (${name}), was stopped by a signal: it answers nobody`;
      return [{ level: 'failure', says, mend: `kill -CONT ${pid}` }];
    }
    if ('complaint' in answer && silent) {
      const says = `${answer.complaint}: it is process ${silent.holder.pid} (${silent.holder.name})`;
      return [{ level: 'failure', says, mend: silent.restart }];
    }
    if ('complaint' in answer) {
      const remedy =
        unit === undefined ? { mend: null, see: acsplit('status', wanted) } : { mend: `systemctl restart ${unit}` };
      return [{ level: 'failure', says: answer.complaint, ...remedy }];
    }
    const faults: Fault[] = [];
    const { status } = answer;
    const [{ number: first }] = status.queues;
    if (first !== wanted.queue.first) {
      const [has, asked] = [first, wanted.queue.first].map(describeQueues);
      const says = `the engine was started with ${has}, the configuration has ${asked}: no packet reaches the engine`;
      return [{ level: 'failure', says, mend: restartIt }];
    }
    if (stoppedWorker !== undefined) {
      const says = `the engine's worker, process ${stoppedWorker}, was stopped by a signal: no verdicts`;
      return [{ level: 'failure', says, mend: `kill -CONT ${stoppedWorker}` }];
    }
    if (!status.ready) {
      const see = acsplit('status', wanted);
      faults.push({ level: 'warning', says: 'the engine is not ready yet', mend: null, see });
    }
    if (status.paused) {
      const says = 'the engine is paused: every session goes to the ITMS';
      faults.push({ level: 'warning', says, mend: acsplit('resume', wanted) });
    }
    return faults;
  },
  fine: ({ answer }) => ('status' in answer ? `version ${answer.status.version} answers, verdicts flow` : ''),
};

interface Directory {
  entry: Entry | Hidden | undefined;
  /** The nearest parent directory that exists and that we may look at. */
  above: string;
  aboveEntry: Entry | undefined;
  /** Space that the state file already takes counts as free. */
  room: Room;
  /** Mount point of the file system if it is a tmpfs, which a remount can enlarge. */
  tmpfs: string | undefined;
}

function lookAtDirectory(host: Host, { stateDirectory }: Configuration): Directory {
  const entry = host.entry(stateDirectory);
  let above = dirname(stateDirectory);
  while (above !== '/' && visible(host.entry(above)) === undefined) above = dirname(above);
  const existing = visible(entry) ? stateDirectory : above;
  const room = host.room(existing);
  const held = visible(host.entry(stateFilePath(stateDirectory)))?.bytes ?? 0;
  return {
    entry,
    above,
    aboveEntry: visible(host.entry(above)),
    room: { ...room, freeBytes: room.freeBytes + held },
    tmpfs: tmpfsUnder(existing, host.read('/proc/self/mounts') ?? ''),
  };
}

/** Mount point of the tmpfs that holds a path; `undefined` for any other file system. */
function tmpfsUnder(path: string, mounts: string): string | undefined {
  const holding = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, at]) => at !== undefined && (path === at || path.startsWith(at === '/' ? '/' : `${at}/`)));
  const nearest = holding.reduce((best, fields) => (fields[1].length >= best[1].length ? fields : best), ['', '', '']);
  return nearest[2] === 'tmpfs' ? nearest[1] : undefined;
}

/** The tables, and space for the small files next to them. */
function wantedBytes({ capacityEntries, topology }: Configuration): number {
  return Splitter.bufferBytes(capacityEntries, topology) + 2 ** 20;
}

export const stateDirectory: Check<Directory> = {
  name: 'state-directory',
  // Without rights the directory need not be writable.
  needs: ['rights'],
  look: lookAtDirectory,
  judge: ({ entry, above, aboveEntry, room, tmpfs }, wanted) => {
    const path = wanted.stateDirectory;
    const make = `install -d -m 0711 ${quoted(path)}`;
    if (!entry) {
      if (aboveEntry?.isDirectory && aboveEntry.isWritable) return roomFaults(room, tmpfs, wanted);
      return [
        { level: 'failure', says: `cannot create ${path}: ${above} is not a writable directory`, mend: edit(wanted) },
      ];
    }
    if ('isHidden' in entry) {
      const says = `cannot look at ${path}: ${above} is not accessible to this user`;
      return [{ level: 'failure', says, mend: `sudo ${acsplit('doctor', wanted)}` }];
    }
    if (!entry.isDirectory) {
      return [{ level: 'failure', says: `${path} is not a directory`, mend: `rm ${quoted(path)} && ${make}` }];
    }
    if (!entry.isWritable) {
      return [{ level: 'failure', says: `${path} is not writable; choose another stateDirectory`, mend: edit(wanted) }];
    }
    if ((entry.mode & 0o002) !== 0) {
      const says = `${path} is world-writable (mode ${entry.mode.toString(8)}): any user could take over the control socket`;
      return [{ level: 'failure', says, mend: `chmod 0711 ${quoted(path)}` }];
    }
    return roomFaults(room, tmpfs, wanted);
  },
  fine: ({ entry, room }, wanted) => {
    const there = entry ? `${wanted.stateDirectory} exists` : `${wanted.stateDirectory} can be created`;
    return `${there}, with ${inMebibytes(room.freeBytes)} free`;
  },
};

function roomFaults({ totalBytes, freeBytes }: Room, tmpfs: string | undefined, wanted: Configuration): Fault[] {
  const needed = wantedBytes(wanted);
  if (freeBytes >= needed) return [];
  const says = `${wanted.stateDirectory} has ${inMebibytes(freeBytes)} free, but tables of ${wanted.capacityEntries} entries need ${inMebibytes(needed)}`;
  const enough = Math.ceil((totalBytes + needed) / 2 ** 20);
  const mend = tmpfs === undefined ? edit(wanted) : `mount -o remount,size=${enough}m ${quoted(tmpfs)}`;
  return [{ level: 'failure', says, mend }];
}

function inMebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}

/** Above this share, the next burst may fill the table; a full table drops new connections. */
const NEARLY_FULL = 0.8;

export const conntrack: Check<{ count: number; limit: number }> = {
  name: 'conntrack',
  look: (host) => {
    const number = (name: string) => Number(host.read(`/proc/sys/net/netfilter/${name}`) ?? NaN);
    return { count: number('nf_conntrack_count'), limit: number('nf_conntrack_max') };
  },
  judge: ({ count, limit }, { onEngineDown }) => {
    if (!(count >= limit * NEARLY_FULL)) return [];
    const says = `${count} of at most ${limit} connections are tracked: when it is full, new ones are dropped (${ours(onEngineDown)})`;
    return [{ level: 'warning', says, mend: sysctl('net.netfilter.nf_conntrack_max', Math.max(2 * limit, 65_536)) }];
  },
  fine: ({ count, limit }, { onEngineDown }) =>
    Number.isNaN(count)
      ? 'is not loaded, and need not be'
      : `${count} of at most ${limit} connections are tracked; ${ours(onEngineDown)}`,
};

function ours(onEngineDown: OnEngineDown): string {
  return onEngineDown === 'hold' ? 'ours are not' : 'ours are not while an engine runs';
}

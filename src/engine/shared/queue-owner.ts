/**
 * Explains why a queue could not be bound. The kernel answers EPERM both to a process without rights and to one that
 * comes second, and EINVAL when it lacks the feature. /proc tells the cases apart.
 *
 * /proc/net/netfilter/nfnetlink_queue: queue, port id of its socket, … (net/netfilter/nfnetlink_queue.c, seq_show)
 * /proc/net/netlink: sk, protocol, port id, …, inode (net/netlink/af_netlink.c, netlink_seq_show)
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { listEngines } from './registry';

export interface QueueFailure {
  code: string;
  queue?: number;
  message: string;
}

const NETLINK_NETFILTER = 12;
/** Bit of CapEff in /proc/self/status; linux/capability.h. */
const CAP_NET_ADMIN = 12n;
/** Finding an owner means reading every process's descriptors; with more processes than this we report the port id. */
const MAX_PROCESSES = 32768;

/** A one-line explanation of a failed `openQueues`. `proc` is where /proc is mounted. */
export function explainOpenError(failure: QueueFailure, options: { gso: boolean }, proc = '/proc'): string {
  const subject = failure.queue === undefined ? 'cannot open a queue socket' : `cannot bind queue ${failure.queue}`;
  return `${subject}: ${explainCause(failure, options, proc)} (${failure.code})`;
}

function explainCause(failure: QueueFailure, options: { gso: boolean }, proc: string): string {
  const knowsQueues = fs.existsSync(path.join(proc, 'net/netfilter/nfnetlink_queue'));
  const owner = failure.queue === undefined ? undefined : findQueuePort(failure.queue, proc);
  if (failure.code === 'EPERM' || failure.code === 'EBUSY') {
    if (!hasNetAdmin(proc)) return 'CAP_NET_ADMIN is missing; run as root or grant the capability';
    if (owner !== undefined) return explainOwner(owner, proc);
    return 'refused although the process has CAP_NET_ADMIN; it may not hold over this network namespace';
  }
  if (!knowsQueues) return 'this kernel has no nfnetlink_queue; load it with modprobe nfnetlink_queue';
  if (failure.code === 'EOPNOTSUPP' && options.gso) return 'this kernel knows no super-packets; set queue.gso to false';
  return failure.message;
}

/** Another instance's engine is never offered for killing: it serves CPEs of its own. */
function explainOwner(port: number, proc: string): string {
  const holder = findQueueHolder(port, proc);
  const engine = holder && listEngines().find(({ pid }) => pid === holder.pid);
  const has = `${describeOwner(port, proc)} has it`;
  if (!engine) return `${has}; stop that process or choose other numbers`;
  return `${has}: the engine of instance "${engine.name}" (${engine.file}); choose another queue.first`;
}

/** The netlink port id that owns the queue; undefined when it is free or not visible to us. */
export function findQueuePort(queue: number, proc = '/proc'): number | undefined {
  const row = rowsOf(path.join(proc, 'net/netfilter/nfnetlink_queue')).find((fields) => Number(fields[0]) === queue);
  return row === undefined ? undefined : Number(row[1]);
}

/** A process that holds a socket; `name` is empty when it has ended meanwhile. */
export interface Holder {
  pid: number;
  name: string;
}

/** `process 123 (suricata)`, or the port id when no visible process holds the socket. */
export function describeOwner(port: number, proc = '/proc'): string {
  const holder = findQueueHolder(port, proc);
  if (holder === undefined) return `another process (netlink port ${port})`;
  const { pid, name } = holder;
  if (String(pid) === safeReadlink(path.join(proc, 'self'))) return `this process (${pid}) already`;
  return name === '' ? `process ${pid}` : `process ${pid} (${name})`;
}

/** The process behind a netlink port id; undefined when it is not visible to us. */
export function findQueueHolder(port: number, proc = '/proc'): Holder | undefined {
  const row = rowsOf(path.join(proc, 'net/netlink')).find(
    (fields) => Number(fields[1]) === NETLINK_NETFILTER && Number(fields[2]) === port,
  );
  const inode = row?.at(-1);
  return inode === undefined ? undefined : findSocketHolder(inode, proc);
}

/** The process that has the socket with this inode open. */
export function findSocketHolder(inode: string, proc = '/proc'): Holder | undefined {
  const processes = listDirectory(proc).filter((name) => /^\d+$/.test(name));
  for (const pid of processes.slice(0, MAX_PROCESSES)) {
    const descriptors = path.join(proc, pid, 'fd');
    for (const fd of listDirectory(descriptors)) {
      if (safeReadlink(path.join(descriptors, fd)) !== `socket:[${inode}]`) continue;
      return { pid: Number(pid), name: nameOf(path.join(proc, pid)) };
    }
  }
  return undefined;
}

/** From Node 23 on, a Node process names its first thread MainThread, so its program says more. */
function nameOf(directory: string): string {
  const name = readText(path.join(directory, 'comm')).trim();
  return name === 'MainThread' ? path.basename(readText(path.join(directory, 'cmdline')).split('\0')[0]) : name;
}

function hasNetAdmin(proc: string): boolean {
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText(path.join(proc, 'self/status')));
  return match === null || ((BigInt(`0x${match[1]}`) >> CAP_NET_ADMIN) & 1n) === 1n;
}

function rowsOf(file: string): string[][] {
  return readText(file)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/));
}

// /proc changes while we read it and hides other users' processes: treat what cannot be read as absent.
function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function listDirectory(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}

function safeReadlink(file: string): string | undefined {
  try {
    return fs.readlinkSync(file);
  } catch {
    return undefined;
  }
}

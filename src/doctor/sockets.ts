/** Other processes that take our packets: one that holds our queues, or a listener that takes the CPEs' answers. */

import { parseAddress } from '../packet/address';
import { SIDES } from '../packet/batch';
import { controlSocketPath, type Holder } from '../engine';
import { type Configuration } from '../configuration/configuration';
import { type Check, type Fault } from './check';
import { edit, stop } from './command-line';
import { type EngineAnswer, type Host } from './host';
import { placesOf } from './places';

interface Owner {
  queue: number;
  holder: Holder | { isHidden: true } | undefined;
  isOurs: boolean;
  mend: string | undefined;
}

async function lookAtOwners(host: Host, { queue, stateDirectory }: Configuration): Promise<Owner[]> {
  const answer = await host.askEngine(stateDirectory);
  const ours = enginePids(host, answer, stateDirectory);
  return SIDES.map((_, i): Owner => {
    const holder = host.queueHolder(queue.first + i);
    if (holder === undefined || 'isHidden' in holder)
      return { queue: queue.first + i, holder, isOurs: false, mend: undefined };
    return { queue: queue.first + i, holder, isOurs: ours(holder.pid), mend: stop(holder.pid, host) };
  });
}

/** Whether a process is the engine's worker or its supervisor: either may be found first as the owner of the socket. */
function enginePids(host: Host, answer: EngineAnswer, stateDirectory: string): (pid: number) => boolean {
  const parentOf = (pid: number) => Number(/^PPid:\s*(\d+)$/m.exec(host.read(`/proc/${pid}/status`) ?? '')?.[1]);
  if ('status' in answer) {
    const workers = answer.status.workers.map(({ pid }) => pid);
    const known = new Set([...workers, ...workers.map(parentOf)].filter((pid) => pid > 1));
    return (pid) => known.has(pid);
  }
  const silent = controlHolder(host, stateDirectory)?.pid;
  return (pid) => silent !== undefined && (pid === silent || parentOf(pid) === silent);
}

/** A listening socket in /proc/net/unix: flags with __SO_ACCEPTCON, type, state, inode, path. net/unix/af_unix.c */
const LISTENING_UNIX = /^\w+: \w+ \w+ 00010000 \w+ \w+ +(\d+) (.+)$/gm;

/** The process that listens at our control socket, even if it does not answer. */
export function controlHolder(host: Host, stateDirectory: string): Holder | undefined {
  const path = controlSocketPath(stateDirectory);
  const sockets = [...(host.read('/proc/net/unix') ?? '').matchAll(LISTENING_UNIX)];
  const inode = sockets.find((socket) => socket[2] === path)?.[1];
  return inode === undefined ? undefined : host.socketHolder(inode);
}

export const queueOwner: Check<Owner[]> = {
  name: 'queue-owner',
  needs: ['rights'],
  look: lookAtOwners,
  judge: (owners, wanted) => {
    const foreign = owners.filter(({ holder, isOurs }) => holder !== undefined && !isOurs);
    const faults = foreign.map(({ queue, holder, mend }): Fault => {
      const hidden = holder === undefined || 'isHidden' in holder;
      const who = hidden ? 'a process that cannot be seen from here' : `process ${holder.pid} (${holder.name})`;
      const says = `queue ${queue} is held by ${who}, not by our engine`;
      if (mend !== undefined) return { level: 'failure', says, mend };
      return { level: 'failure', says: `${says}; choose another queue.first`, mend: edit(wanted) };
    });
    return faults.filter(({ mend }, i) => faults.findIndex((fault) => fault.mend === mend) === i);
  },
  fine: (owners) => {
    const numbers = owners.map(({ queue }) => queue).join(', ');
    return owners.some(({ isOurs }) => isOurs) ? `queues ${numbers} are our engine's` : `queues ${numbers} are free`;
  },
};

interface Listener {
  address: string;
  port: number;
  holder: Holder | undefined;
  mend: string | undefined;
}

/**
 * Source ports of servers' Connection Requests, so ports to which CPEs answer: the ephemeral ranges of Linux, Windows and
 * RFC 6335.
 */
const EPHEMERAL = { first: 32_768, last: 65_535 };
/** State LISTEN in /proc/net/tcp. include/net/tcp_states.h */
const LISTENING = '0A';
const ANY_ADDRESS = /^0+$/;

/** /proc/net/tcp and tcp6, one line a socket: sl, local address:port in hex, remote, state, …, inode the tenth. */
export function parseListeners(text: string): { address: string; port: number; inode: string }[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTENING)
    .map((fields) => {
      const [address, port] = fields[1].split(':');
      return { address, port: parseInt(port, 16), inode: fields[9] };
    });
}

function lookAtListeners(host: Host, { topology }: Configuration): Listener[] {
  const acs = placesOf(topology).map((places) => places.acs);
  const mapped = acs.filter((address) => !address.includes(':')).map((address) => `::ffff:${address}`);
  const own = new Set([...acs, ...mapped].map(inProcWords));
  const texts = ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => host.read(file) ?? '');
  return texts
    .flatMap(parseListeners)
    .filter(({ address }) => ANY_ADDRESS.test(address) || own.has(address))
    .filter(({ port }) => isOfConcern(port, topology))
    .map(({ address, port, inode }) => {
      const holder = host.socketHolder(inode);
      const mend = holder && stop(holder.pid, host);
      return { address: ANY_ADDRESS.test(address) ? 'any address' : 'the ACS address', port, holder, mend };
    });
}

function isOfConcern(port: number, { reportPorts, itmsPorts }: Configuration['topology']): boolean {
  return [...reportPorts, ...itmsPorts].includes(port) || (port >= EPHEMERAL.first && port <= EPHEMERAL.last);
}

/** An address as /proc prints it: words in little-endian host order, in hex. */
function inProcWords(text: string): string {
  const words = [...parseAddress(text)!].map((word) => {
    const octets = [word, word >>> 8, word >>> 16, word >>> 24].map((octet) =>
      (octet & 0xff).toString(16).padStart(2, '0'),
    );
    return octets.join('').toUpperCase();
  });
  return words.join('');
}

export const listeners: Check<Listener[]> = {
  name: 'listeners',
  look: lookAtListeners,
  judge: (found, { topology }) =>
    found.map(({ address, port, holder, mend }): Fault => {
      const who = holder ? `${holder.name} (process ${holder.pid})` : 'a process that cannot be seen from here';
      const isSteered = [...topology.reportPorts, ...topology.itmsPorts].includes(port);
      const effect = isSteered
        ? 'CPEs cannot reach it there'
        : 'it takes the answers of CPEs to Connection Requests that a server opens from that port';
      const says = `${who} listens on ${address}, port ${port}: ${effect}; move it to another address or port, or stop it`;
      return {
        level: 'warning',
        says,
        ...(mend === undefined ? { mend: null, see: `ss -Hltnp sport = :${port}` } : { mend }),
      };
    }),
  fine: () => `no listener on the ACS address at steered ports or at ports from ${EPHEMERAL.first} up`,
};

/** The servers, asked as CPEs would: do they take a connection, and do their answers come back through this router? */

import { type Check, type Fault } from './check';
import { acsplit } from './command-line';
import { hasWrongMac, isAlive, isDead, type Reach, reachOf, type ServerReach } from './reach';
import { placesOf } from './places';
import { type Configuration } from '../configuration/configuration';

export const servers: Check<Reach> = {
  name: 'servers',
  needs: ['rights', 'addon', 'routes', 'firewalls'],
  look: reachOf,
  judge: ({ servers: all, hops }, wanted) => {
    const isBehindDead = (server: ServerReach) =>
      hops.some(
        (hop) =>
          (isDead(hop) || hasWrongMac(hop)) &&
          hop.device === server.device &&
          hop.address === (server.gateway ?? server.address),
      );
    const asked = all.filter((server) => !isBehindDead(server));
    if (asked.length > 1 && !asked.some(isAlive)) return [mute(wanted)];
    return asked.flatMap((server) => {
      const faults = [...deaf(server), ...noWayBack(server, wanted)];
      // Its CPEs go to the ITMS.
      const isCovered = server.what !== 'the ITMS' && wanted.onCollectorDown === 'itms';
      return isCovered ? faults.map((fault): Fault => ({ ...fault, level: 'warning' })) : faults;
    });
  },
  fine: ({ servers: all }) => {
    const proven = all.filter(({ isAnsweringAcs }) => isAnsweringAcs === true).length;
    return `${all.length} servers answer on their report ports; ${proven} of them also answer the ACS address through this router`;
  },
};

/** A CPE waits longer, but is not served well. */
const SLOW_MS = 1000;
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
const slow = (says: string): Fault => ({ level: 'warning', says, mend: null });

function deaf(server: ServerReach): Fault[] {
  const { what, address, ports } = server;
  const at = `${what} (${address})`;
  return ports.flatMap(({ port, outcome, connectMs, answerMs }): Fault[] => {
    switch (outcome) {
      case 'connected':
        if (connectMs >= SLOW_MS) {
          return [slow(`${at} took ${seconds(connectMs)} to accept a connection to port ${port}: it loses SYNs`)];
        }
        return answerMs < SLOW_MS
          ? []
          : [slow(`${at} took ${seconds(answerMs)} to answer on port ${port}: an overload`)];
      case 'ECONNREFUSED':
        return [failure(`${at} refuses connections to port ${port}: nothing listens there; start it on the server`)];
      case 'mute':
        return [
          failure(`${at} accepts connections to port ${port} and then says nothing: its program hangs; restart it`),
        ];
      case 'reset':
        return [failure(`${at} accepts connections to port ${port} and resets them: see its log`)];
      case 'silent': {
        const isUp = isAlive(server);
        const silent = isUp
          ? `does not answer on port ${port}, though it is up: its firewall, or an overload`
          : `does not answer, neither port ${port} nor ping: it is down, or lost on the way`;
        return [failure(`${at} ${silent}`)];
      }
      default:
        return [failure(`${at}, port ${port} cannot be reached (${outcome}): look at the routers on the way`)];
    }
  });
}

/** The next hops answer, and nothing behind any of them: more likely it is us. */
function mute(wanted: Configuration): Fault {
  const says =
    'no server answers connections or pings of this host itself, though their next hops do: perhaps its own firewall drops them';
  return { level: 'warning', says, mend: null, see: acsplit('status', wanted) };
}

function failure(says: string): Fault {
  return { level: 'failure', says, mend: null };
}

/** From our own address it answers, from the ACS address it does not: it sends what is for the CPEs elsewhere. */
function noWayBack(
  { what, address, family, isAnswering, isAnsweringAcs, gateway }: ServerReach,
  wanted: Configuration,
): Fault[] {
  if (!isAnswering || isAnsweringAcs !== false) return [];
  const { networks = [] } = placesOf(wanted.topology).find((places) => places.family === family) ?? {};
  const where = gateway === undefined ? 'there' : `there and on ${gateway}`;
  const says = `${what} (${address}) answers this host, but its answers to the ACS address do not come back: ${where}, route ${networks.join(', ')} through this router`;
  return [failure(says)];
}

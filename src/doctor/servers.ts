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
    return `${all.length} servers take connections on their ports; ${proven} of them also answer the ACS address through this router`;
  },
};

function deaf(server: ServerReach): Fault[] {
  const { what, address, ports } = server;
  return ports
    .filter(({ outcome }) => outcome !== 'connected')
    .map(({ port, outcome }): Fault => {
      const at = `${what} (${address})`;
      if (outcome === 'ECONNREFUSED') {
        return failure(`${at} refuses connections to port ${port}: nothing listens there; start it on the server`);
      }
      if (outcome !== 'silent')
        return failure(`${at}, port ${port} cannot be reached (${outcome}): look at the routers on the way`);
      if (!isAlive(server))
        return failure(`${at} does not answer, neither port ${port} nor ping: it is down, or lost on the way`);
      return failure(`${at} does not answer on port ${port}, though it is up: its firewall, or an overload`);
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

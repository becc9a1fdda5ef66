/** The cluster, as the running engine tells of it. */

import { type ClusterStatus } from '../engine';
import { type Check, type Fault } from './check';
import { acsplit } from './command-line';
import { type EngineAnswer } from './host';

/** Lives are in the store's clock; a step of it ends them early or late. */
const MOST_OFFSET_MS = 1000;
const PEER_MS = 5000;

export const cluster: Check<EngineAnswer> = {
  name: 'cluster',
  needs: ['engine'],
  look: (host, wanted) => host.askEngine(wanted.stateDirectory),
  judge: (answer, wanted) => {
    const status = joined(answer);
    if (status === undefined) return [];
    const see = acsplit('status', wanted);
    return faultsOf(status).map(([level, says]): Fault => ({ level, says, mend: null, see }));
  },
  fine: (answer) => {
    const status = joined(answer);
    if (status === undefined) return 'this engine belongs to none';
    const { group, name, peers, stores, lagMs } = status;
    const others = peers.map((peer) => peer.name).join(', ');
    return `${group}: ${name} hears ${others}, ${lagMs} ms behind, through ${stores.length} stores in memory`;
  },
};

/** By how a store's error begins: what to do about it. */
const REMEDIES: readonly [RegExp, string][] = [
  [/ECONNREFUSED|^ENOENT.*\bconnect|^connect ENOENT/, 'start redis-server there'],
  [/^no connection|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/, 'look at the link and the firewall between'],
  [/^no answer within/, 'its machine hangs, or the link is too slow'],
  [/^(WRONGPASS|NOAUTH)/, "compare user and passwordFile with the store's acsplit.acl"],
  [/^NOPERM/, 'its acsplit.acl is not the one of this version'],
  [/^OOM/, 'raise its maxmemory'],
  [/^READONLY/, 'it is a replica: REPLICAOF NO ONE'],
  [/certificate|altname|TLS/i, 'compare tls.ca, its certificate and its address'],
];

function faultsOf({ ready, peers, stores }: ClusterStatus): [Fault['level'], string][] {
  const found: [Fault['level'], string][] = [];
  if (!ready)
    found.push(['warning', 'this router has not read yet what the others know: keepalived must not choose it']);
  const working = stores.filter(({ state, error }) => state === 'up' && error === null).length;
  const loss =
    working > 0 ? `${working} of ${stores.length} still work` : 'none works: a switch resets diverted sessions';
  for (const { address, state, error, advice, offsetMs } of stores) {
    if (state !== 'up' || error !== null) {
      const what = error ?? 'its rows are being read';
      const remedy = REMEDIES.find(([pattern]) => pattern.test(what))?.[1];
      const says = `store ${address}: ${what}${remedy === undefined ? '' : `: ${remedy}`}; ${loss}`;
      found.push([working > 0 ? 'warning' : 'failure', says]);
      continue;
    }
    if (advice !== null) found.push(['warning', `store ${address}: ${advice}`]);
    if (Math.abs(offsetMs) > MOST_OFFSET_MS) {
      const seconds = (Math.abs(offsetMs) / 1000).toFixed(1);
      found.push([
        'warning',
        `the clock of store ${address} differs by ${seconds} s: a step of it ends lives early; synchronize it`,
      ]);
    }
  }
  return [...found, ...faultsOfPeers(peers)];
}

function faultsOfPeers(peers: ClusterStatus['peers']): [Fault['level'], string][] {
  const silent = peers.filter(({ seenMs }) => seenMs >= PEER_MS);
  if (silent.length === peers.length) {
    return [['warning', 'no other router is heard: after a switch it knows of no diverted session']];
  }
  return silent.map(({ name, seenMs }) => [
    'warning',
    `router ${name} has not been heard for ${(seenMs / 1000).toFixed()} s: does its engine run, and reach a store?`,
  ]);
}

/** Undefined without a cluster or engine, or from an engine of an earlier version. */
function joined(answer: EngineAnswer): ClusterStatus | undefined {
  if (!('status' in answer)) return undefined;
  const { cluster: told } = answer.status as Partial<typeof answer.status>;
  return told === undefined || told.state === 'off' ? undefined : told;
}

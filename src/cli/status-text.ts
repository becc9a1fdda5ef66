/** A status as text for people: a headline, then tables, packets by reason, queues, and other losses. */

import { type Status } from '../engine';
import { formatColumns } from './columns';

export function formatStatus(status: Status): string {
  const parts = [headline, servers, collectors, tables, packets, fastPath, queues, losses];
  const last = [historyLine, clusterLine, fallbackLine, rulesLine, configurationLine];
  const said = [...parts, ...last].map((part) => part(status));
  return said.filter((part) => part !== '').join('\n');
}

function headline(status: Status): string {
  const state = status.ready ? (status.paused ? 'paused' : 'ready') : 'starting';
  const workers = status.workers.map(({ pid, restarts }) => `worker ${pid}, ${restarts} restarts`).join('; ');
  return `acsplit ${status.version}: ${state}${troubleText(status)}, activation ${status.activation}, up ${formatDuration(status.uptimeMs)}, pid ${status.pid}, ${workers}\n`;
}

/** Servers that are not up, as a continuation of the state: `, but itms is down`. */
export function troubleText(status: Status): string {
  const said = (['down', 'degraded'] as const).flatMap((state) => {
    const names = Object.entries(serversOf(status)).filter(([, one]) => one.state === state);
    return names.map(([name]) => `${name} is ${state}`);
  });
  return said.length === 0 ? '' : `, but ${said.join(', ')}`;
}

/** An older engine has none. */
export function serversOf({ servers }: { servers?: Status['servers'] }): Status['servers'] {
  return servers ?? {};
}

function servers(status: Status): string {
  const all = Object.entries(serversOf(status));
  if (all.length === 0) return '';
  const rows = all.map(([name, one]) => [
    name,
    one.state,
    formatDuration(one.sinceMs),
    ...[one.opened, one.answered, one.refused, one.unanswered, one.slow, one.resets],
    one.answerMs === null ? '-' : `${one.answerMs} ms`,
  ]);
  const heads = ['STATE', 'SINCE', 'OPENED', 'ANSWERED', 'REFUSED', 'UNANSWERED', 'SLOW', 'RESETS', 'ANSWERS IN'];
  const reasons = all
    .filter(([, { why }]) => why !== null)
    .map(([name, { state, why }]) => `${name} is ${state}: ${why}\n`);
  return formatColumns(['SERVER', ...heads], rows) + reasons.join('');
}

function collectors(status: Status): string {
  const all = Object.entries(serversOf(status)).filter(([name]) => name !== 'itms');
  const rows = all.map(([name, one]) => [name, one.armed, one.opened, one.finished, one.unfinished, one.loginsRefused]);
  const heads = ['COLLECTOR', 'ARMED', 'DIVERTED', 'FINISHED', 'UNFINISHED', 'LOGINS REFUSED'];
  return rows.length === 0 ? '' : formatColumns(heads, rows);
}

/** `3d 4h`, `4h 5m`, `5m 6s`, `6s`: at most two units. */
export function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const units: [string, number][] = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor(seconds / 3600) % 24],
    ['m', Math.floor(seconds / 60) % 60],
    ['s', seconds % 60],
  ];
  const first = units.findIndex(([, count]) => count > 0);
  if (first < 0) return '0s';
  return units
    .slice(first, first + 2)
    .map(([unit, count]) => `${count}${unit}`)
    .join(' ');
}

function tables(status: Status): string {
  const rows = Object.entries(status.tables).map(([name, table]) => [name, table.count, table.capacity, table.full]);
  return formatColumns(['TABLE', 'ENTRIES', 'CAPACITY', 'FULL'], rows);
}

function packets({ packets }: Status): string {
  const sum = `packets: ${packets.received} received, ${packets.accepted} accepted (${packets.rewritten} rewritten), ${packets.dropped} dropped\n`;
  const reasons = Object.entries(packets.byReason).sort((a, b) => b[1] - a[1]);
  return reasons.length === 0 ? sum : sum + formatColumns(['REASON', 'PACKETS'], reasons);
}

/** Packets that the kernel carried past the queues. */
export function carriedPackets(status: Status): number {
  const { packets } = fastPathOf(status);
  const carried = Object.entries(packets).filter(([outcome]) => outcome.startsWith('carried-'));
  return carried.reduce((sum, [, count]) => sum + (count ?? 0), 0);
}

export type CarriedSide = 'cpe' | 'itms' | 'collector';

/** The same by the side that sent them. */
export function carriedFrom(status: Status): Record<CarriedSide, number> {
  const of = (outcome: string) => fastPathOf(status).packets[`carried-${outcome}`] ?? 0;
  const cpe = of('to-itms') + of('to-collector');
  return { cpe, itms: of('from-itms'), collector: of('from-collector') };
}

/** An older engine has none. */
export function fastPathOf({ fastPath }: { fastPath?: Status['fastPath'] }): Status['fastPath'] {
  return (
    fastPath ?? { mode: 'off', loaded: false, carries: false, interfaces: [], reason: null, flows: 0, packets: {} }
  );
}

/** One line; none where it is off. */
function fastPath(status: Status): string {
  const { mode, carries, interfaces, reason, flows } = fastPathOf(status);
  if (mode === 'off') return '';
  const carried = `${carriedPackets(status)} packets carried by the kernel`;
  return carries
    ? `fast path: ${carried}, ${flows ?? 0} diverted connections now, on ${interfaces.join(', ')}${reason === null ? '' : `; not everywhere: ${reason}`}\n`
    : `fast path: ${carried}; not now: ${reason}\n`;
}

function queues(status: Status): string {
  const unknown = (count: number | null) => count ?? '?';
  const rows = status.queues.map((queue) => [
    `${queue.side} (${queue.number})`,
    unknown(queue.waiting),
    unknown(queue.queueDropped),
    unknown(queue.userDropped),
    queue.lost,
  ]);
  return formatColumns(['QUEUE', 'WAITING', 'QUEUE FULL', 'BUFFER FULL', 'LOST'], rows);
}

function losses(status: Status): string {
  const said = otherLosses(status).map(([packets, cause]) => `${packets} ${cause}`);
  return said.length === 0 ? '' : `also lost: ${said.join(', ')}\n`;
}

/** One line; none where no history is kept. */
export function historyLine({ history: kept }: Status): string {
  if (kept.state === 'off') return '';
  const { sessions, open, events, bytes, lost } = kept;
  const state = kept.state === 'failing' ? ' CANNOT BE WRITTEN, see the log:' : '';
  const missing = [
    [lost.connections, 'connections'],
    [lost.sessions, 'sessions'],
    [lost.events, 'events'],
  ].filter(([count]) => count !== 0);
  const lacks = missing.length === 0 ? 'nothing lost' : `lost: ${missing.map((words) => words.join(' ')).join(', ')}`;
  return `history:${state} ${sessions} sessions, ${open} open, ${events} events, ${(bytes / 2 ** 20).toFixed(1)} MiB, ${lacks}\n`;
}

/** One line; none for an engine that belongs to no cluster. An older engine does not tell. */
export function clusterLine({ cluster }: Partial<Pick<Status, 'cluster'>>): string {
  if (!cluster || cluster.state === 'off') return '';
  const { group, name, state, peers, lagMs, stores, rows } = cluster;
  const others = peers.map((peer) => (peer.seenMs < 5000 ? peer.name : `${peer.name} NOT HEARD`));
  const down = stores.filter((store) => store.state !== 'up' || store.error !== null);
  const trouble = down.map(({ address, error }) => `; store ${address}: ${error ?? 'loading'}`).join('');
  return `cluster: ${group}, ${state} as ${name}, with ${others.join(', ') || 'nobody'}, lag ${lagMs} ms, ${rows} rows${trouble}\n`;
}

/** One line; none where verdicts always flowed. An older engine does not tell. */
export function fallbackLine({ fallback: fallen }: Partial<Pick<Status, 'fallback'>>): string {
  if (!fallen || (fallen.times === 0 && !fallen.active)) return '';
  const { active, times, totalMs, sessions } = fallen;
  const now = active ? ' NOW,' : '';
  return `fallback:${now} ${times} times, ${formatDuration(totalMs)} in all; the kernel sent ${sessions ?? 'unknown'} sessions to the ITMS\n`;
}

/** One line; none where the last check found nothing. An older engine does not tell. */
export function rulesLine({ rules }: Partial<Pick<Status, 'rules'>>): string {
  if (!rules || rules.differences === 0) return '';
  const { differences, checkedMs } = rules;
  return `rules: ${differences} differences found ${formatDuration(checkedMs ?? 0)} ago: acsplit rules check\n`;
}

/** One line; none where the engine runs with what its file says. */
export function configurationLine({ configuration: kept }: Partial<Pick<Status, 'configuration'>>): string {
  if (!kept) return '';
  const { differs, error, refused } = kept;
  const words = [
    ...(refused ? ['the last reload was refused, see the log'] : []),
    ...(error === null ? [] : [`a restart would fail: ${error}`]),
    ...(differs.length === 0 ? [] : [`the file differs from what runs in ${differs.join(', ')}`]),
  ];
  return words.length === 0 ? '' : `configuration: ${words.join('; ')}\n`;
}

/** Lost packets that no queue's row counts, by cause. Usually none. */
export function otherLosses({ losses: { verdictsLate, unparsed, givenUp } }: Status): [number, string][] {
  const causes: [number, string][] = [
    [verdictsLate, 'flushed by the kernel'],
    [unparsed, 'unreadable'],
    [givenUp, 'that crashed two workers'],
  ];
  return causes.filter(([packets]) => packets > 0);
}

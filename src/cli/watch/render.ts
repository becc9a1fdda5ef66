/**
 * The screen of `status --watch`: a status and recent rates as lines that fit the terminal. Pure: the same arguments give
 * the same text. The most important lines come first, so a short terminal loses only rare reasons. A narrow terminal
 * drops the least important columns, but never LOST.
 */

import { type QueueStatus, type Status } from '../../engine';
import { TABLES } from '../../splitter/table-list';
import {
  configurationLine,
  fallbackLine,
  fastPathOf,
  formatDuration,
  clusterLine,
  historyLine,
  otherLosses,
  serversOf,
  troubleText,
} from '../status-text';
import { printable } from '../printable';
import { type Rates, type Seen } from './history';
import { gauge, sparkline } from './spark';
import { cut, type Paint } from './style';

export interface Screen {
  columns: number;
  rows: number;
  paint: Paint;
  isAscii: boolean;
  /** Between two statuses. */
  intervalMs: number;
  /** Local time, `22:37:04`. */
  clock: string;
  /** Replaces the state in the headline, e.g. when the engine has stopped answering. */
  notice?: string | undefined;
  /** Of servers and reasons; by rate if absent. */
  sort?: Sort | undefined;
  /** The keys instead of the figures. */
  hasHelp?: boolean | undefined;
}

export const SORTS = ['rate', 'total', 'name'] as const;
export type Sort = (typeof SORTS)[number];

const LABEL = 20;
const NUMBER = 9;
/** Narrower sparklines are not worth showing. */
const MIN_SPARK = 8;
/** Terminal widths from which each optional column is shown. */
const ROOM = {
  second: LABEL + 3 * NUMBER,
  third: LABEL + 4 * NUMBER,
  fourth: LABEL + 5 * NUMBER,
  bars: LABEL + 4 * NUMBER + 2 + MIN_SPARK,
};
/** Shares of a table's capacity from which it is shown in yellow and in red. */
const FULLISH = 0.7;
const NEARLY_FULL = 0.9;
const BAR = 20;
const NO_FILL = '0.0 %';

/** At most `rows` lines of at most `columns` cells. */
export function renderWatch(history: Seen, screen: Screen): string[] {
  const { now, rates } = history;
  if (!now) return [cut(screen.paint('yellow', screen.notice ?? 'waiting for the engine'), screen.columns)];
  const latest = rates.at(-1);
  const fit = (lines: string[]) => lines.slice(0, screen.rows).map((line) => cut(line, screen.columns).trimEnd());
  if (screen.hasHelp) return fit([headline(now.status, screen), '', ...HELP]);
  const lines = [
    headline(now.status, screen),
    '',
    ...sides(now.status, rates, screen),
    ...alsoLost(now.status, screen),
    ...servers(now.status, latest, screen),
    ...remarks(now.status, screen),
    '',
    ...tables(now.status, screen),
    '',
    ...reasons(now.status, latest, screen),
  ];
  return fit(lines);
}

const HELP = [
  'q   quit',
  'f   freeze the picture, or continue',
  's   sort servers and reasons by rate, total, name',
  '?   these keys, or back',
  '',
  'CARRIED: packets per second that the kernel carries without a decision.',
  'WAITING: packets without a verdict yet. LOST: packets that no verdict reached.',
  'FAILED: connections that the server refused or did not answer.',
];

function headline(status: Status, { paint, clock, columns, notice }: Screen): string {
  const restarts = status.workers.reduce((sum, worker) => sum + worker.restarts, 0);
  const state = `${!status.ready ? 'starting' : status.paused ? 'PAUSED' : 'ready'}${troubleText(status)}`;
  const summary = notice ?? `${state}, activation ${status.activation}, up ${formatDuration(status.uptimeMs)}`;
  const areServersUp = Object.values(serversOf(status)).every((one) => one.state === 'up');
  const isFine = areServersUp && notice === undefined && status.ready && !status.paused && status.activation !== 'off';
  const restartText = `${restarts} ${restarts === 1 ? 'restart' : 'restarts'}`;
  const name = `acsplit ${status.version}`;
  const left = `${name}  ${summary}`;
  const right = `${restartText}  ${clock}`;
  const gap = ' '.repeat(Math.max(2, columns - left.length - right.length));
  const painted = `${paint('bold', name)}  ${paint(isFine ? 'green' : 'yellow', summary)}`;
  return `${painted}${gap}${restarts > 0 ? paint('yellow', restartText) : restartText}  ${clock}`;
}

/** One line per side: packets per second now, at peak and over time, packets waiting and packets lost. */
function sides(status: Status, rates: readonly Rates[], screen: Screen): string[] {
  const { paint } = screen;
  const { columns } = screen;
  const numbers = fastPathOf(status).mode === 'off' ? 4 : 5;
  const width = Math.max(MIN_SPARK, columns - LABEL - numbers * NUMBER - 2);
  const seconds = Math.round((width * screen.intervalMs) / 1000);
  const isCarrying = fastPathOf(status).mode !== 'off';
  const line = (label: string, [rate, carried]: [string, string], peak: string, bars: string, ...last: string[]) =>
    [
      `${label.padEnd(LABEL)}${right(rate)}`,
      isCarrying && columns >= ROOM.third ? right(carried) : '',
      columns >= (isCarrying ? ROOM.fourth : ROOM.third) ? right(peak) : '',
      columns >= ROOM.bars + (isCarrying ? NUMBER : 0) ? `  ${bars}` : '',
      columns >= ROOM.second ? (last[0] ?? '') : '',
      last[1] ?? '',
    ].join('');
  const heads = line(
    'PACKETS',
    ['/S', 'CARRIED'],
    'PEAK',
    `LAST ${formatDuration(seconds * 1000)}`.padEnd(width),
    right('WAITING'),
    right('LOST'),
  );
  const row = (label: string, values: number[], carried = '', ...last: string[]) => {
    const peak = Math.max(0, ...values);
    const bars = paint('cyan', sparkline(values, width, screen.isAscii));
    return line(label, [rateText(values.at(-1)), carried], rateText(peak), bars, ...last);
  };
  const shown = status.queues.filter(({ side, received }) => side !== 'host' || received > 0);
  const lines = shown.map((queue) => {
    const index = status.queues.indexOf(queue);
    const { side } = queue;
    return row(
      SIDE_LABELS[side],
      values(rates, (one) => one.queues[index] ?? 0),
      side === 'host' ? '' : rateText(rates.at(-1)?.carried[side]),
      ...queueTexts(queue, paint),
    );
  });
  const dropped = row(
    'dropped',
    values(rates, (one) => one.dropped),
  );
  const diverted = row(
    'sessions diverted',
    values(rates, (one) => one.diverted),
  );
  return [paint('dim', heads), ...lines, diverted, dropped];
}

const SIDE_LABELS: Readonly<Record<QueueStatus['side'], string>> = {
  cpe: 'from CPEs',
  itms: 'from the ITMS',
  collector: 'from collectors',
  host: "host's ICMP errors",
};

function values(rates: readonly Rates[], of: (one: Rates) => number): number[] {
  return rates.map(of);
}

/** Packets waiting in the queue, and packets lost. */
function queueTexts({ waiting, queueDropped, userDropped, lost }: QueueStatus, paint: Paint): [string, string] {
  if (waiting === null) return [right('?'), right('?')];
  // A packet dropped for lack of buffer space already has an id, so `lost` counts it too; one dropped by a full queue has none.
  const gone = (queueDropped ?? 0) + Math.max(userDropped ?? 0, lost);
  return [right(countText(waiting)), gone > 0 ? paint('red', right(countText(gone))) : right('0')];
}

/** Losses that belong to no side, one line per cause so that no line is cut. */
function alsoLost(status: Status, { paint }: Screen): string[] {
  return otherLosses(status).map(([packets, cause]) => paint('red', `also lost: ${countText(packets)} ${cause}`));
}

/** The history, and what is not as it should be. */
function remarks(status: Status, { paint }: Screen): string[] {
  const line = (text: string, isFine: boolean) => {
    if (text === '') return [];
    const words = printable(text.trimEnd());
    return [isFine ? words : paint('red', words)];
  };
  const { state } = status.history;
  const isComplete = state !== 'failing' && historyLine(status).includes('nothing lost');
  return [
    ...line(fallbackLine(status), status.fallback?.active === false),
    ...line(configurationLine(status), false),
    ...line(historyLine(status), isComplete),
    ...line(clusterLine(status), status.cluster?.state === 'joined' && !clusterLine(status).includes('; store')),
  ];
}

/** The most of a screen that servers take. */
const MOST_SERVERS = 8;
const STATE_COLOURS = { up: 'green', degraded: 'yellow', down: 'red' } as const;
const BY_TROUBLE = ['down', 'degraded', 'up'];

/** A line for each server, those in trouble first unless sorted otherwise. */
function servers(status: Status, latest: Rates | undefined, { paint, columns, sort }: Screen): string[] {
  const all = Object.entries(serversOf(status));
  if (all.length === 0) return [];
  all.sort(([name, one], [otherName, other]) => {
    if (sort === 'name') return name.localeCompare(otherName);
    if (sort === 'total') return other.opened - one.opened;
    return BY_TROUBLE.indexOf(one.state) - BY_TROUBLE.indexOf(other.state);
  });
  const line = (label: string, rate: string, failed: string, answer: string, state: string) =>
    [
      label.padEnd(LABEL),
      columns >= ROOM.second ? `${rate}${failed}` : '',
      columns >= ROOM.third ? answer : '',
      `  ${state}`,
    ].join('');
  const lines = all.slice(0, MOST_SERVERS).map(([name, one]) => {
    const failures = one.refused + one.unanswered;
    const failed = right(countText(failures));
    const said = `${one.state} ${formatDuration(one.sinceMs)}${one.why === null ? '' : `: ${one.why}`}`;
    return line(
      name.slice(0, LABEL - 1),
      right(rateText(latest?.opened[name])),
      failures > 0 ? paint('yellow', failed) : failed,
      right(one.answerMs === null ? '-' : `${one.answerMs} ms`),
      paint(STATE_COLOURS[one.state], said),
    );
  });
  const heads = line('SERVER', right('OPENED/S'), right('FAILED'), right('ANSWERS'), 'STATE');
  return ['', paint('dim', heads), ...lines];
}

function tables(status: Status, { paint, isAscii, columns }: Screen): string[] {
  const isWide = columns >= LABEL + 3 * NUMBER + 2 + BAR;
  const line = (label: string, count: string, capacity: string, fill: string, refused: string) =>
    [
      `${label.padEnd(LABEL)}${right(count)}`,
      columns >= ROOM.third ? right(capacity) : '',
      columns >= ROOM.second ? fill : '',
      refused,
    ].join('');
  const head = line(
    'TABLE',
    'ENTRIES',
    'CAPACITY',
    isWide ? `  ${'FILL'.padEnd(BAR)}` : right('FILL'),
    right('REFUSED'),
  );
  const lines = TABLES.map(({ name }) => {
    const { count, capacity, full } = status.tables[name];
    const share = capacity === 0 ? 0 : count / capacity;
    const colour = share >= NEARLY_FULL ? 'red' : share >= FULLISH ? 'yellow' : 'green';
    const percent = `${(share * 100).toFixed(1)} %`;
    const fill = isWide
      ? `  ${paint(colour, gauge(percent === NO_FILL ? 0 : share, BAR - 7, isAscii))}${percent.padStart(7)}`
      : paint(colour, right(percent));
    const refused = full > 0 ? paint('red', right(countText(full))) : right('0');
    return line(name, countText(count), countText(capacity), fill, refused);
  });
  return [paint('dim', head), ...lines];
}

/** Busiest first unless sorted otherwise; reasons with no traffic now are sorted by their totals. */
function reasons(status: Status, latest: Rates | undefined, { paint, sort = 'rate' }: Screen): string[] {
  const rows = Object.entries(status.packets.byReason).map(([reason, total]) => ({
    reason,
    total,
    rate: latest?.byReason[reason] ?? 0,
  }));
  rows.sort((a, b) => {
    const [byRate, byTotal] = [b.rate - a.rate, b.total - a.total];
    const byNumber = sort === 'rate' ? byRate || byTotal : sort === 'total' ? byTotal : 0;
    return byNumber || a.reason.localeCompare(b.reason);
  });
  const title = sort === 'rate' ? 'VERDICTS BY REASON' : `VERDICTS BY ${sort.toUpperCase()}`;
  const head = `${title.padEnd(LABEL)}${right('/S')}${right('TOTAL')}`;
  return [
    paint('dim', head),
    ...rows.map(
      ({ reason, total, rate }) => `${reason.padEnd(LABEL)}${right(rateText(rate))}${right(countText(total))}`,
    ),
  ];
}

/** One line for a pipe, where the screen cannot be redrawn. */
export function renderLine(history: Seen, clock: string): string {
  const { now, rates } = history;
  if (!now) return `${clock} no engine`;
  const { status } = now;
  const latest = rates.at(-1);
  const state = `${!status.ready ? 'starting' : status.paused ? 'paused' : 'ready'}${troubleText(status)}`;
  const packets = status.queues
    .filter(({ side, received }) => side !== 'host' || received > 0)
    .map((queue) => `${queue.side} ${rateText(latest?.queues[status.queues.indexOf(queue)])}/s`);
  const { verdictsLate, unparsed, givenUp } = status.losses;
  const lost = status.queues.reduce(
    (sum, one) => sum + (one.queueDropped ?? 0) + Math.max(one.userDropped ?? 0, one.lost),
    verdictsLate + unparsed + givenUp,
  );
  return [
    `${clock} ${state}`,
    ...packets,
    `diverted ${rateText(latest?.diverted)}/s`,
    `connections ${status.tables.reportConnections.count}`,
    `waiting ${status.queues.reduce((sum, { waiting }) => sum + (waiting ?? 0), 0)}`,
    `dropped ${status.packets.dropped}`,
    `lost ${lost}`,
    `restarts ${status.workers.reduce((sum, { restarts }) => sum + restarts, 0)}`,
  ].join('  ');
}

function right(text: string): string {
  return text.padStart(NUMBER);
}

/** `0`, `0.4`, `12`, `12.3k`; `-` before the first measurement. */
function rateText(rate: number | undefined): string {
  if (rate === undefined) return '-';
  return rate > 0 && rate < 10 ? rate.toFixed(1) : countText(Math.round(rate));
}

/** In full up to 99 999, then `123k`, `12.3M`, `4.56G`: never wider than six. */
export function countText(count: number): string {
  if (count < 100_000) return String(count);
  const [unit, letter] = count < 1e6 ? [1e3, 'k'] : count < 1e9 ? [1e6, 'M'] : [1e9, 'G'];
  const scaled = count / unit;
  return `${scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0)}${letter}`;
}

/** Past sessions and events as text and as JSON. Times are UTC. */
import { headsOf, type HistoryEvent, OUTCOMES, type SessionRow, WOKEN } from '../engine';
import { formatAddress } from '../packet/address';
import { formatColumns } from './columns';
import { printable } from './printable';

export function formatHistory(sessions: readonly SessionRow[], events: readonly HistoryEvent[]): string {
  if (sessions.length === 0 && events.length === 0) return 'nothing found\n';
  const rows = sessions.map((row) => [
    formatTime(row.endedMs),
    formatAddress(row.cpe),
    row.collector,
    WOKEN[row.woken],
    row.connections,
    row.openedMs === undefined ? '-' : ((row.endedMs - row.openedMs) / 1000).toFixed(1),
    headsOf(row).join('+') || '-',
    OUTCOMES[row.outcome],
  ]);
  const heads = ['ENDED AT', 'CPE', 'COLLECTOR', 'WOKEN BY', 'CONNECTIONS', 'SECONDS', 'ANSWERS', 'ENDED'];
  const lines = events.map(({ timeMs, kind, ...details }) => {
    const words = Object.entries(details).map(([key, value]) => `${key}=${shown(value)}`);
    return `${[formatTime(timeMs), kind, ...words].join('  ')}\n`;
  });
  return [rows.length === 0 ? '' : formatColumns(heads, rows), lines.join('')].filter((part) => part !== '').join('\n');
}

function shown(value: unknown): string {
  return printable(String(value ?? '-'));
}

/** 2026-11-30T12:31:05Z */
function formatTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `15m`, `2h`, `3d` ago, or a date and time as Date.parse takes it; undefined when it is neither. */
export function parseTime(word: string, nowMs: number): number | undefined {
  const ago = /^(\d{1,6})([smhd])$/.exec(word);
  if (ago) return nowMs - Number(ago[1]) * UNITS_MS[ago[2]];
  const timeMs = /^\d{4}-\d\d-\d\d/.test(word) ? Date.parse(word) : NaN;
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

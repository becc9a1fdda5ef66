/** Asks the engine, again and again while the page is seen, and keeps the last answer when none comes. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { type LogLine } from '../src/engine/report/recent-log';
import { type Status } from '../src/engine/report/status';
import { type TraceEvent } from '../src/engine/control/operations';

const LOOK_MS = 2000;
const HOUR_MS = 10_000;
const TIMEOUT_MS = 4000;

export interface StatusAnswer {
  nowMs: number;
  names: { maySee: boolean; hasToken: boolean; hasHistory: boolean };
  status: Status;
}

export interface HourAnswer {
  intervalMs: number;
  timeMs: number[];
  packets: Record<string, number[]>;
  tables: Record<string, number[]>;
  diverted: number[];
  dropped: number[];
  waiting: number[];
}

export interface EventsAnswer {
  nowMs: number;
  log: LogLine[];
  /** Number of the first event. */
  first: number;
  events: TraceEvent[];
}

export class AskError extends Error {
  /** @param code as the engine gives it, or `away` */
  constructor(readonly code: string) {
    super(code);
  }
}

const TOKEN = 'acsplit-token';

export function keepToken(token: string): void {
  try {
    sessionStorage.setItem(TOKEN, token);
  } catch {
    // A browser that keeps nothing: the token is gone with the page.
  }
}

function token(): string | null {
  try {
    return sessionStorage.getItem(TOKEN);
  } catch {
    return null;
  }
}

/** @throws AskError */
export async function ask<T>(path: string): Promise<T> {
  const kept = token();
  const headers: Record<string, string> = kept === null ? {} : { authorization: `Bearer ${kept}` };
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(path, { headers, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS * 3) });
    answer = await response.json();
  } catch {
    throw new AskError('away');
  }
  if (response.ok) return answer as T;
  throw new AskError(String((answer as { error?: unknown }).error ?? 'failed'));
}

/** Per second, between the last two answers; undefined before there are two. */
export interface Rates {
  packets?: number;
  diverted?: number;
  carried?: number;
  opened: Record<string, number>;
}

export interface Seen {
  answer?: StatusAnswer;
  rates: Rates;
  hour?: HourAnswer;
  events?: EventsAnswer;
  /** The reader's clock: when the last answer came. */
  answeredMs?: number;
  isAway: boolean;
  /** Since when no verdicts flow, as far as this page has seen it. */
  idleSinceMs?: number;
}

export function carriedPackets(status: Status): number {
  const packets = Object.entries(status.fastPath?.packets ?? {});
  return packets.reduce((sum, [outcome, count]) => sum + (outcome.startsWith('carried-') ? (count ?? 0) : 0), 0);
}

function divertedSessions({ packets: { byReason } }: Status): number {
  return (byReason.diverted ?? 0) + (byReason['diverted-in-grace'] ?? 0);
}

function ratesBetween(before: StatusAnswer | undefined, now: StatusAnswer): Rates {
  const seconds = before === undefined ? 0 : (now.nowMs - before.nowMs) / 1000;
  // Another engine counts from 0.
  if (before === undefined || seconds <= 0 || now.status.uptimeMs < before.status.uptimeMs) return { opened: {} };
  const rate = (was: number, is: number) => Math.max(0, is - was) / seconds;
  const [was, is] = [before.status, now.status];
  const servers = Object.entries(is.servers ?? {});
  return {
    packets: rate(was.packets.received, is.packets.received),
    diverted: rate(divertedSessions(was), divertedSessions(is)),
    carried: rate(carriedPackets(was), carriedPackets(is)),
    opened: Object.fromEntries(
      servers.map(([name, { opened }]) => [name, rate(was.servers?.[name]?.opened ?? 0, opened)]),
    ),
  };
}

/** Calls `look` at an interval, never twice at a time, and not while the page is hidden. */
function useRepeated(look: () => Promise<void>, everyMs: number): void {
  const latest = useRef(look);
  latest.current = look;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isLooking = false;
    let isOver = false;
    const again = async () => {
      clearTimeout(timer);
      if (isLooking || isOver || document.hidden) return;
      isLooking = true;
      await latest.current();
      isLooking = false;
      if (!isOver) timer = setTimeout(again, everyMs);
    };
    void again();
    document.addEventListener('visibilitychange', again);
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', again);
    };
  }, [everyMs]);
}

export function useEngine(): Seen {
  const [seen, setSeen] = useState<Seen>({ rates: { opened: {} }, isAway: false });
  useRepeated(async () => {
    try {
      const answer = await ask<StatusAnswer>('/api/status');
      const events = answer.names.maySee ? await ask<EventsAnswer>('/api/events') : undefined;
      const nowMs = Date.now();
      setSeen((before) => ({
        ...before,
        answer,
        rates: ratesBetween(before.answer, answer),
        answeredMs: nowMs,
        isAway: false,
        idleSinceMs: answer.status.ready ? undefined : (before.idleSinceMs ?? nowMs),
        events: events ?? before.events,
      }));
    } catch {
      setSeen((before) => ({ ...before, isAway: true }));
    }
  }, LOOK_MS);
  useRepeated(async () => {
    try {
      const hour = await ask<HourAnswer>('/api/hour');
      setSeen((before) => ({ ...before, hour }));
    } catch {
      // The status tells that the engine is away.
    }
  }, HOUR_MS);
  return seen;
}

/** What the engine knows of one CPE: where its next session goes and why, its entries, its newest events. */
import { type Address, formatAddress } from '../../packet/address';
import { type ActivationEntry, type ConnectionEntry, ENTRIES } from '../../splitter/entries';
import { SILENT_MS } from '../../splitter/decide/report-opening';
import { type Splitter } from '../../splitter/splitter';
import { type OnCollectorDown } from '../../splitter/topology';
import { type TableName } from '../../splitter/table-list';
import { type TraceEvent } from '../control/operations';
import { type Status } from '../report/status';

/** Why the next session goes where it goes. The page has a sentence for each. */
export const NEXT_REASONS = [
  'armed',
  'grace',
  'not-woken',
  'asked',
  'running',
  'paused',
  'off',
  'owner-gone',
  'outside-canary',
  'collector-down',
  'collector-silent',
  'not-ready',
] as const;
export type NextReason = (typeof NEXT_REASONS)[number];

export interface NextSession {
  /** `itms`, or a collector's name. */
  to: string;
  why: NextReason;
  /** The collector that has woken the CPE; undefined when none has. */
  collector?: string;
  /** How long this stays so; undefined: until something happens. */
  remainingMs?: number;
}

export interface CpeAnswer {
  cpe: string;
  next: NextSession;
  activation: ActivationEntry | null;
  requests: ConnectionEntry[];
  connections: ConnectionEntry[];
  /** The oldest first. */
  events: TraceEvent[];
}

/** Entries of one table in an answer. */
const MOST_ENTRIES = 50;
/** Some 0.3 ms of searching; then others have their turn, for twice as long: searches take a third of the loop at the most. */
const SLOTS_AT_ONCE = 32_768;
const PAUSE_SHARE = 2;

/** Looks through a whole table in steps, between which the event loop goes on. */
export async function entriesOf(
  look: () => Splitter,
  table: TableName,
  cpe: Address,
): Promise<(ConnectionEntry | ActivationEntry)[]> {
  const found: (ConnectionEntry | ActivationEntry)[] = [];
  for (let from: number | undefined = 0; from !== undefined && found.length < MOST_ENTRIES;) {
    const limit = MOST_ENTRIES - found.length;
    const beganMs = performance.now();
    const page: { entries: (ConnectionEntry | ActivationEntry)[]; next: number | undefined } = ENTRIES[table](
      look().state,
      { cpe, from, limit, slots: SLOTS_AT_ONCE },
    );
    found.push(...page.entries);
    from = page.next;
    const pauseMs = PAUSE_SHARE * (performance.now() - beganMs);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return found;
}

export interface NextParts {
  status: Pick<Status, 'paused' | 'activation' | 'ready' | 'servers'>;
  onCollectorDown: OnCollectorDown;
  /** False for a collector that a reload has removed. */
  isConfigured: (collector: string) => boolean;
  /** Since when a diverted SYN of the CPE has waited for the collector; negative: none does. */
  silentMs: number;
  /** False where the collector's `networks` leave the CPE out. */
  mayServe: (collector: string) => boolean;
}

/**
 * The rules of ReportOpening in words. What only a SYN shows (a port, a full table, a busy collector) is left out.
 * `collector-down` is what a server's state says; now and then a CPE is let through to try.
 */
export function nextSession(activation: ActivationEntry | null, parts: NextParts): NextSession {
  const { paused, activation: mode, ready, servers } = parts.status;
  const toItms = (why: NextReason, more: Partial<NextSession> = {}): NextSession => ({ to: 'itms', why, ...more });
  if (!ready) return toItms('not-ready');
  if (activation === null) return toItms('not-woken');
  const { phase, collector, remainingMs } = activation;
  if (phase === 'asked') return toItms('asked');
  if (phase === 'consumed') return toItms('running', { collector });
  const woken = { collector, remainingMs };
  if (!parts.isConfigured(collector)) return toItms('owner-gone', woken);
  if (mode === 'off') return toItms('off', woken);
  if (paused && phase !== 'grace') return toItms('paused', woken);
  if (parts.silentMs >= SILENT_MS) return toItms('collector-silent', woken);
  if (!parts.mayServe(collector)) return toItms('outside-canary', woken);
  if (servers[collector]?.state === 'down' && parts.onCollectorDown === 'itms') return toItms('collector-down', woken);
  return { to: collector, why: phase, ...woken };
}

/** For `nextSession`, from a splitter's memory. */
export function rulesOf({ state }: Splitter, cpe: Address): Pick<NextParts, 'isConfigured' | 'mayServe' | 'silentMs'> {
  const family = state.familyOf(cpe);
  const servers = family?.servers;
  const slot = family?.activatedCpes.find(cpe) ?? -1;
  const ask = (collector: string, of: (owner: number) => boolean): boolean => {
    const owner = state.owners.find(collector);
    return servers !== undefined && owner >= 0 && of(owner);
  };
  return {
    silentMs: slot < 0 ? -1 : (family?.activatedCpes.silentMs(slot) ?? -1),
    isConfigured: (collector) => ask(collector, (owner) => servers?.isConfigured(owner) ?? false),
    mayServe: (collector) => ask(collector, (owner) => servers?.mayServe(owner, cpe) ?? false),
  };
}

export function answerOf(
  cpe: Address,
  next: NextSession,
  entries: Record<TableName, (ConnectionEntry | ActivationEntry)[]>,
  events: TraceEvent[],
): CpeAnswer {
  return {
    cpe: formatAddress(cpe),
    next,
    activation: (entries.activatedCpes[0] as ActivationEntry | undefined) ?? null,
    requests: entries.connectionRequests as ConnectionEntry[],
    connections: entries.reportConnections as ConnectionEntry[],
    events,
  };
}

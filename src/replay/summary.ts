/** Summarizes a replay for people and for scripts. */
import { EVENTS } from '../splitter/memory/events';
import { REASONS } from '../splitter/reasons';
import { type Splitter } from '../splitter/splitter';
import { linkTypeText, NoIpCause, type NoIpKind, noIp, noIpText } from './no-ip';
import { type ReplayResult } from './replay';

export interface ReplaySummary {
  activation: string;
  spanSeconds: number;
  packets: {
    read: number;
    rewritten: number;
    accepted: number;
    dropped: number;
    cutBySnaplen: number;
    outOfOrder: number;
    untimed: number;
    byReason: Record<string, number>;
  };
  /** Frames without an IP packet that can be read, the most frequent first. */
  noIp: { linkType: number; cause: string; packets: number }[];
  events: Record<string, number>;
  tables: Record<string, { count: number; capacity: number; full: number }>;
  errors: { file: string; offset: number; message: string }[];
}

export function summarize(result: ReplayResult, splitter: Splitter): ReplaySummary {
  const byReason: Record<string, number> = {};
  REASONS.forEach(([name], reason) => {
    if (splitter.counters.byReason[reason] > 0) byReason[name] = splitter.counters.byReason[reason];
  });
  const events: Record<string, number> = {};
  EVENTS.forEach((name, event) => {
    const count = splitter.state.events.counts[event];
    if (count > 0) events[name] = count;
  });
  const tables: ReplaySummary['tables'] = {};
  for (const [name, table] of Object.entries(splitter.tables)) {
    tables[name] = { count: table.count, capacity: table.capacityEntries, full: table.full };
  }
  const [dropped, accepted, rewritten] = result.verdicts;
  const { packets: read, cut: cutBySnaplen, outOfOrder, untimed, spanSeconds } = result;
  return {
    activation: splitter.activation,
    spanSeconds,
    packets: { read, rewritten, accepted, dropped, cutBySnaplen, outOfOrder, untimed, byReason },
    noIp: result.noIp.map(({ linkType, code, count }) => ({ linkType, cause: noIpText(code), packets: count })),
    events,
    tables,
    errors: result.errors.map(({ file, offset, complaint }) => ({ file, offset, message: complaint })),
  };
}

/** Causes of frames without IP that a terminal shows. */
const SHOWN_KINDS = 8;

/** What makes a replay say less than its captures hold: a line each, without an end. */
export function warningsOf({ packets, noIp: kinds }: ReplayResult): string[] {
  const without = sum(kinds);
  const isUnsupported = ({ linkType, code }: NoIpKind) => code === noIp(NoIpCause.LinkType, linkType);
  const unsupported = kinds.filter(isUnsupported);
  const warnings = unsupported.map(
    ({ linkType, count }) => `${count} of ${packets} packets were not read: ${linkTypeText(linkType)} is not supported`,
  );
  const main = kinds.find((kind) => !isUnsupported(kind));
  if (main === undefined || without * 2 <= packets || without === sum(unsupported)) return warnings;
  const cause = `mostly ${linkTypeText(main.linkType)}, ${noIpText(main.code)}`;
  return [...warnings, `${without} of ${packets} packets are not IP: ${cause}`];
}

function sum(kinds: readonly NoIpKind[]): number {
  return kinds.reduce((total, kind) => total + kind.count, 0);
}

/** Lines for a terminal. */
export function summaryLines(summary: ReplaySummary): string[] {
  const { packets } = summary;
  const counts = `${packets.rewritten} rewritten, ${packets.accepted} accepted, ${packets.dropped} dropped`;
  const lines = [`${packets.read} packets in ${summary.spanSeconds.toFixed(6)} s of capture: ${counts}`];
  for (const [name, count] of mostFirst(packets.byReason)) lines.push(`${String(count).padStart(9)}  ${name}`);
  const happened = mostFirst(summary.events).map(([name, count]) => `${name} ${count}`);
  if (happened.length > 0) lines.push(`events: ${happened.join(', ')}`);
  for (const [name, { full, capacity }] of Object.entries(summary.tables)) {
    if (full > 0) lines.push(`${name} was full ${full} times at ${capacity} entries; raise tables.capacity`);
  }
  const without = summary.noIp.reduce((sum, kind) => sum + kind.packets, 0);
  if (without > 0) {
    const shown = summary.noIp.slice(0, SHOWN_KINDS).map((kind) => `${kind.packets} ${kind.cause}`);
    if (summary.noIp.length > SHOWN_KINDS) shown.push(`${summary.noIp.length - SHOWN_KINDS} other causes`);
    lines.push(`${without} packets without IP that can be read: ${shown.join(', ')}`);
  }
  if (packets.cutBySnaplen > 0) {
    const what = 'headers were rewritten, payloads could not be verified';
    lines.push(`${packets.cutBySnaplen} packets were cut by the capture's snaplen: ${what}`);
  }
  if (packets.outOfOrder > 0) lines.push(`${packets.outOfOrder} packets are older than the one before them`);
  if (packets.untimed > 0) lines.push(`${packets.untimed} packets have no timestamp and took the previous packet's`);
  return lines;
}

function mostFirst(counts: Record<string, number>): [string, number][] {
  return Object.entries(counts).sort((a, b) => b[1] - a[1]);
}

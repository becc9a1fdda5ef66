/** Trace events as lines for people. */

import { type TraceEvent } from '../engine';
import { type EventName } from '../splitter/memory/events';

/** `22:37:04.123  10.1.0.5  armed for c1: its Connection Request (10.1.0.5:7547) was answered with a 2xx` */
export function formatTraceEvent(event: TraceEvent, time: Date): string {
  return `${formatTime(time)}  ${event.cpe.padEnd(15)}  ${sentence(event)}`;
}

/** Local time, `22:37:04.123`. */
export function formatTime(time: Date): string {
  return `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

/** `10.1.0.5:7547`, `[2001:db8::5]:7547` */
export function endpoint(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** What a sentence may name. */
interface Words {
  owner: string;
  /** The Connection Request concerned. */
  request: string;
  /** The CPE's session concerned. */
  report: string;
}

const SENTENCES: Readonly<Record<EventName, (words: Words) => string>> = {
  'armed-by-response': ({ owner, request }) => `armed for ${owner}: the CPE answered its ${request} with a 2xx`,
  'armed-by-fin': ({ owner, request }) => `armed for ${owner}: the collector closed its ${request} with a FIN`,
  'armed-by-hand': ({ owner }) => `armed for ${owner} by an operator`,
  contended: ({ owner }) =>
    `contended: ${owner} woke the CPE too, but another collector's activation is still in force`,
  'ended-by-itms': ({ owner }) => `activation for ${owner} ended: the ITMS woke the CPE itself`,
  'ended-by-hand': ({ owner }) => `activation for ${owner} ended by an operator`,
  'session-first': ({ owner }) => `not armed for ${owner}: the CPE had already opened its session with the ITMS`,
  'activation-table-full': ({ owner }) => `not armed for ${owner}: the table is full`,
  'answer-split': ({ owner, request }) =>
    `the status line of the answer to ${owner}'s ${request} continues in the next segment`,
  'answer-repeated': ({ owner, request }) =>
    `not evaluated again: the answer to ${owner}'s ${request} was retransmitted`,
  diverted: ({ owner, report }) => `diverted to ${owner}: ${report}`,
  'diverted-in-grace': ({ owner, report }) => `diverted to ${owner}: ${report} continues the previous one`,
  'would-divert': ({ owner, report }) => `would be diverted to ${owner}, but activation is off: ${report}`,
  'collector-down': ({ owner, report }) => `not diverted to ${owner}, which is down: ${report} goes to the ITMS`,
  closed: ({ owner, report }) => `closed: ${report} with ${owner}`,
  remapped: ({ owner, request }) =>
    `remapped: ${owner}'s ${request} collides with another server's and gets a different port`,
};

function sentence({ event, cpe, cpePort, port, owner }: TraceEvent): string {
  const request = `Connection Request (${endpoint(cpe, cpePort)} from port ${port})`;
  const report = `session (port ${cpePort} to ${port})`;
  // An engine of another version may know other events.
  const known = Object.hasOwn(SENTENCES, event) ? SENTENCES[event as EventName] : undefined;
  return known?.({ owner, request, report }) ?? `${event} (${owner})`;
}

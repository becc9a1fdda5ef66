/** Trace events as lines for people. */

import { type TraceEvent } from '../engine';

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

function sentence({ event, cpe, cpePort, port, owner }: TraceEvent): string {
  const request = `Connection Request (${endpoint(cpe, cpePort)} from port ${port})`;
  const report = `session (port ${cpePort} to ${port})`;
  switch (event) {
    case 'armed-by-response':
      return `armed for ${owner}: the CPE answered its ${request} with a 2xx`;
    case 'armed-by-fin':
      return `armed for ${owner}: the collector closed its ${request} with a FIN`;
    case 'armed-by-hand':
      return `armed for ${owner} by an operator`;
    case 'contended':
      return `contended: ${owner} woke the CPE too, but another collector's activation is still in force`;
    case 'ended-by-itms':
      return `activation for ${owner} ended: the ITMS woke the CPE itself`;
    case 'ended-by-hand':
      return `activation for ${owner} ended by an operator`;
    case 'activation-table-full':
      return `not armed for ${owner}: the table is full`;
    case 'answer-split':
      return `not evaluated: the status line of the answer to ${owner}'s ${request} was split over several segments`;
    case 'answer-repeated':
      return `not evaluated again: the answer to ${owner}'s ${request} was retransmitted`;
    case 'diverted':
      return `diverted to ${owner}: ${report}`;
    case 'diverted-in-grace':
      return `diverted to ${owner}: ${report} continues the previous one`;
    case 'would-divert':
      return `would be diverted to ${owner}, but activation is off: ${report}`;
    case 'closed':
      return `closed: ${report} with ${owner}`;
    case 'remapped':
      return `remapped: ${owner}'s ${request} collides with another server's and gets a different port`;
    default:
      return `${event} (${owner})`;
  }
}

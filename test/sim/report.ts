/** A run in a few lines, for people. */
import { SERVERS } from './parties';
import { type SimResult } from './world';

export function summaryOf(result: SimResult): string {
  const { cpe, peaks } = result;
  const at = result.sessionsAt.map((count, party) => `${count} ${SERVERS[party]!.name}`).join(', ');
  return [
    `sessions: ${result.sessions} begun, ${cpe.completed} completed, ${cpe.failed} failed; Informs at ${at}`,
    `Connection Requests: ${result.requests} made, ${cpe.requests} heard, ${cpe.woken} with success`,
    `connections: ${result.connections}, of which ${result.broken} broke for causes of their own`,
    `packets: ${result.packets} in ${result.batches} batches; pins forgotten: ${result.forgottenPins}`,
    `tables at the most: ${peaks.requests} requests, ${peaks.activations} activations, ${peaks.reports} reports`,
  ].join('\n');
}

/** What happened to a packet, in the reference's form and in words. */
import { type Decision } from '../reference/reference';
import { addressTextAt, destinationAtOf, get16, sourceAtOf, tcpAtOf } from './wire';

export const enum Fate {
  Drop,
  Accept,
  Rewrite,
}

/** In the reference's words. @param after the packet as it leaves */
export function decisionOf(fate: Fate, after: Uint8Array): Decision {
  if (fate === Fate.Drop) return 'dropped';
  if (fate === Fate.Accept) return 'untouched';
  const tcpAt = tcpAtOf(after);
  return {
    source: addressTextAt(after, sourceAtOf(after)),
    sourcePort: get16(after, tcpAt),
    destination: addressTextAt(after, destinationAtOf(after)),
    destinationPort: get16(after, tcpAt + 2),
  };
}

export function isSame(one: Decision, other: Decision): boolean {
  if (typeof one === 'string' || typeof other === 'string') return one === other;
  return (
    one.source === other.source &&
    one.sourcePort === other.sourcePort &&
    one.destination === other.destination &&
    one.destinationPort === other.destinationPort
  );
}

export function decisionText(decision: Decision): string {
  if (typeof decision === 'string') return decision;
  const { source, sourcePort, destination, destinationPort } = decision;
  return `${source} port ${sourcePort} > ${destination} port ${destinationPort}`;
}

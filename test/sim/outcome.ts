/** What became of a packet, in the simulation's own numbers and in words. */
import { type Decision } from '../reference/reference';
import { addressText } from './wire';

export const enum Fate {
  Drop,
  Accept,
  Rewrite,
}

/** Addresses are int32. */
export interface Outcome {
  fate: Fate;
  source: number;
  sourcePort: number;
  destination: number;
  destinationPort: number;
}

/** In the reference's words. */
export function decisionOf({ fate, source, sourcePort, destination, destinationPort }: Outcome): Decision {
  if (fate === Fate.Drop) return 'dropped';
  if (fate === Fate.Accept) return 'untouched';
  return { source: addressText(source), sourcePort, destination: addressText(destination), destinationPort };
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
  return `${source}:${sourcePort} > ${destination}:${destinationPort}`;
}

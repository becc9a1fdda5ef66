/** The packets of one CPE in words, for analysing a failure. */
import { type Packet } from './network';
import { decisionText } from './outcome';
import { type Decision } from '../reference/reference';
import { CPE, SERVERS } from './parties';

export class Traced {
  /** int32. */
  cpe: number | undefined = undefined;
  readonly lines: string[] = [];

  line(nowMs: number, what: string, reason: string, seen: Decision, packet: Packet): void {
    const { connection, sender } = packet;
    const from = sender === CPE ? 'cpe' : SERVERS[sender]!.name;
    const which = connection === undefined ? 'noise' : `connection ${connection.number}`;
    this.lines.push(`${(nowMs / 1000).toFixed(3)} ${from}, ${which}: ${what} -> ${reason}: ${decisionText(seen)}`);
  }
}

/** The packets of one CPE in words, for reading a failure. */
import { type Packet } from './network';
import { decisionOf, decisionText, type Outcome } from './outcome';
import { CPE, SERVERS } from './parties';

export class Traced {
  /** int32. */
  cpe: number | undefined = undefined;
  readonly lines: string[] = [];

  line(nowMs: number, what: string, seen: Outcome, packet: Packet): void {
    const { connection, sender } = packet;
    const from = sender === CPE ? 'cpe' : SERVERS[sender]!.name;
    const which = connection === undefined ? 'noise' : `connection ${connection.number}`;
    this.lines.push(`${(nowMs / 1000).toFixed(3)} ${from}, ${which}: ${what} -> ${decisionText(decisionOf(seen))}`);
  }
}

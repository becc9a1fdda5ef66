/** The packets of one CPE in words, for whoever looks into a failure. */
import { type Outcome } from './model';
import { type Packet } from './network';
import { CPE, SERVERS } from './parties';
import { outcomeText } from './wire-checks';

export class Traced {
  /** int32. */
  cpe: number | undefined = undefined;
  readonly lines: string[] = [];

  line(nowMs: number, what: string, seen: Outcome, packet: Packet): void {
    const { connection, sender } = packet;
    const from = sender === CPE ? 'cpe' : SERVERS[sender]!.name;
    const which = connection === undefined ? 'noise' : `connection ${connection.number}`;
    this.lines.push(`${(nowMs / 1000).toFixed(3)} ${from}, ${which}: ${what} -> ${outcomeText(seen)}`);
  }
}

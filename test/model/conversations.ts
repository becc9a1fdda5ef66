/** Tracks the numbers both ends of each connection would send; turns a packet in words into bytes. */
import { buildTcp } from '../../src/packet/builder';
import { packetIn } from '../support/family';
import { packetEnds } from '../support/packet-ends';
import { ACS, FLAGS, type Party, SERVERS } from '../support/rig';
import { type Place, type Sent } from './act';

interface Half {
  /** Behind the last byte sent. */
  next: number;
  /** First number of the last packet that took any. */
  last: number;
  /** What it acknowledged last. */
  acked: number;
}

export interface Resolved extends Sent {
  from: Party;
  /** What stands in the packet: the server's own port, where that differs from the one that the CPE sees. */
  ownPort: number;
}

const TURN = 2 ** 32;
const WINDOW_SCALE = 3;

export class Conversations {
  private readonly halves = new Map<string, Half>();

  bytesOf(sent: Resolved): Uint8Array {
    const { from, cpe, cpePort, port, ownPort, type, payload, window, scale } = sent;
    const own = this.half(sent, from === 'cpe');
    const other = this.half(sent, from !== 'cpe');
    const sequence = numberAt(sent.sequence, { next: own.next, last: own.last, acked: other.acked });
    const takesNone = (FLAGS[type] & FLAGS.ACK) === 0;
    const acknowledged = numberAt(sent.acknowledgement, { next: other.next, last: other.last, acked: own.acked });
    const acknowledgement = takesNone ? 0 : acknowledged;
    if (!sent.isStray) remember(own, sent, sequence, acknowledgement);
    const ends =
      from === 'cpe'
        ? { source: cpe, sourcePort: cpePort, destination: ACS, destinationPort: port }
        : { source: SERVERS[from], sourcePort: ownPort, destination: cpe, destinationPort: cpePort };
    const options = scale === undefined ? {} : { options: Uint8Array.of(1, WINDOW_SCALE, 3, scale) };
    const numbers = { sequence: sequence | 0, acknowledgement: acknowledgement | 0, window };
    const bytes = buildTcp(packetIn({ ...ends, ...numbers, ...options, flags: FLAGS[type], payload }));
    if (sent.isWrong) bytes[packetEnds(bytes).tcpAt + 17] ^= 1;
    return bytes;
  }

  private half({ cpe, cpePort, port }: Sent, isCpe: boolean): Half {
    const key = `${isCpe} ${cpe} ${cpePort} ${port}`;
    let known = this.halves.get(key);
    if (!known) this.halves.set(key, (known = { next: 7000, last: 7000, acked: 7000 }));
    return known;
  }
}

function numberAt({ base, by }: Place, numbers: Record<Exclude<Place['base'], 'zero'>, number>): number {
  return ((base === 'zero' ? by : numbers[base] + by) + 2 * TURN) % TURN;
}

/** A retransmission moves nothing back. */
function remember(half: Half, { type, payload }: Sent, sequence: number, acknowledgement: number): void {
  if (type === 'RST' || type === 'bare RST') return;
  const opens = type === 'SYN' || type === 'SYN+ACK';
  const next = (sequence + payload.length + (opens || type === 'FIN' ? 1 : 0)) % TURN;
  const isAhead = (next - half.next + TURN) % TURN < TURN / 2;
  if (next !== sequence) half.last = sequence;
  if (opens || isAhead) half.next = next;
  if (type !== 'SYN') half.acked = acknowledgement;
}

/**
 * A forger on the CPEs' side: knows a CPE's address, its port and the ACS, not the sequence numbers. Sends sequences of
 * two to six packets whose numbers are guessed; of the two numbers of a packet one at the most is near or exact, since
 * who has both is on the path (RFC 5961 section 1.2).
 */
import fc from 'fast-check';
import { REPORT_PORT } from '../../../src/lab/world';
import { buildTcp } from '../../../src/packet/builder';
import { TcpFlag } from '../../../src/packet/tcp';
import { ADDRESSES } from './family';
import { type Numbers } from './forge';
import { type TcpStage } from './tcp-stage';

const { Syn, Ack, Fin, Rst, Psh } = {
  Syn: TcpFlag.Syn,
  Ack: TcpFlag.Ack,
  Fin: TcpFlag.Fin,
  Rst: TcpFlag.Rst,
  Psh: 0x08,
};

/** The kinds of packet that a forger sends, by the flags. */
const KINDS = [Syn, Fin | Ack, Fin, Rst, Rst | Ack, Syn | Ack, Ack, Ack | Psh] as const;

/** How far off a number is: `far` is outside every window, `near` inside one, `exact` is right. */
type Aim = 'far' | 'near' | 'exact';

export interface Shot {
  flags: number;
  sequence: Aim;
  acknowledgement: Aim;
  /** Where in its range a number lies, 0 to 1. */
  spread: number;
  hasRightChecksum: boolean;
}

/** A RST with the exact number is a RST, for every TCP there is: a forger has to guess it, and so it is not among these. */
const shot: fc.Arbitrary<Shot> = fc
  .record({
    flags: fc.constantFrom(...KINDS),
    sequence: fc.constantFrom<Aim>('far', 'near', 'exact'),
    acknowledgement: fc.constantFrom<Aim>('far', 'near', 'exact'),
    spread: fc.double({ min: 0, max: 1, noNaN: true }),
    hasRightChecksum: fc.boolean(),
  })
  .map((one): Shot => {
    const isReset = (one.flags & Rst) !== 0;
    const sequence = isReset && one.sequence === 'exact' ? 'near' : one.sequence;
    return { ...one, sequence, acknowledgement: sequence === 'far' ? one.acknowledgement : 'far' };
  });

/** So many sequences of two to six shots, the same for the same seed. */
export function shotSequences(count: number, seed: number): Shot[][] {
  return fc.sample(fc.array(shot, { minLength: 2, maxLength: 6 }), { seed, numRuns: count });
}

/** The two blind packets that ended and exposed any diverted session once, and the five that put it at two servers. */
export const KNOWN_SEQUENCES: Shot[][] = [
  [Rst, Syn],
  [Rst | Ack, Syn],
  [Ack | Psh, Rst, Syn, Rst, Syn],
  [Fin | Ack, Syn],
  [Syn, Rst | Ack, Syn, Ack],
].map((kinds) =>
  kinds.map((flags) => ({ flags, sequence: 'far', acknowledgement: 'far', spread: 0.4, hasRightChecksum: true })),
);

const NEAR = 20_000;
const FAR_FROM = 2 ** 24;

function aimed(right: number, aim: Aim, spread: number): number {
  if (aim === 'exact') return right >>> 0;
  // Ahead of it or behind, never on it.
  if (aim === 'near') return (right + (spread < 0.5 ? 1 + spread * NEAR : -1 - spread * NEAR)) >>> 0;
  return (right + FAR_FROM + spread * (2 ** 32 - 2 * FAR_FROM)) >>> 0;
}

export interface Target {
  cpe: string;
  port: number;
  /** The port at the ACS address. */
  acsPort?: number;
}

/** The packet of a shot, as from the CPE's port. */
export function forged(shot: Shot, { cpe, port, acsPort = REPORT_PORT }: Target, numbers: Numbers): Uint8Array {
  const bytes = buildTcp({
    source: cpe,
    sourcePort: port,
    destination: ADDRESSES.acs,
    destinationPort: acsPort,
    flags: shot.flags,
    sequence: aimed(numbers.cpeNext, shot.sequence, shot.spread) | 0,
    acknowledgement: shot.flags & Ack ? aimed(numbers.serverNext, shot.acknowledgement, shot.spread) | 0 : 0,
    payload: shot.flags & Psh ? 'HTTP/1.1 200 forged\r\n\r\n' : '',
  });
  if (!shot.hasRightChecksum) bytes[bytes.length - 1] ^= shot.flags & Psh ? 0x5a : 0x02;
  return bytes;
}

/** Sends packets from the CPEs' host as they are, in order. */
export async function fire(stage: TcpStage, packets: readonly Uint8Array[]): Promise<void> {
  for (let at = 0; at < packets.length; at += 500) {
    const hex = packets.slice(at, at + 500).map((bytes) => Buffer.from(bytes).toString('hex'));
    await stage.peers.cpe.ask('packets', { hex });
  }
}

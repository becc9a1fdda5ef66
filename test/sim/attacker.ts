/**
 * An off-path attacker: knows every address and port, even which connections are live, but no sequence number. Sends
 * SYN, FIN, RST, SYN+ACK, ACK and data in the name of CPEs, with guessed numbers, singly, in sequences and in floods. A
 * checker that fails only with the attacker present has found what forged packets can do.
 */
import { type Connection } from './ledger';
import { GET, SUCCESSES } from './messages';
import { ACS, CPE, lineAddress, REPORT_PORTS } from './parties';
import { ACK, encode, FIN, type Payload, PSH, RST, Segment, SYN } from './wire';
import { type World } from './world';

const KINDS = [SYN, FIN | ACK, FIN, RST, RST | ACK, SYN | ACK, ACK, ACK | PSH] as const;
const PAYLOADS: readonly Payload[] = [GET[0]!, SUCCESSES[0]![0]!, SUCCESSES[1]![0]!];
const MOST_PACKETS = 6;
/** Between two packets of a sequence. */
const GAP_MS = 400;
/** Of sequences, those that are floods: SYNs of one CPE, all from one port or each from another. */
const FLOOD_SHARE = 0.01;
const FLOOD_GAP_MS = 50;
const FLOOD_MS = 10_000;
/** Packets with a wrong checksum, which only a splitter might believe. */
const SPOILED_SHARE = 0.15;
/** Times as many sequences as there are sessions. */
const EAGERNESS = 3;

interface Target {
  cpe: number;
  cpePort: number;
  port: number;
}

export class Attacker {
  private readonly segment = new Segment();
  private readonly meanMs: number;

  constructor(private readonly world: World) {
    this.meanMs = (world.options.informSeconds * 1000) / world.options.cpes / EAGERNESS;
    this.segment.isIpv6 = world.network.isIpv6;
    this.segment.window = 64240;
    this.segment.destination = ACS;
  }

  begin(): void {
    const { timeline, prng } = this.world;
    timeline.after(prng.exponential(this.meanMs), () => {
      if (this.world.isQuiet) return;
      if (prng.chance(FLOOD_SHARE)) this.flood();
      else this.strike();
      this.begin();
    });
  }

  private strike(): void {
    const { prng, timeline } = this.world;
    const target = this.choose();
    let delayMs = 0;
    for (let i = prng.integer(1, MOST_PACKETS); i > 0; i--) {
      const flags = prng.pick(KINDS);
      timeline.after(delayMs, () => this.send(target, flags));
      delayMs += prng.unit() < 0.5 ? 0 : prng.between(0, GAP_MS);
    }
  }

  private flood(): void {
    const { prng, timeline } = this.world;
    const target = this.choose();
    const isOnePort = prng.chance(0.5);
    for (let atMs = 0; atMs < FLOOD_MS; atMs += FLOOD_GAP_MS) {
      const cpePort = isOnePort ? target.cpePort : prng.integer(1024, 65535);
      timeline.after(atMs, () => this.send({ ...target, cpePort }, SYN));
    }
  }

  /** A connection that lives, more often than not; or any port of any CPE. */
  private choose(): Target {
    const { prng, ledger, options } = this.world;
    const known: readonly Connection[] = prng.chance(0.7) ? ledger.recent : ledger.recentRequests;
    const living = known.filter((one) => !one.isOver);
    if (living.length > 0 && prng.chance(0.75)) return prng.pick(living);
    return {
      cpe: lineAddress(prng.integer(0, options.cpes - 1)),
      cpePort: prng.chance(0.7) ? 49152 + prng.integer(0, 30) : prng.integer(1024, 65535),
      port: prng.pick(REPORT_PORTS),
    };
  }

  private send({ cpe, cpePort, port }: Target, flags: number): void {
    const { prng, network } = this.world;
    const { segment } = this;
    const packet = network.take();
    segment.source = cpe;
    segment.sourcePort = cpePort;
    segment.destinationPort = port;
    segment.flags = flags;
    segment.sequence = prng.int32();
    segment.acknowledgement = flags & ACK ? prng.int32() : 0;
    packet.length = encode(segment, flags & PSH ? prng.pick(PAYLOADS) : undefined, packet.bytes);
    packet.sender = CPE;
    if (prng.chance(SPOILED_SHARE)) {
      packet.isCorrupt = true;
      packet.bytes[packet.length - 1] ^= 0x5a;
    }
    network.splitter.arrive(packet);
  }
}

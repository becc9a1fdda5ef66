/**
 * Packets that belong to no connection: scans, floods, servers that send on other servers' connections, garbage. They
 * may be answered but must harm nobody. For packets sent in the name of existing CPEs see attacker.ts.
 */
import { CPE, ACS, ITMS, lineAddress, REPORT_PORTS, SERVERS } from './parties';
import { ACK, encode, FIN, isIpv6, RST, Segment, SYN } from './wire';
import { type World } from './world';

/** Spoofed sources besides the CPEs' own addresses. */
const STRANGERS = 2000;
/** What garbage changes: lengths, protocol, addresses, ports, offset, flags, checksums. */
const IPV4_BYTES = [0, 2, 3, 6, 7, 9, 10, 12, 16, 20, 22, 32, 33, 36] as const;
const IPV6_BYTES = [0, 4, 5, 6, 7, 8, 24, 36, 40, 42, 52, 53, 56] as const;
const FLOOD_SHARE = 0.004;
const FLOOD_PACKETS = 60;

export class Noise {
  private readonly segment = new Segment();
  /** As often as there are sessions. */
  private readonly meanMs: number;

  constructor(private readonly world: World) {
    this.meanMs = (world.options.informSeconds * 1000) / world.options.cpes;
    this.segment.isIpv6 = world.network.isIpv6;
  }

  begin(): void {
    const { timeline, prng } = this.world;
    timeline.after(prng.exponential(this.meanMs), () => {
      if (this.world.isQuiet) return;
      if (prng.chance(FLOOD_SHARE)) this.flood();
      else this.any();
      this.begin();
    });
  }

  /** SYNs to a report port from spoofed sources. */
  private flood(): void {
    for (let i = 0; i < FLOOD_PACKETS; i++) this.fromCpe(SYN, this.world.prng.pick(REPORT_PORTS), true);
  }

  private any(): void {
    const { prng } = this.world;
    const kind = prng.integer(0, 11);
    if (kind === 0) this.fromCpe(SYN, prng.pick([22, 80, 443, 7548]), prng.chance(0.5));
    else if (kind === 1) this.fromCpe(prng.pick([ACK, FIN | ACK, SYN | ACK, RST]), prng.pick(REPORT_PORTS), true);
    else if (kind === 2) this.fromCpe(prng.integer(0, 255), prng.integer(1, 65535), true);
    else if (kind === 3) this.fromServer(prng.pick([SYN, SYN | ACK, ACK, FIN | ACK]), prng.pick(REPORT_PORTS));
    else if (kind === 4) this.fromServer(prng.pick([SYN | ACK, ACK, FIN | ACK, RST]), prng.integer(1024, 65535));
    else if (kind < 8) this.forge();
    else this.garbage();
  }

  /** Aims at a connection that lives, as a server that has no part in it. */
  private forge(): void {
    const { prng, ledger } = this.world;
    const target = ledger.recent.length > 0 ? prng.pick(ledger.recent) : undefined;
    const party = prng.integer(ITMS, SERVERS.length - 1);
    if (target === undefined || target.isOver || target.accepted === 0 || target.accepted & (1 << party)) return;
    this.segment.source = SERVERS[party]!.address;
    this.segment.destination = target.cpe;
    this.segment.sourcePort = target.port;
    this.segment.destinationPort = target.cpePort;
    this.send(party, prng.pick([ACK, FIN | ACK]));
  }

  private fromCpe(flags: number, port: number, isStranger: boolean): void {
    const { prng, options } = this.world;
    const line = isStranger ? options.cpes + prng.integer(0, STRANGERS) : prng.integer(0, options.cpes - 1);
    this.segment.source = lineAddress(line);
    this.segment.destination = ACS;
    this.segment.sourcePort = prng.integer(1024, 40_000);
    this.segment.destinationPort = port;
    this.send(CPE, flags);
  }

  /** To lines without a CPE: this file does not deal with answers of real CPEs. */
  private fromServer(flags: number, port: number): void {
    const { prng, options } = this.world;
    const party = prng.integer(ITMS, SERVERS.length - 1);
    this.segment.source = SERVERS[party]!.address;
    this.segment.destination = prng.chance(0.1) ? SERVERS[0]!.address : lineAddress(options.cpes + prng.integer(0, 9));
    this.segment.sourcePort = port;
    this.segment.destinationPort = prng.integer(1, 65535);
    this.send(party, flags);
  }

  /** A packet with a few bytes changed to anything, its length too. */
  private garbage(): void {
    const { prng, network } = this.world;
    const packet = network.take();
    const { segment } = this;
    segment.source = lineAddress(this.world.options.cpes + prng.integer(0, STRANGERS));
    segment.destination = prng.chance(0.9) ? ACS : SERVERS[0]!.address;
    segment.flags = prng.integer(0, 255);
    segment.sourcePort = prng.integer(1, 65535);
    segment.destinationPort = prng.chance(0.5) ? REPORT_PORTS[0]! : prng.integer(1, 65535);
    packet.length = encode(segment, undefined, packet.bytes);
    for (let i = prng.integer(1, 3); i > 0; i--) {
      packet.bytes[prng.pick(segment.isIpv6 ? IPV6_BYTES : IPV4_BYTES)] = prng.integer(0, 255);
      // A packet of a family that the run does not have belongs to nobody.
      if (isIpv6(packet.bytes) !== segment.isIpv6) packet.bytes[0] = 0x55;
    }
    if (prng.chance(0.3)) packet.length = prng.integer(1, packet.length);
    packet.sender = CPE;
    network.splitter.arrive(packet);
  }

  private send(party: number, flags: number): void {
    const { prng, network } = this.world;
    const packet = network.take();
    this.segment.flags = flags;
    this.segment.sequence = prng.int32();
    this.segment.acknowledgement = flags & ACK ? prng.int32() : 0;
    packet.length = encode(this.segment, undefined, packet.bytes);
    packet.sender = party;
    network.splitter.arrive(packet);
  }
}

/**
 * `packets` on the control socket: the packets of one CPE, or of all, as the verdict loop saw them. Each request renews
 * a lease that makes the loop keep packets; when a reader stops asking, the lease ends within seconds and the loop
 * stops looking. Answers are bounded. The first request only returns the position to start from.
 */

import { type Address } from '../../packet/address';
import { type Answers, type ControlRequest, cpeOf, refuseStranger } from '../shared/control-request';
import { EngineError } from '../shared/engine-error';
import { type PacketRing, type RingPacket } from '../shared/packet-ring';

/** Longest interval between two requests of one reader. */
const LEASE_MS = 5000;
/** 1.5 MB of JSON when all packets are full size. */
const MAX_PACKETS = 512;

/** A packet as it goes over the socket. */
export interface TracedPacket extends Omit<RingPacket, 'bytes' | 'after'> {
  /** Base64. */
  bytes: string;
  after: string;
}

export interface PacketsAnswer {
  /** Changes when the engine restarts; packet numbers then restart. */
  run: string;
  nowMs: number;
  /** Pass this as `since` next time. */
  next: number;
  /** More packets are available now. */
  more: boolean;
  /** Packets, of any CPE, overwritten before they could be read. */
  missed: number;
  packets: TracedPacket[];
}

/** What a trace reads from. */
export interface Traced {
  ring: PacketRing;
  /** Identifies this run of the engine. */
  run: string;
  /** CLOCK_BOOTTIME in ms. */
  clock: () => number;
  isCpe: (address: Address) => boolean;
  /** Has this CPE's packets come to the engine for so long, where the kernel carries them. */
  watch: (cpe: Address, nowMs: number, forMs: number) => void;
}

export function packetTrace({ ring, run, clock, isCpe, watch }: Traced): Answers<'packets'> {
  return {
    packets: (request) => {
      // Only on the first request: a reload that removes a network does not end a trace.
      if (request.since === undefined && request.cpe !== undefined) refuseStranger({ isCpe }, cpeOf(request));
      if (request.cpe !== undefined) watch(cpeOf(request), clock(), LEASE_MS);
      return readPackets(ring, request, run, clock());
    },
  };
}

function readPackets(ring: PacketRing, request: ControlRequest, run: string, nowMs: number): PacketsAnswer {
  const cpe = request.cpe === undefined ? undefined : cpeOf(request);
  const since = request.since ?? ring.written;
  if (typeof since !== 'number' || !Number.isSafeInteger(since) || since < 0) {
    throw new EngineError('since must be a whole number');
  }
  if (!ring.lease(cpe, nowMs, nowMs + LEASE_MS)) {
    throw new EngineError('eight others trace packets already; end one of them');
  }
  const packets: TracedPacket[] = [];
  const { next, missed } = ring.readSince(since, cpe, (packet) => packets.push(asText(packet)) < MAX_PACKETS);
  return { run, nowMs, next, more: next < ring.written, missed, packets };
}

function asText({ bytes, after, ...rest }: RingPacket): TracedPacket {
  return { ...rest, bytes: Buffer.from(bytes).toString('base64'), after: Buffer.from(after).toString('base64') };
}

/**
 * `packets` on the control socket: the packets of one CPE, or all, as the verdict loop saw them. Asking is what has them
 * kept: who stops asking is forgotten after a few seconds, and the loop looks no more. Answers are bounded; the first
 * question only says where to begin.
 */

import { type Address } from '../../packet/address';
import { type Answers, type ControlRequest, cpeOf, refuseStranger } from '../shared/control-request';
import { EngineError } from '../shared/engine-error';
import { type PacketRing, type RingPacket } from '../shared/packet-ring';

/** Between two questions of one reader, at the most. */
const LEASE_MS = 5000;
/** A megabyte and a half of JSON when all are full. */
const MAX_PACKETS = 512;

/** A packet as it goes over the socket. */
export interface TracedPacket extends Omit<RingPacket, 'bytes' | 'after'> {
  /** Base64. */
  bytes: string;
  after: string;
}

export interface PacketsAnswer {
  /** Differs after a restart of the engine: numbers begin anew. */
  run: string;
  nowMs: number;
  /** To be given as `since` the next time. */
  next: number;
  /** More is there already. */
  more: boolean;
  /** Packets of whomever that had been overwritten before they could be read. */
  missed: number;
  packets: TracedPacket[];
}

/** What packets are traced from. */
export interface Traced {
  ring: PacketRing;
  /** Names this run of the engine. */
  run: string;
  /** CLOCK_BOOTTIME in ms. */
  clock: () => number;
  isCpe: (address: Address) => boolean;
}

export function packetTrace({ ring, run, clock, isCpe }: Traced): Answers<'packets'> {
  return {
    packets: (request) => {
      // Once: a reload that takes a network away ends no trace.
      if (request.since === undefined && request.cpe !== undefined) refuseStranger({ isCpe }, cpeOf(request));
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

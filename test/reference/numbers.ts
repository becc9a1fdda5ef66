/**
 * Proof of the sender. The numbers of a connection come from its server, whose packets cannot be forged; a CPE's packet
 * must fit them. [2]
 */
import { ahead, plus } from './arithmetic';
import { type ReadPacket } from './packet';

export interface Numbers {
  /** False until the server has sent a packet with both ends' numbers. */
  areLearned: boolean;
  serverNext: number;
  serverAck: number;
  /** Right edge of the server's window. */
  serverEdge: number;
  cpeNext: number;
  cpeAck: number;
  cpeEdge: number;
  /** Undefined: a SYN without the option. */
  serverScale: number | undefined;
  cpeScale: number | undefined;
}

/** A jump that is larger than the receiver's window by this means that packets were missed. */
const GAP = 2 ** 20;
/** How old an acknowledgement may be. */
const OLD_ACK = 2 ** 16;
/** How much a SYN and its data take. */
const SYN_LENGTH = 2 ** 16;

export function noNumbers(): Numbers {
  const ends = { serverNext: 0, serverAck: 0, serverEdge: 0, cpeNext: 0, cpeAck: 0, cpeEdge: 0 };
  return { areLearned: false, ...ends, serverScale: 0, cpeScale: 0 };
}

/** Behind the last byte of a packet; a SYN or FIN takes one number of its own. */
export function endOf(packet: ReadPacket, marks = 0): number {
  return plus(packet.sequence, packet.payload.length + marks);
}

function scaled({ window }: ReadPacket, own: number | undefined, other: number | undefined): number {
  return own === undefined || other === undefined ? window : window * 2 ** own;
}

// ---- SYNs ----

export function openedByCpe(numbers: Numbers, packet: ReadPacket): void {
  numbers.cpeScale = packet.windowScale;
  numbers.cpeNext = endOf(packet, 1);
}

export function openedByServer(numbers: Numbers, packet: ReadPacket): void {
  numbers.serverScale = packet.windowScale;
  numbers.serverNext = endOf(packet, 1);
}

/** SYN+ACK of the CPE, proven. */
export function acceptedByCpe(numbers: Numbers, packet: ReadPacket): void {
  openedByCpe(numbers, packet);
  numbers.cpeAck = packet.acknowledgement;
}

/** SYN+ACK of the server. */
export function acceptedByServer(numbers: Numbers, packet: ReadPacket): void {
  openedByServer(numbers, packet);
  const first = plus(packet.sequence, 1);
  Object.assign(numbers, {
    areLearned: true,
    serverAck: packet.acknowledgement,
    // The window of a SYN is never scaled.
    serverEdge: plus(packet.acknowledgement, packet.window),
    cpeNext: packet.acknowledgement,
    cpeAck: first,
    cpeEdge: first,
  });
}

/** This packet answers the SYN with that ISN. */
export function answersSyn({ acknowledgement }: ReadPacket, isn: number): boolean {
  const acknowledged = ahead(acknowledgement, isn);
  return acknowledged >= 1 && acknowledged <= SYN_LENGTH;
}

/** A RST that refuses the SYN of that ISN. */
export function refuses(packet: ReadPacket, isn: number): boolean {
  return packet.ack && answersSyn(packet, isn);
}

/** The CPE's SYN+ACK acknowledges what the server has sent, from its SYN on. */
export function acceptsSyn({ serverNext }: Numbers, { acknowledgement }: ReadPacket, isn: number): boolean {
  const acknowledged = ahead(acknowledgement, isn);
  return acknowledged >= 1 && acknowledged <= ahead(serverNext, isn);
}

// ---- the server ----

/** @param end behind its last byte, SYN or FIN @param window of the CPE, as far as it is known */
export function spokenByServer(numbers: Numbers, packet: ReadPacket, end: number, window = 0): void {
  if (!packet.ack) return;
  const { acknowledgement, sequence } = packet;
  const edge = plus(acknowledgement, scaled(packet, numbers.serverScale, numbers.cpeScale));
  const { serverNext, serverAck, serverEdge } = numbers;
  const isGap =
    jumps(ahead(end, serverNext), window) || jumps(ahead(acknowledgement, serverAck), ahead(serverEdge, serverAck));
  if (!numbers.areLearned || isGap) {
    Object.assign(numbers, { areLearned: true, serverNext: end, serverAck: acknowledgement, serverEdge: edge });
    Object.assign(numbers, { cpeNext: acknowledgement, cpeAck: sequence, cpeEdge: sequence });
    return;
  }
  numbers.serverNext = later(numbers.serverNext, end);
  numbers.serverAck = later(numbers.serverAck, acknowledgement);
  numbers.serverEdge = later(numbers.serverEdge, edge);
}

function jumps(further: number, window: number): boolean {
  return Math.abs(further) > GAP + Math.max(window, 0);
}

function later(one: number, other: number): number {
  return ahead(other, one) > 0 ? other : one;
}

/** Data that the server has not sent before. */
export function isNewOfServer({ serverNext }: Numbers, end: number, window = 0): boolean {
  const further = ahead(end, serverNext);
  return further > 0 || jumps(further, window);
}

/** The server acknowledges one beyond the CPE's data: the CPE's FIN has come. */
export function acknowledgesFin({ areLearned, cpeNext }: Numbers, { acknowledgement }: ReadPacket): boolean {
  return areLearned && acknowledgement === plus(cpeNext, 1);
}

/** A RST of the server, exact; servers cannot be forged, and without numbers it is believed. */
export function isRstOfServer(numbers: Numbers, { sequence }: ReadPacket, hasFin: boolean): boolean {
  const { areLearned, cpeAck, serverNext } = numbers;
  return !areLearned || [cpeAck, serverNext].includes(sequence) || (hasFin && sequence === plus(cpeAck, -1));
}

// ---- the CPE ----

/**
 * An ACK, data or FIN that is the CPE's: within the server's window from its last acknowledgement, keep-alive probes
 * included, and acknowledging what the server has sent, not too long ago.
 *
 * @param window of the CPE, as far as it is known
 */
export function isOfCpe(numbers: Numbers, packet: ReadPacket, isAnswered: boolean, window: number): boolean {
  const { areLearned, serverAck, serverEdge, serverNext, cpeAck } = numbers;
  if (!areLearned || !packet.ack) return false;
  const into = ahead(packet.sequence, serverAck);
  const behind = ahead(serverNext, packet.acknowledgement);
  const isInWindow = into >= -1 && into <= ahead(serverEdge, serverAck);
  const isAcknowledging = behind >= 0 && behind <= Math.max(OLD_ACK, window);
  // What has to be shown first is that the SYN+ACK was seen.
  return isInWindow && isAcknowledging && (isAnswered || ahead(packet.acknowledgement, cpeAck) >= 0);
}

export function windowOfCpe({ cpeEdge, cpeAck }: Numbers): number {
  return ahead(cpeEdge, cpeAck);
}

export function isNewOfCpe({ cpeNext }: Numbers, packet: ReadPacket): boolean {
  return packet.payload !== '' && ahead(endOf(packet), cpeNext) > 0;
}

/** A valid packet of the CPE. @param fin 1 where its FIN counts */
export function spokenByCpe(numbers: Numbers, packet: ReadPacket, fin = 0): void {
  const end = endOf(packet, fin);
  // A FIN may lie behind the last byte of the window.
  if (ahead(plus(numbers.serverEdge, 1), end) >= 0) numbers.cpeNext = later(numbers.cpeNext, end);
  numbers.cpeAck = later(numbers.cpeAck, packet.acknowledgement);
  const edge = plus(packet.acknowledgement, scaled(packet, numbers.cpeScale, numbers.serverScale));
  numbers.cpeEdge = later(numbers.cpeEdge, edge);
}

/** A valid FIN of the CPE that comes where its data end: before its own data, or behind them. */
export function isFinOfCpe(numbers: Numbers, packet: ReadPacket): boolean {
  return isEdgeOfCpe(numbers, packet.sequence) || isEdgeOfCpe(numbers, endOf(packet));
}

/** A RST of the CPE, exact. */
export function isRstOfCpe(numbers: Numbers, { sequence }: ReadPacket, hasFin: boolean): boolean {
  if (!numbers.areLearned) return false;
  return isEdgeOfCpe(numbers, sequence) || (hasFin && sequence === plus(numbers.serverAck, -1));
}

function isEdgeOfCpe({ serverAck, cpeNext }: Numbers, sequence: number): boolean {
  return sequence === serverAck || sequence === cpeNext;
}

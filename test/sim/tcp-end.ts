/**
 * One end of a TCP connection (RFC 9293), small but correct, with Linux's answers to packets that are not its peer's:
 * handshake, in-order data, retransmission with back-off (RFC 6298, without estimating round trips), windows and their
 * scale (RFC 7323), keep-alive, orderly close, TIME-WAIT, resets by exact sequence number and challenge ACKs (RFC
 * 5961), at most one per half second. Out-of-order data is dropped and comes again; a FIN is kept.
 */
import { type Connection } from './ledger';
import { type Due, type Timeline } from './timeline';
import { ACK, FIN, NO_SCALE, type Payload, PSH, RST, type Segment, SYN } from './wire';

export const enum State {
  SynSent,
  SynReceived,
  Open,
  TimeWait,
  Closed,
}

/** How an end came to its end. */
export type Ending = 'closed' | 'reset' | 'timeout' | 'dropped';

/** What an application sees of its end. */
export interface App {
  opened(end: TcpEnd): void;
  /** @param bytes where the segment's payload lies from `at` on, `length` long; `isLast` ends a message */
  received(end: TcpEnd, bytes: Uint8Array, at: number, length: number, isLast: boolean): void;
  peerClosed(end: TcpEnd): void;
  ended(end: TcpEnd, how: Ending): void;
}

/** How a host's TCP is set up. */
export interface Limits {
  readonly synRetries: number;
  readonly dataRetries: number;
  /** Idle time before a keep-alive probe; infinite: none. */
  readonly keepAliveMs: number;
}

/** What an end needs of its host. */
export interface TcpHost {
  readonly timeline: Timeline;
  readonly limits: Limits;
  /** RFC 7323, or NO_SCALE. */
  readonly windowScale: number;
  transmit(end: TcpEnd, flags: number, sequence: number, acknowledgement: number, payload: Payload | undefined): void;
  /** Answers what belongs to no connection of this end by a reset from the number that it asks for. */
  refuse(end: TcpEnd, segment: Segment): void;
  /** The end is over, in a way that the application learns as well. */
  forget(end: TcpEnd, how: Ending, attempts: number): void;
}

const FIRST_RTO_MS = 1000;
const LONGEST_RTO_MS = 60_000;
const TIME_WAIT_MS = 5_000;
const WINDOW_SEGMENTS = 8;
const WINDOW_BYTES = 64240;
const SCALED_WINDOW_BYTES = 262_144;
const MAX_WINDOW_FIELD = 0xffff;
/** Linux, tcp_invalid_ratelimit: applies to answers to out-of-window packets without data, and to challenge ACKs. */
const CHALLENGE_MS = 500;
const MAX_PROBES = 5;

interface Outgoing {
  sequence: number;
  /** Sequence numbers that it takes. */
  length: number;
  flags: number;
  payload: Payload | undefined;
}

export class TcpEnd implements Due {
  state: State;
  /** The peer's FIN came. */
  isPeerClosed = false;
  isFinSent = false;
  /** When the peer last sent something. */
  heardMs = 0;
  /** The window scale that this end may offer: its host's, unless the peer's SYN offered none. */
  offeredScale: number;
  /** The end that closes last forgets the connection with the last ACK; the other keeps TIME-WAIT. */
  private isLastToClose = false;
  private readonly outbox: Outgoing[] = [];
  /** How many of the outbox have been sent since the last time-out. */
  private sentCount = 0;
  private unacknowledged: number;
  /** Behind everything ever sent. */
  private sentEnd: number;
  private next: number;
  private expected = 0;
  /** Position of a FIN that has overtaken data: it counts once the data has arrived. */
  private earlyFin: number | undefined = undefined;
  private retries = 0;
  private rtoMs = FIRST_RTO_MS;
  private challengedMs = Number.NEGATIVE_INFINITY;
  private probes = 0;
  /** The deadline is that of a keep-alive probe. */
  private isIdle = false;
  /** When to retransmit, to probe or to leave TIME-WAIT; never where infinite. */
  private deadlineMs = Number.POSITIVE_INFINITY;
  /** When the timeline calls next. */
  private dueMs = Number.POSITIVE_INFINITY;

  private constructor(
    readonly host: TcpHost,
    readonly app: App,
    readonly connection: Connection | undefined,
    readonly remote: number,
    readonly remotePort: number,
    readonly localPort: number,
    isn: number,
    state: State,
  ) {
    this.state = state;
    this.unacknowledged = isn;
    this.sentEnd = isn;
    this.next = isn;
    this.offeredScale = host.windowScale;
  }

  /** Opens a connection: sends the SYN. */
  static connect(
    host: TcpHost,
    app: App,
    connection: Connection,
    remote: number,
    remotePort: number,
    localPort: number,
    isn: number,
    synFlags = 0,
  ): TcpEnd {
    const end = new TcpEnd(host, app, connection, remote, remotePort, localPort, isn, State.SynSent);
    end.enqueue(SYN | synFlags, undefined);
    return end;
  }

  /** Answers a SYN. The host has checked that it may. */
  static accept(host: TcpHost, app: App, connection: Connection | undefined, syn: Segment, isn: number): TcpEnd {
    const { source, sourcePort, destinationPort } = syn;
    const end = new TcpEnd(host, app, connection, source, sourcePort, destinationPort, isn, State.SynReceived);
    end.expected = (syn.sequence + 1) | 0;
    if (syn.scale === NO_SCALE) end.offeredScale = NO_SCALE;
    end.enqueue(SYN | ACK, undefined);
    return end;
  }

  send(payload: Payload, isLast: boolean): void {
    if (this.state === State.Closed || this.isFinSent) return;
    this.enqueue(isLast ? ACK | PSH : ACK, payload);
  }

  /** No more data: sends a FIN behind what is in the queue. */
  close(): void {
    if (this.state === State.Closed || this.isFinSent) return;
    this.isFinSent = true;
    this.isLastToClose = this.isPeerClosed;
    if (this.connection !== undefined) this.connection.isClosing = true;
    this.enqueue(FIN | ACK, undefined);
  }

  /** The application has enough, or leaves data unread. */
  abort(): void {
    if (this.state === State.Closed) return;
    this.host.transmit(this, RST | ACK, this.sentEnd, this.expected, undefined);
    this.end('dropped', 0);
  }

  /** The host is gone: no packet, no word. */
  vanish(): void {
    this.state = State.Closed;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** Everything that was sent has been acknowledged. */
  get isDrained(): boolean {
    return this.outbox.length === 0;
  }

  /** Either side is closing: everything that matters was sent. */
  get isClosing(): boolean {
    return this.isFinSent || this.isPeerClosed;
  }

  /** The value of its window field. @param flags of the packet that carries it: a SYN's is not scaled */
  windowField(flags: number): number {
    const bytes = this.host.windowScale === NO_SCALE ? WINDOW_BYTES : SCALED_WINDOW_BYTES;
    const shift = flags & SYN || this.offeredScale === NO_SCALE ? 0 : this.offeredScale;
    return Math.min(MAX_WINDOW_FIELD, bytes >>> shift);
  }

  /** A SYN in TIME-WAIT opens a new connection if it is newer than all of the old one (RFC 9293 section 3.10.7.4). */
  yieldsTo(segment: Segment): boolean {
    return this.state === State.TimeWait && ((segment.sequence - this.expected) | 0) > 0;
  }

  /** Misbehaves: sends a packet whose number is off by so much, within what the peer's window takes. */
  misspeak(flags: number, by: number): void {
    if (this.state === State.Open) this.host.transmit(this, flags, (this.sentEnd + by) | 0, this.expected, undefined);
  }

  // ---- what arrives (RFC 9293 section 3.10.7, in Linux' order) ----

  receive(segment: Segment, bytes: Uint8Array): void {
    if (this.state === State.SynSent) return this.receiveInSynSent(segment);
    const { flags } = segment;
    if (this.state === State.SynReceived && (flags & (SYN | RST)) === 0) {
      if ((flags & ACK) === 0) return;
      if (segment.acknowledgement !== this.sentEnd) return this.host.refuse(this, segment);
    }
    if (!this.isInWindow(segment)) {
      if (flags & RST) return this.receiveLateReset(segment);
      return segment.payloadLength > 0 && (flags & SYN) === 0 ? this.sendAck() : this.challenge();
    }
    if (flags & RST) return this.receiveReset(segment);
    if (flags & SYN) return this.receiveSyn(segment);
    if ((flags & ACK) === 0) return;
    if (this.state === State.SynReceived) {
      this.state = State.Open;
      this.acknowledge(segment.acknowledgement);
      this.app.opened(this);
    } else if (!this.acknowledge(segment.acknowledgement)) {
      return this.challenge();
    }
    this.rest();
    if (segment.payloadLength > 0 || flags & FIN) this.receiveText(segment, bytes);
    this.settle();
  }

  /** Ends not before what is expected, begins not behind the window. */
  private isInWindow({ sequence, payloadLength, flags }: Segment): boolean {
    const length = payloadLength + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
    const window = this.host.windowScale === NO_SCALE ? WINDOW_BYTES : SCALED_WINDOW_BYTES;
    return ((sequence + length - this.expected) | 0) >= 0 && ((sequence - this.expected) | 0) <= window;
  }

  private receiveInSynSent(segment: Segment): void {
    const { flags } = segment;
    if (flags & ACK && segment.acknowledgement !== this.sentEnd) {
      if ((flags & RST) === 0) this.host.refuse(this, segment);
      return;
    }
    if (flags & RST) {
      if (flags & ACK) this.end('reset', 0);
      return;
    }
    if ((flags & (SYN | ACK)) !== (SYN | ACK)) return;
    if (segment.scale === NO_SCALE) this.offeredScale = NO_SCALE;
    this.expected = (segment.sequence + 1) | 0;
    this.state = State.Open;
    this.acknowledge(segment.acknowledgement);
    this.sendAck();
    this.rest();
    this.app.opened(this);
  }

  private receiveReset(segment: Segment): void {
    if (segment.sequence === this.expected) this.end('reset', 0);
    else this.challenge();
  }

  /** From a peer that sent its FIN and then aborted: one below what is expected. */
  private receiveLateReset(segment: Segment): void {
    if (this.isPeerClosed && segment.sequence === ((this.expected - 1) | 0)) this.end('reset', 0);
  }

  private receiveSyn(segment: Segment): void {
    const isRepeated = ((segment.sequence + 1) | 0) === this.expected;
    if (this.state === State.SynReceived && isRepeated && (segment.flags & ACK) === 0) this.retransmit();
    else this.challenge();
  }

  private receiveText(segment: Segment, bytes: Uint8Array): void {
    if (segment.sequence !== this.expected || this.isPeerClosed) {
      const isAhead = ((segment.sequence - this.expected) | 0) > 0;
      if (segment.flags & FIN && segment.payloadLength === 0 && isAhead) this.earlyFin = segment.sequence;
      return this.sendAck();
    }
    this.expected = (this.expected + segment.payloadLength) | 0;
    const isFin = (segment.flags & FIN) !== 0 || this.earlyFin === this.expected;
    if (isFin) {
      this.expected = (this.expected + 1) | 0;
      this.isPeerClosed = true;
    }
    this.sendAck();
    if (segment.payloadLength > 0) {
      const isLast = (segment.flags & PSH) !== 0;
      this.app.received(this, bytes, segment.payloadAt, segment.payloadLength, isLast);
    }
    if (isFin && this.state !== State.Closed) this.app.peerClosed(this);
  }

  /** False when it acknowledges what was never sent, or what was acknowledged very long ago. */
  private acknowledge(acknowledgement: number): boolean {
    if (((acknowledgement - this.sentEnd) | 0) > 0) return false;
    const ahead = (acknowledgement - this.unacknowledged) | 0;
    if (ahead <= 0) return ahead >= -SCALED_WINDOW_BYTES;
    this.unacknowledged = acknowledgement;
    const { outbox } = this;
    while (outbox.length > 0 && ((outbox[0]!.sequence + outbox[0]!.length - acknowledgement) | 0) <= 0) {
      outbox.shift();
      if (this.sentCount > 0) this.sentCount--;
    }
    this.retries = 0;
    this.rtoMs = FIRST_RTO_MS;
    if (outbox.length > 0) this.setTimer(this.rtoMs);
    else this.deadlineMs = Number.POSITIVE_INFINITY;
    this.pump();
    return true;
  }

  /** Both ends have sent FIN, and ours is acknowledged. */
  private settle(): void {
    if (this.state !== State.Open || !this.isFinSent || !this.isPeerClosed || !this.isDrained) return;
    if (this.isLastToClose) return this.end('closed', 0);
    this.state = State.TimeWait;
    this.setTimer(TIME_WAIT_MS);
  }

  // ---- what leaves ----

  private enqueue(flags: number, payload: Payload | undefined): void {
    const length = (payload === undefined ? 0 : payload.bytes.length) + (flags & (SYN | FIN) ? 1 : 0);
    this.outbox.push({ sequence: this.next, length, flags, payload });
    this.next = (this.next + length) | 0;
    this.pump();
  }

  private pump(): void {
    const { outbox } = this;
    while (this.sentCount < outbox.length && this.sentCount < WINDOW_SEGMENTS) {
      // Nothing goes before the handshake is through.
      if (this.state !== State.Open && (outbox[this.sentCount]!.flags & SYN) === 0) return;
      this.transmit(outbox[this.sentCount++]!);
    }
  }

  private transmit(outgoing: Outgoing): void {
    const end = (outgoing.sequence + outgoing.length) | 0;
    if (((end - this.sentEnd) | 0) > 0) this.sentEnd = end;
    if (this.isIdle || this.deadlineMs === Number.POSITIVE_INFINITY) this.setTimer(this.rtoMs);
    this.host.transmit(this, outgoing.flags, outgoing.sequence, this.expected, outgoing.payload);
  }

  private retransmit(): void {
    if (this.outbox.length === 0) return;
    this.sentCount = 1;
    this.transmit(this.outbox[0]!);
  }

  private sendAck(): void {
    this.host.transmit(this, ACK, this.sentEnd, this.expected, undefined);
  }

  /** Asks the peer whether that was its packet. */
  private challenge(): void {
    const { nowMs } = this.host.timeline;
    if (nowMs - this.challengedMs < CHALLENGE_MS) return;
    this.challengedMs = nowMs;
    this.sendAck();
  }

  // ---- time ----

  /** The peer has spoken: where nothing waits for its acknowledgement, a keep-alive probe is the next thing to send. */
  private rest(): void {
    this.probes = 0;
    this.heardMs = this.host.timeline.nowMs;
    if (this.state !== State.Open || this.outbox.length > 0 || !Number.isFinite(this.host.limits.keepAliveMs)) return;
    this.setTimer(this.host.limits.keepAliveMs);
    this.isIdle = true;
  }

  due(): void {
    const { nowMs } = this.host.timeline;
    // Another call was set for an earlier time.
    if (nowMs !== this.dueMs) return;
    this.dueMs = Number.POSITIVE_INFINITY;
    if (this.deadlineMs === Number.POSITIVE_INFINITY) return;
    if (nowMs < this.deadlineMs) return this.armTimer();
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (this.state === State.TimeWait) return this.end('closed', 0);
    if (this.isIdle) return this.probe();
    const { synRetries, dataRetries } = this.host.limits;
    if (this.retries >= (this.state === State.Open ? dataRetries : synRetries)) {
      return this.end('timeout', this.retries + 1);
    }
    this.retries++;
    this.rtoMs = Math.min(this.rtoMs * 2, LONGEST_RTO_MS);
    this.retransmit();
  }

  /** RFC 9293 section 3.8.4: one below the next number, which draws an ACK. */
  private probe(): void {
    if (this.probes >= MAX_PROBES) return this.end('timeout', this.probes);
    this.host.transmit(this, ACK, (this.sentEnd - 1) | 0, this.expected, undefined);
    this.setTimer(this.host.limits.keepAliveMs);
    this.isIdle = true;
    this.probes++;
  }

  private setTimer(delayMs: number): void {
    this.isIdle = false;
    this.deadlineMs = this.host.timeline.nowMs + delayMs;
    if (this.deadlineMs < this.dueMs) this.armTimer();
  }

  /** One call of the timeline counts: where the deadline has moved away, it is set again when it comes up. */
  private armTimer(): void {
    this.dueMs = this.deadlineMs;
    this.host.timeline.at(this.dueMs, this);
  }

  private end(how: Ending, attempts: number): void {
    if (this.state === State.Closed) return;
    this.vanish();
    this.host.forget(this, how, attempts);
  }
}

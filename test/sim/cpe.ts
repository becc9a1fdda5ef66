/** A CPE: powers on and off, informs its ACS when TR-069 says so, and answers Connection Requests. */
import { CpeSession } from './cpe-session';
import { Host, takeOut, type Surroundings, type Welcome } from './host';
import { Cause } from './ledger';
import { CLEAR, GET, Kind, kindOf, LONG_SUCCESS, type Message, ODD, SPLIT_SUCCESS, SUCCESSES } from './messages';
import { UNAUTHORIZED, UNAVAILABLE } from './messages';
import { type Line } from './network';
import { ACS, CPE, ITMS_PORTS, REPORT_PORTS } from './parties';
import { type Prng } from './prng';
import { type App, type Ending, State, type TcpEnd } from './tcp-end';
import { ACK, CWR, ECE, FIN, NO_SCALE, RST, type Segment } from './wire';

/** Linux: six repetitions of a SYN. */
const LIMITS = { synRetries: 6, dataRetries: 7, keepAliveMs: Number.POSITIVE_INFINITY };
const PROBING_LIMITS = { ...LIMITS, keepAliveMs: 20_000 };
/** TR-069, 3.2.1.1: session retry waits, in seconds; doubled at each failure. */
const RETRY_SECONDS = [5, 10] as const;
const MAX_DOUBLINGS = 9;
const FIRST_PORT = 49152;
const PORTS = 40;
const TLS_SHARE = 0.2;
const HOSTILE_SHARE = 0.04;
/** What a misbehaving CPE does when woken: many connections at once, and unsolicited answers. */
const STAMPEDE = 24;
const REPEATED_ANSWERS = 30;
/** Requests that come sooner than this after another one are throttled. */
const THROTTLE_MS = 500;

/** How a CPE answers Connection Requests. */
type Manner = 'http' | 'odd' | 'silent' | 'hostile';

export interface CpeCounts {
  sessions: number;
  completed: number;
  failed: number;
  requests: number;
  woken: number;
}

export class Cpe extends Host implements App {
  readonly reportPort: number;
  readonly requestPort: number;
  readonly speaksTls: boolean;
  protected override readonly synFlags: number;
  override readonly windowScale: number;
  private readonly ends: TcpEnd[] = [];
  private readonly manner: Manner;
  private readonly wantsDigest: boolean;
  private session: CpeSession | undefined = undefined;
  /** A Connection Request came while a session ran. */
  private isWanted = false;
  private isRetired = false;
  private failures = 0;
  private nextPort = 0;
  private lastRequestMs = Number.NEGATIVE_INFINITY;
  /** Counts power-ups: timers of an earlier life are void. */
  private life = 0;

  constructor(
    around: Surroundings,
    address: number,
    public line: Line,
    private readonly informMs: number,
    private readonly counts: CpeCounts,
    mayBeHostile: boolean,
  ) {
    super(around, CPE, address, around.prng.chance(0.3) ? PROBING_LIMITS : LIMITS);
    const { prng } = this;
    this.reportPort = prng.pick(REPORT_PORTS);
    this.requestPort = prng.pick([7547, 7170, 30005, 58000]);
    this.synFlags = prng.chance(0.1) ? ECE | CWR : 0;
    this.windowScale = prng.pick([NO_SCALE, NO_SCALE, 2, 7]);
    this.speaksTls = prng.chance(TLS_SHARE);
    this.manner = mayBeHostile && prng.chance(HOSTILE_SHARE) ? 'hostile' : chooseManner(prng);
    this.wantsDigest = prng.chance(0.6);
    line.cpe = this;
    this.scheduleInform(prng.between(0, informMs));
  }

  // ---- power ----

  powerOff(): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.life++;
    for (const end of this.ends) {
      if (end.connection !== undefined) {
        end.connection.causes |= Cause.Down;
        end.connection.isOver = true;
      }
      end.vanish();
    }
    this.ends.length = 0;
    this.session = undefined;
    this.isWanted = false;
  }

  /** @param bootMs longest time until the boot session */
  powerOn(bootMs: number): void {
    if (this.isUp) return;
    this.isUp = true;
    this.failures = 0;
    // Many a device counts its ports from the beginning again; one that counts from the clock may hit upon the last one.
    const ports = this.prng.unit();
    if (ports < 0.5) this.nextPort = 0;
    else if (ports < 0.8 && this.nextPort > 0) this.nextPort--;
    this.later(this.prng.between(0, bootMs), () => this.startSession());
    this.scheduleInform(this.informMs);
  }

  /** Another line, and with it another address. Only while it is off. */
  moveTo(address: number, line: Line): void {
    this.address = address;
    this.line = line;
    line.cpe = this;
  }

  /** Does something later, unless the power has gone by then. */
  later(delayMs: number, action: () => void): void {
    const { life } = this;
    this.timeline.after(delayMs, () => {
      if (this.life === life && this.isUp) action();
    });
  }

  private scheduleInform(delayMs: number): void {
    this.later(delayMs, () => {
      this.startSession();
      if (!this.isRetired) this.scheduleInform(this.informMs);
    });
  }

  /** Starts nothing more: no session, no answer to requests. What is running ends. */
  retire(): void {
    this.isRetired = true;
  }

  // ---- sessions ----

  get hasSession(): boolean {
    return this.isUp && this.session !== undefined;
  }

  startSession(): void {
    if (this.session !== undefined || this.isRetired) return;
    this.counts.sessions++;
    this.session = new CpeSession(this, this.prng);
    this.session.begin();
  }

  /** The session is over. */
  sessionEnded(isComplete: boolean): void {
    this.session = undefined;
    if (isComplete) {
      this.counts.completed++;
      this.failures = 0;
    } else {
      this.counts.failed++;
      const seconds = this.prng.between(...RETRY_SECONDS) * 2 ** Math.min(this.failures++, MAX_DOUBLINGS);
      this.later(seconds * 1000, () => this.startSession());
    }
    if (!this.isWanted) return;
    this.isWanted = false;
    this.later(this.prng.between(0, 500), () => this.startSession());
  }

  /** Opens a connection to the ACS address. */
  dial(app: App, port: number): TcpEnd | undefined {
    for (let attempt = 0; attempt < PORTS; attempt++) {
      const localPort = FIRST_PORT + (this.nextPort++ % PORTS);
      if (this.find(ACS, port, localPort) !== undefined) continue;
      const connection = this.ledger.open(this.address, localPort, port, CPE);
      if (this.manner === 'hostile') connection.causes |= Cause.Hostile;
      return this.connect(app, connection, ACS, port, localPort);
    }
    return undefined;
  }

  /** A file from the ITMS's other port: nothing that may ever be diverted. */
  download(): void {
    this.dial(new Download(), this.prng.pick(ITMS_PORTS));
  }

  // ---- Connection Requests ----

  protected override endsWith(): TcpEnd[] {
    return this.ends;
  }

  protected override keep(end: TcpEnd): void {
    this.ends.push(end);
  }

  protected override remove(end: TcpEnd): void {
    takeOut(this.ends, end);
  }

  protected override welcome(syn: Segment): Welcome {
    return syn.destinationPort === this.requestPort ? this : 'refuse';
  }

  opened(end: TcpEnd): void {
    noteOpen(end);
  }

  received(end: TcpEnd, bytes: Uint8Array, at: number, length: number, isLast: boolean): void {
    if (!isLast || this.manner === 'silent') return;
    const kind = kindOf(bytes[at + length - 1]!);
    if (kind !== Kind.Get && kind !== Kind.GetAuthorized) return;
    this.counts.requests++;
    const { prng } = this;
    if (this.manner === 'hostile') {
      this.misbehave(end);
    } else if (this.manner === 'odd') {
      this.say(end, prng.pick(ODD));
      this.wake();
    } else if (this.wantsDigest && kind === Kind.Get) {
      this.say(end, UNAUTHORIZED);
      if (prng.chance(0.3)) end.close();
    } else if (this.isThrottled() || (this.session !== undefined && prng.chance(0.7))) {
      this.say(end, UNAVAILABLE);
      if (prng.chance(0.5)) end.close();
    } else {
      this.say(end, chooseSuccess(prng));
      if (prng.chance(0.5)) end.close();
      this.wake();
    }
  }

  peerClosed(end: TcpEnd): void {
    end.close();
  }

  ended(_end: TcpEnd, _how: Ending): void {}

  private say(end: TcpEnd, message: Message): void {
    for (let i = 0; i < message.length; i++) end.send(message[i]!, i === message.length - 1);
  }

  /** Answers 2xx again and again and opens all it can; its packets carry wrong numbers. */
  private misbehave(end: TcpEnd): void {
    if (end.connection !== undefined) end.connection.causes |= Cause.Hostile;
    for (let i = 0; i < REPEATED_ANSWERS; i++) {
      this.later(i < 3 ? 0 : this.prng.between(0, 30_000), () => {
        if (end.state === State.Open) this.say(end, SUCCESSES[0]!);
      });
    }
    this.later(this.prng.between(1, 1_000), () => {
      for (let i = 0; i < STAMPEDE; i++) {
        this.later(i < STAMPEDE / 2 ? 0 : this.prng.between(0, 3_000), () => this.intrude());
      }
    });
    this.wake();
  }

  private intrude(): void {
    const end = this.dial(new Intruder(), this.reportPort);
    if (end === undefined) return;
    this.later(this.prng.between(100, 5_000), () => {
      const by = this.prng.chance(0.3) ? 0 : this.prng.integer(-2, 20_000);
      // With the right number it corrupts the checksum, so that the server ignores it.
      this.spoilsNext = by === 0;
      end.misspeak(this.prng.pick([FIN | ACK, RST, RST | ACK, ACK]), by);
      this.spoilsNext = false;
    });
  }

  private isThrottled(): boolean {
    const isSoon = this.timeline.nowMs - this.lastRequestMs < THROTTLE_MS;
    this.lastRequestMs = this.timeline.nowMs;
    return isSoon;
  }

  /** TR-069, 3.2.2.3: the session begins within 30 s. Most devices hurry: often before the asker's FIN. */
  private wake(): void {
    this.counts.woken++;
    if (this.session !== undefined) {
      this.isWanted = true;
      return;
    }
    const { prng } = this;
    const hurry = prng.unit();
    const delayMs = hurry < 0.6 ? prng.between(1, 200) : prng.between(200, hurry < 0.9 ? 5_000 : 29_000);
    this.later(delayMs, () => this.startSession());
  }
}

/** Informs, and leaves the connection open. */
class Intruder implements App {
  opened(end: TcpEnd): void {
    noteOpen(end);
    for (const payload of CLEAR.inform) end.send(payload, payload === CLEAR.inform.at(-1));
  }

  received(): void {}

  peerClosed(end: TcpEnd): void {
    end.close();
  }

  ended(): void {}
}

/** Receives everything, and closes. */
class Download implements App {
  opened(end: TcpEnd): void {
    noteOpen(end);
    end.send(GET[0]!, true);
  }

  received(end: TcpEnd, _bytes: Uint8Array, _at: number, _length: number, isLast: boolean): void {
    if (isLast) end.close();
  }

  peerClosed(end: TcpEnd): void {
    end.close();
  }

  ended(): void {}
}

/** The CPE's end of a connection has gone through the handshake. */
export function noteOpen(end: TcpEnd): void {
  if (end.connection !== undefined) end.connection.isEstablished = true;
}

function chooseManner(prng: Prng): Manner {
  const manner = prng.unit();
  return manner < 0.06 ? 'odd' : manner < 0.1 ? 'silent' : 'http';
}

function chooseSuccess(prng: Prng): Message {
  const variant = prng.unit();
  if (variant < 0.03) return SPLIT_SUCCESS;
  return variant < 0.08 ? LONG_SUCCESS : prng.pick(SUCCESSES);
}

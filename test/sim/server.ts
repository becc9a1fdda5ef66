/** An ACS, ITMS or collector: serves sessions, wakes CPEs, and has moods: it refuses, is too busy or silent, dies. */
import { Host, takeOut, type Surroundings, type Welcome } from './host';
import { Cause } from './ledger';
import { CLEAR, isTls, Kind, kindOf, type Message, OVER_TLS, type Words } from './messages';
import { ITMS, ITMS_PORTS, REPORT_PORTS, SERVERS } from './parties';
import { RequestCall } from './request-call';
import { type App, type Ending, State, type TcpEnd } from './tcp-end';
import { type Segment } from './wire';

const LIMITS = { synRetries: 5, dataRetries: 7, keepAliveMs: 75_000 };
/** A connection still open after this long is reset. */
const PATIENCE_MS = 100_000;
/** Node's http server closes connections that were idle for this long. */
const IDLE_MS = 5_000;
const FIRST_PORT = 32768;
const LAST_PORT = 60999;
/** A busy server may have widened its range into that of the splitter. */
const WIDE_LAST_PORT = 65535;
const COLLISION_SHARE = 0.25;
const UNAUTHORIZED_SHARE = 0.3;
const ERROR_SHARE = 0.02;

/** How a server ends connections, and whether it wants a password, by its number. */
const HABITS = [
  { idleMs: Number.POSITIVE_INFINITY, closeShare: 0, wantsDigest: false },
  { idleMs: IDLE_MS, closeShare: 0, wantsDigest: false },
  { idleMs: Number.POSITIVE_INFINITY, closeShare: 0.25, wantsDigest: false },
  { idleMs: Number.POSITIVE_INFINITY, closeShare: 0, wantsDigest: true },
] as const;

/** Some CPEs' sessions are long; a server that closes after every answer needs dozens of connections for them. */
function hasMuchToSay(cpe: number): boolean {
  return (cpe & 15) === 3;
}

/**
 * `silent` receives nothing and forgets nothing; `dead` receives nothing, and has forgotten everything when it returns.
 */
export type Mood = 'well' | 'slow' | 'busy' | 'refusing' | 'silent' | 'dead';

export interface ServerCounts {
  sessions: number;
  requests: number;
  successes: number;
}

export class Server extends Host implements App {
  protected override readonly line = undefined;
  override readonly windowScale = 7;
  readonly counts: ServerCounts = { sessions: 0, requests: 0, successes: 0 };
  mood: Mood = 'well';
  private readonly ends = new Map<number, TcpEnd[]>();
  private readonly lastPort: number;

  /**
   * @param latest what any server opened last towards a CPE: what makes ports collide
   * @param onIgnored a CPE will have to repeat its SYN
   */
  constructor(
    around: Surroundings,
    party: number,
    private readonly latest: Map<number, TcpEnd>,
    private readonly onIgnored: (cpe: number) => void,
  ) {
    super(around, party, SERVERS[party]!.address, LIMITS);
    this.lastPort = party === 2 ? WIDE_LAST_PORT : LAST_PORT;
  }

  /** Dies with everything it knew, or is well again. */
  setMood(mood: Mood): void {
    this.mood = mood;
    this.isUp = mood !== 'dead' && mood !== 'silent';
    if (mood === 'silent') {
      for (const ends of this.ends.values()) {
        for (const { connection } of ends) if (connection !== undefined) connection.causes |= Cause.Silent;
      }
    }
    if (mood === 'dead') this.forgetAll();
  }

  /** Starts again at once: knows no connection. */
  forgetAll(): void {
    for (const ends of this.ends.values()) {
      for (const end of ends) {
        if (end.connection !== undefined) {
          end.connection.causes |= Cause.Down;
          end.connection.isOver = true;
        }
        end.vanish();
      }
    }
    this.ends.clear();
  }

  /** Wakes a CPE. @param cpe int32 */
  request(cpe: number, port: number): void {
    if (!this.isUp) return;
    this.counts.requests++;
    new RequestCall(this, this.prng, cpe, port).begin();
  }

  /** Opens a connection to a CPE. */
  dial(app: App, cpe: number, port: number): TcpEnd | undefined {
    const localPort = this.choosePort(cpe);
    if (!this.isUp || this.find(cpe, port, localPort) !== undefined) return undefined;
    const end = this.connect(app, this.ledger.open(cpe, port, localPort, this.party), cpe, port, localPort);
    this.latest.set(cpe, end);
    return end;
  }

  private choosePort(cpe: number): number {
    const other = this.latest.get(cpe);
    // A connection that found the table full is not recorded, so a collision with it cannot be seen.
    const mayCollide = other?.connection !== undefined && (other.connection.causes & Cause.Limit) === 0;
    if (mayCollide && this.prng.chance(COLLISION_SHARE)) return other.localPort;
    return this.prng.integer(FIRST_PORT, this.lastPort);
  }

  protected override endsWith(remote: number): TcpEnd[] | undefined {
    return this.ends.get(remote);
  }

  protected override keep(end: TcpEnd): void {
    const ends = this.ends.get(end.remote);
    if (ends === undefined) this.ends.set(end.remote, [end]);
    else ends.push(end);
  }

  protected override remove(end: TcpEnd): void {
    const ends = this.ends.get(end.remote);
    if (ends === undefined) return;
    takeOut(ends, end);
    if (ends.length === 0) this.ends.delete(end.remote);
  }

  protected override welcome(syn: Segment): Welcome {
    const isOurs = REPORT_PORTS.includes(syn.destinationPort);
    if (!isOurs && !(this.party === ITMS && ITMS_PORTS.includes(syn.destinationPort))) return 'refuse';
    if (this.mood === 'refusing') return 'refuse';
    if (this.mood !== 'busy' || this.prng.chance(0.5)) return this;
    this.onIgnored(syn.source);
    return 'ignore';
  }

  // ---- sessions ----

  opened(end: TcpEnd): void {
    this.watch(end);
    if (Number.isFinite(this.habits.idleMs)) this.watchIdle(end);
  }

  private get habits() {
    return HABITS[this.party]!;
  }

  received(end: TcpEnd, bytes: Uint8Array, at: number, length: number, isLast: boolean): void {
    if (!isLast) return;
    const last = bytes[at + length - 1]!;
    const words = isTls(last) ? OVER_TLS : CLEAR;
    this.answer(end, this.answerTo(kindOf(last), words, end.remote), words);
  }

  private answerTo(kind: Kind, words: Words, cpe: number): Message {
    const { prng, habits } = this;
    if (kind === Kind.Inform && habits.wantsDigest && prng.chance(UNAUTHORIZED_SHARE)) return words.unauthorized;
    if (kind === Kind.Inform || kind === Kind.InformAuthorized) {
      this.counts.sessions++;
      return prng.chance(ERROR_SHARE) ? words.serverError : words.informResponse;
    }
    const goesOn = kind === Kind.Empty || kind === Kind.RpcResponse;
    return goesOn && prng.chance(hasMuchToSay(cpe) ? 0.95 : 0.4) ? words.rpc : prng.pick(words.noContent);
  }

  peerClosed(end: TcpEnd): void {
    end.close();
  }

  ended(_end: TcpEnd, _how: Ending): void {}

  private answer(end: TcpEnd, message: Message, words: Words): void {
    const { prng } = this;
    const thinkMs = this.mood === 'slow' ? prng.between(50, 3_000) : prng.between(1, 15);
    const closeShare = hasMuchToSay(end.remote) ? Math.sign(this.habits.closeShare) : this.habits.closeShare;
    const thenCloses = prng.chance(closeShare) || (words.noContent.includes(message) && prng.chance(0.2));
    this.timeline.after(thinkMs, () => {
      for (let i = 0; i < message.length; i++) end.send(message[i]!, i === message.length - 1);
      if (thenCloses) this.close(end, words);
    });
  }

  private close(end: TcpEnd, words: Words): void {
    for (const payload of words.goodbye) end.send(payload, false);
    end.close();
  }

  private watch(end: TcpEnd): void {
    this.timeline.after(PATIENCE_MS, () => {
      if (end.state === State.Open) end.abort();
    });
  }

  /** Closes what has been idle for too long. */
  private watchIdle(end: TcpEnd): void {
    this.timeline.after(this.habits.idleMs, () => {
      if (end.state !== State.Open || end.isFinSent) return;
      if (this.timeline.nowMs - end.heardMs >= this.habits.idleMs && end.isDrained) end.close();
      else this.watchIdle(end);
    });
  }
}

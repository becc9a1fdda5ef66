/**
 * One CWMP session from the CPE's side (TR-069, 3.7): Inform, empty POST, answers to RPCs, until the server sends 204.
 * When the server or the CPE closes in between, it continues on another connection without a new Inform.
 */
import { type Cpe, noteOpen } from './cpe';
import { CLEAR, Kind, kindOf, type Message, OVER_TLS, type Words } from './messages';
import { type Prng } from './prng';
import { type App, type Ending, State, type TcpEnd } from './tcp-end';

/** A session without progress for this long is abandoned. */
const PATIENCE_MS = 60_000;
/** After a clean close in the middle, the session continues on a new connection. */
const MOVE_SHARE = 0.06;
const MOVE_WITHIN_MS = 2_200;
/** Where the server has closed, or asks for a password, many a device needs longer. */
const SLOW_MOVE_SHARE = 0.3;
const SLOW_MOVE_WITHIN_MS = 25_000;
/** How often a CPE hangs up rudely, with data unread. */
const RUDE_SHARE = 0.02;
/** How often it pauses for seconds before it continues: longer than some servers wait. */
const SLOW_SHARE = 0.08;
const MOST_MOVES = 30;

export class CpeSession implements App {
  private end: TcpEnd | undefined = undefined;
  private hasInformed = false;
  private isAuthorized = false;
  private isMoving = false;
  private isOver = false;
  private progress = 0;
  private moves = 0;
  private readonly words: Words;

  constructor(
    private readonly cpe: Cpe,
    private readonly prng: Prng,
  ) {
    this.words = cpe.speaksTls ? OVER_TLS : CLEAR;
  }

  begin(): void {
    this.end = this.cpe.dial(this, this.cpe.reportPort);
    if (this.end === undefined) return this.finish(false);
    this.watch(this.progress);
  }

  opened(end: TcpEnd): void {
    this.progress++;
    noteOpen(end);
    if (this.hasInformed) this.say(end, this.words.empty);
    else this.say(end, this.isAuthorized ? this.words.informAuthorized : this.words.inform);
  }

  received(end: TcpEnd, bytes: Uint8Array, at: number, length: number, isLast: boolean): void {
    this.progress++;
    if (!isLast || this.isOver || end !== this.end) return;
    const kind = kindOf(bytes[at + length - 1]!);
    if (kind === Kind.InformResponse) {
      this.hasInformed = true;
      this.goOn(end, this.words.empty);
    } else if (kind === Kind.Rpc) {
      this.goOn(end, this.words.rpcResponse);
    } else if (kind === Kind.SessionUnauthorized) {
      this.authorize(end);
    } else if (kind === Kind.NoContent || kind === Kind.ServerError) {
      this.finish(kind === Kind.NoContent);
      this.close(end);
    }
  }

  /** Sends the next message; or closes, cleanly or with a RST, and continues on another connection. */
  private goOn(end: TcpEnd, message: Message): void {
    const { prng } = this;
    this.isMoving = prng.chance(MOVE_SHARE);
    if (this.isMoving) return this.close(end);
    if (prng.chance(RUDE_SHARE)) {
      this.isMoving = prng.chance(0.5);
      return end.abort();
    }
    const thinkMs = prng.chance(SLOW_SHARE) ? prng.between(1_000, 12_000) : prng.between(1, 150);
    this.cpe.later(thinkMs, () => {
      if (end === this.end && end.state === State.Open && !end.isPeerClosed) this.say(end, message);
    });
  }

  /** Informs again with the password: on this connection, or on another after a FIN or a RST. */
  private authorize(end: TcpEnd): void {
    this.isAuthorized = true;
    const way = this.prng.unit();
    if (way < 0.5 && !end.isPeerClosed) return this.say(end, this.words.informAuthorized);
    this.isMoving = true;
    if (way < 0.8) this.close(end);
    else end.abort();
  }

  peerClosed(end: TcpEnd): void {
    end.close();
    if (!this.isOver && end === this.end) this.move();
  }

  ended(end: TcpEnd, how: Ending): void {
    if (this.isOver || end !== this.end) return;
    if (this.isMoving && (how === 'closed' || how === 'dropped')) this.move();
    else this.finish(false);
  }

  private move(): void {
    this.isMoving = false;
    this.end = undefined;
    if (++this.moves > MOST_MOVES) return this.finish(false);
    const withinMs = this.prng.chance(SLOW_MOVE_SHARE) ? SLOW_MOVE_WITHIN_MS : MOVE_WITHIN_MS;
    this.cpe.later(this.prng.between(0, withinMs), () => {
      if (!this.isOver) this.begin();
    });
  }

  /** Gives up where nothing has happened for a while. */
  private watch(progress: number): void {
    this.cpe.later(PATIENCE_MS, () => {
      if (this.isOver || this.end === undefined) return;
      if (this.progress !== progress) return this.watch(this.progress);
      this.end.abort();
    });
  }

  private say(end: TcpEnd, message: Message): void {
    for (let i = 0; i < message.length; i++) end.send(message[i]!, i === message.length - 1);
  }

  private close(end: TcpEnd): void {
    for (const payload of this.words.goodbye) end.send(payload, false);
    end.close();
  }

  private finish(isComplete: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    this.cpe.sessionEnded(isComplete);
  }
}

/** One CWMP session as a CPE leads it (TR-069, 3.7): Inform, empty POST, answers to RPCs, until the server says 204. */
import { type Cpe, noteOpen } from './cpe';
import { EMPTY, INFORM, Kind, type Message, RPC_RESPONSE } from './messages';
import { type Prng } from './prng';
import { type App, type Ending, type TcpEnd } from './tcp-end';

/** A session without progress for so long is given up. */
const PATIENCE_MS = 60_000;
/** After a clean close in the middle, the session goes on upon a new connection. */
const MOVE_SHARE = 0.06;
const MOVE_WITHIN_MS = 2_200;
/** How often a CPE hangs up rudely. */
const RUDE_SHARE = 0.01;

export class CpeSession implements App {
  private end: TcpEnd | undefined = undefined;
  private hasInformed = false;
  private isMoving = false;
  private isOver = false;
  private progress = 0;

  constructor(
    private readonly cpe: Cpe,
    private readonly prng: Prng,
  ) {}

  begin(): void {
    this.end = this.cpe.dial(this, this.cpe.reportPort);
    if (this.end === undefined) return this.finish(false);
    this.watch(this.progress);
  }

  opened(end: TcpEnd): void {
    this.progress++;
    noteOpen(end);
    this.say(end, this.hasInformed ? EMPTY : INFORM);
  }

  received(end: TcpEnd, bytes: Uint8Array, at: number, length: number, isLast: boolean): void {
    this.progress++;
    if (!isLast || this.isOver || end !== this.end) return;
    const kind: Kind = bytes[at + length - 1]!;
    if (kind === Kind.InformResponse) {
      this.hasInformed = true;
      this.isMoving = this.prng.chance(MOVE_SHARE);
      if (this.isMoving) end.close();
      else if (this.prng.chance(RUDE_SHARE)) end.abort();
      else this.say(end, EMPTY);
    } else if (kind === Kind.Rpc) {
      this.cpe.later(this.prng.between(1, 150), () => this.say(end, RPC_RESPONSE));
    } else if (kind === Kind.NoContent) {
      this.finish(true);
      end.close();
    }
  }

  peerClosed(end: TcpEnd): void {
    end.close();
    if (this.isOver || end !== this.end) return;
    if (this.isMoving) this.move();
    else this.finish(false);
  }

  ended(end: TcpEnd, how: Ending): void {
    if (this.isOver || end !== this.end) return;
    if (this.isMoving && how === 'closed') this.move();
    else this.finish(false);
  }

  private move(): void {
    this.isMoving = false;
    this.end = undefined;
    this.cpe.later(this.prng.between(0, MOVE_WITHIN_MS), () => {
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

  private finish(isComplete: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    this.cpe.sessionEnded(isComplete);
  }
}

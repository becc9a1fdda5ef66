/** A Connection Request as a server makes it (TR-069, 3.2.2), ended in the ways that real HTTP clients end it. */
import { GET, GET_AUTHORIZED, Kind, kindOf } from './messages';
import { type Prng } from './prng';
import { type Server } from './server';
import { type App, type Ending, State, type TcpEnd } from './tcp-end';

/** Connects and leaves, to see whether anybody answers. */
const HEALTH_CHECK_SHARE = 0.05;
const KEEP_ALIVE_SHARE = 0.2;
const RUDE_SHARE = 0.05;
const PATIENCE_MS = 12_000;

export class RequestCall implements App {
  private isAuthorized = false;
  private hasAnswer = false;
  private readonly isHealthCheck: boolean;

  constructor(
    private readonly server: Server,
    private readonly prng: Prng,
    private readonly cpe: number,
    private readonly port: number,
  ) {
    this.isHealthCheck = prng.chance(HEALTH_CHECK_SHARE);
  }

  begin(): void {
    this.server.dial(this, this.cpe, this.port);
  }

  opened(end: TcpEnd): void {
    this.server.timeline.after(PATIENCE_MS, () => {
      if (!this.hasAnswer && end.state === State.Open) this.hangUp(end);
    });
    if (this.isHealthCheck) this.hangUp(end);
    else end.send((this.isAuthorized ? GET_AUTHORIZED : GET)[0]!, true);
  }

  received(end: TcpEnd, bytes: Uint8Array, at: number, length: number, isLast: boolean): void {
    if (!isLast) return;
    const kind = kindOf(bytes[at + length - 1]!);
    if (kind === Kind.Unauthorized && !this.isAuthorized) return this.authorize(end);
    this.hasAnswer = true;
    if (kind === Kind.Success) this.server.counts.successes++;
    if (this.prng.chance(KEEP_ALIVE_SHARE)) {
      this.server.timeline.after(this.prng.between(500, 60_000), () => end.close());
    } else {
      this.hangUp(end);
    }
  }

  peerClosed(end: TcpEnd): void {
    end.close();
  }

  ended(_end: TcpEnd, _how: Ending): void {}

  /** On the same connection, or on another one after closing it. */
  private authorize(end: TcpEnd): void {
    this.isAuthorized = true;
    if (this.prng.chance(0.6) && !end.isPeerClosed) {
      end.send(GET_AUTHORIZED[0]!, true);
      return;
    }
    this.hasAnswer = true;
    end.close();
    this.server.timeline.after(this.prng.between(1, 50), () => {
      this.hasAnswer = false;
      this.begin();
    });
  }

  private hangUp(end: TcpEnd): void {
    if (this.prng.chance(RUDE_SHARE)) end.abort();
    else end.close();
  }
}

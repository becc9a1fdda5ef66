/** An ACS, ITMS or collector: answers sessions, wakes CPEs, and has its moods: refuses, is too busy, dies. */
import { Host, takeOut, type Surroundings, type Welcome } from './host';
import { Cause } from './ledger';
import { INFORM_RESPONSE, Kind, type Message, NO_CONTENT, RPC } from './messages';
import { ITMS, ITMS_PORTS, REPORT_PORTS, SERVERS } from './parties';
import { RequestCall } from './request-call';
import { type App, type Ending, State, type TcpEnd } from './tcp-end';
import { type Segment } from './wire';

const LIMITS = { synRetries: 5, dataRetries: 7 };
/** A connection on which nothing has come for so long is reset. */
const PATIENCE_MS = 100_000;
const FIRST_PORT = 32768;
const LAST_PORT = 60999;
/** A busy server may have widened its range into that of the splitter. */
const WIDE_LAST_PORT = 65535;
const COLLISION_SHARE = 0.25;

export type Mood = 'well' | 'slow' | 'busy' | 'refusing' | 'dead';

export interface ServerCounts {
  sessions: number;
  requests: number;
  successes: number;
}

export class Server extends Host implements App {
  protected override readonly line = undefined;
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
    this.isUp = mood !== 'dead';
    if (this.isUp) return;
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
    const rival = this.latest.get(cpe)?.connection;
    if (rival?.port === localPort) rival.hasRival = end.connection!.hasRival = true;
    this.latest.set(cpe, end);
    return end;
  }

  private choosePort(cpe: number): number {
    const other = this.latest.get(cpe);
    // A connection that found the table full is not known: nobody could see a collision with it.
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
  }

  received(end: TcpEnd, bytes: Uint8Array, at: number, length: number, isLast: boolean): void {
    if (!isLast) return;
    const kind: Kind = bytes[at + length - 1]!;
    if (kind === Kind.Inform) {
      this.counts.sessions++;
      this.answer(end, INFORM_RESPONSE);
    } else if (kind === Kind.Get || (kind !== Kind.Empty && kind !== Kind.RpcResponse)) {
      this.answer(end, NO_CONTENT);
    } else if (this.prng.chance(0.4)) {
      this.answer(end, RPC);
    } else {
      this.answer(end, NO_CONTENT, this.prng.chance(0.2));
    }
  }

  peerClosed(end: TcpEnd): void {
    end.close();
  }

  ended(_end: TcpEnd, _how: Ending): void {}

  private answer(end: TcpEnd, message: Message, thenCloses = false): void {
    const thinkMs = this.mood === 'slow' ? this.prng.between(50, 3_000) : this.prng.between(1, 15);
    this.timeline.after(thinkMs, () => {
      for (let i = 0; i < message.length; i++) end.send(message[i]!, i === message.length - 1);
      if (thenCloses) end.close();
    });
  }

  private watch(end: TcpEnd): void {
    this.timeline.after(PATIENCE_MS, () => {
      if (end.state === State.Open) end.abort();
    });
  }
}

/** How diverted connections end, and which further connections may continue a session. */
import { arm, consume, finish, type Grace, resume } from './activations';
import { type Context } from './context';
import { readHead } from './http';
import { type Connection, isClosing, remove, type Side } from './memory';

/** A server that closes this long after the last data has closed an idle connection. */
const IDLE_MS = 1_000;

export class SessionEnds {
  constructor(private readonly context: Context) {}

  /** The CPE has acknowledged the SYN+ACK: this is its session. */
  confirm(known: Connection): void {
    const { context } = this;
    const { cpe, cpePort, port, owner } = known;
    if (!context.activation(cpe)) {
      const one = context.claimActivation(cpe);
      if (one) arm(one, owner, context.nowMs);
    }
    const standing = context.activation(cpe);
    if (standing?.owner === owner) consume(standing, cpePort, port, context.nowMs);
    known.isAnswered = true;
    known.touchedMs = context.nowMs;
  }

  /** A proven FIN or RST. */
  closed(known: Connection, kind: 'fins' | 'rsts', side: Side): void {
    if (!isClosing(known)) this.beginGrace(known, kind === 'fins' && side === 'server');
    known[kind].add(side);
    known.touchedMs = this.context.nowMs;
  }

  private beginGrace(known: Connection, isFinOfServer: boolean): void {
    const used = this.context.usedBy(known);
    if (!used) return;
    const grace = this.graceAfter(known, isFinOfServer);
    if (grace) finish(used, grace, this.context.nowMs);
    else this.context.endActivation(known.cpe);
  }

  /** By the last head of the collector; undefined: the session is over. */
  private graceAfter({ answer, dataMs }: Connection, isFinOfServer: boolean): Grace | undefined {
    if (!answer.isAsked) return undefined;
    const isIdle = isFinOfServer && this.context.nowMs - dataMs >= IDLE_MS;
    const graces = {
      waiting: 'unfinished',
      body: 'unfinished',
      retry: 'retry',
      unreadable: isIdle ? 'unfinished' : 'short',
      empty: undefined,
      refused: undefined,
    } as const;
    return graces[readHead(answer.text).meaning];
  }

  /** A packet of the side that received a RST: the RST did not end the connection, and no grace began. */
  lift(known: Connection, sender: Side): void {
    if (!known.rsts.delete(sender)) return;
    const used = this.context.usedBy(known);
    if (used && !isClosing(known)) resume(used);
  }

  /** The entry goes, and activation and grace with it where they are of the same collector. */
  end(known: Connection, doesEndActivation: boolean): void {
    const { context } = this;
    const { cpe, owner } = known;
    if (doesEndActivation && context.activation(cpe)?.owner === owner) context.endActivation(cpe);
    remove(context.memory.of(cpe).reports(context.nowMs), known);
  }
}

/** Who may have a CPE's next session: which answers and FINs of Connection Requests arm. */
import { type Context, ITMS } from './context';
import { type Connection } from './memory';

/** Up to the status code, without which nothing can be judged. */
const STATUS_BYTES = 'HTTP/1.1 200'.length;

export class Arming {
  constructor(private readonly context: Context) {}

  /** False where there was no room. */
  arm(cpe: string, owner: string): boolean {
    const { context } = this;
    const known = context.memory.of(cpe);
    if (known.activation(context.nowMs) === undefined && !this.hasRoom(cpe)) return false;
    const nothingYet = { cpePort: 0, port: 0, isAnswered: false, hasFin: false, isReset: false };
    known.setActivation({ owner, isArmed: true, ...nothingYet, touchedMs: context.nowMs });
    return true;
  }

  private hasRoom(cpe: string): boolean {
    const { room, memory, nowMs, capacity } = this.context;
    if (room) return !room.activations || room.hasActivation(cpe);
    return memory.activations(nowMs).length < capacity;
  }

  /** The CPE has sent data on a Connection Request: did it say yes? */
  answered(request: Connection): void {
    const { context } = this;
    const { payload, syn } = context.packet;
    const sequence = (context.packet.sequence + (syn ? 1 : 0)) % 2 ** 32;
    if (!payload.startsWith('HTTP/1.') && !'HTTP/1.'.startsWith(payload)) {
      request.saidOther = true;
      return;
    }
    request.saidHttp = true;
    if (request.judged !== undefined) {
      const ahead = (sequence - request.judged + 2 ** 32) % 2 ** 32;
      if (ahead === 0 || ahead >= 2 ** 31) return;
    }
    if (payload.length < STATUS_BYTES) return;
    request.judged = sequence;
    if (payload['HTTP/1.1 '.length] !== '2') return;
    if (request.owner === ITMS) context.memory.of(request.cpe).setActivation(undefined);
    else if (context.mode !== 'fin') this.succeeded(request);
  }

  /** The first FIN of the server that asked. */
  finished(request: Connection): void {
    const { mode } = this.context;
    if (request.owner === ITMS || mode === 'response') return;
    if (mode === 'fin' || (request.saidOther && !request.saidHttp)) this.succeeded(request);
  }

  /** Arms, unless another collector is waiting for the CPE's session. */
  private succeeded({ cpe, owner }: Connection): void {
    const { context } = this;
    const standing = context.memory.of(cpe).activation(context.nowMs);
    const isContended = standing?.isArmed && standing.owner !== owner && context.isConfigured(standing.owner);
    if (context.isConfigured(owner) && !isContended) this.arm(cpe, owner);
  }
}

/** Which collector gets a CPE's next session: the answers and FINs of Connection Requests that arm. */
import { arm, ask, phaseAt } from './activations';
import { ahead } from './arithmetic';
import { type Context, ITMS } from './context';
import { readHead } from './http';
import { type Connection } from './memory';
import { endOf } from './numbers';

export class Arming {
  constructor(private readonly context: Context) {}

  /** False where there was no room. */
  arm(cpe: string, owner: string): boolean {
    const one = this.context.claimActivation(cpe);
    if (one) arm(one, owner, this.context.nowMs);
    return one !== undefined;
  }

  /** New data of the server: a request, whose answer begins at this number of the CPE's. */
  requested(request: Connection, answerAt: number): void {
    const { context } = this;
    const { answer } = request;
    if (request.owner !== ITMS) {
      const one = context.claimActivation(request.cpe);
      if (one) ask(one, context.nowMs);
    }
    request.requestedMs = context.nowMs;
    // Pipelined behind a request whose answer has begun, so where its own answer begins is unknown.
    if (answer.isAsked && ahead(answerAt, answer.at) < 0) return;
    Object.assign(answer, { isAsked: true, text: '', at: answerAt });
  }

  /** Valid data of the CPE, read exactly from where the answer continues. @param first number of the first byte */
  answered(request: Connection, first: number): void {
    const { payload, isChecksumRight, syn } = this.context.packet;
    const { answer } = request;
    const skip = ahead(answer.at, first);
    if (!answer.isAsked || skip < 0 || skip >= payload.length || !isChecksumRight) return;
    const before = readHead(answer.text);
    if (before.isOver || before.meaning !== 'waiting') return;
    answer.text += payload.slice(skip);
    answer.at = endOf(this.context.packet, syn ? 1 : 0);
    const { meaning } = readHead(answer.text);
    if (meaning === 'empty' || meaning === 'body') this.saidYes(request);
  }

  private saidYes(request: Connection): void {
    const { context } = this;
    const { cpe, owner, requestedMs } = request;
    const standing = context.activation(cpe);
    if (owner === ITMS) {
      // The CPE's next session is the ITMS's.
      if (standing && phaseAt(standing, context.nowMs) !== 'none') context.endActivation(cpe);
      return;
    }
    if (context.mode === 'fin') return;
    // The woken session has begun already, with the ITMS.
    if (standing?.sessionMs !== undefined && standing.sessionMs >= requestedMs) return;
    this.succeeded(request);
  }

  /** The first FIN of the server that asked. */
  finished(request: Connection): void {
    const { mode } = this.context;
    if (request.owner === ITMS || mode === 'response') return;
    const isUnread = request.answer.isAsked && readHead(request.answer.text).isCut;
    if (mode === 'fin' || isUnread) this.succeeded(request);
  }

  /** Arms, unless another collector is waiting for the CPE's session. */
  private succeeded({ cpe, owner }: Connection): void {
    const { context } = this;
    const standing = context.activation(cpe);
    const isArmed = standing !== undefined && phaseAt(standing, context.nowMs) === 'armed';
    const isContended = isArmed && standing.owner !== owner && context.isConfigured(standing.owner);
    if (context.isConfigured(owner) && !isContended) this.arm(cpe, owner);
  }
}

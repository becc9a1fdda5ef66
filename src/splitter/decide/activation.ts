/**
 * When is a CPE successfully activated?
 *
 * The patent takes the collector's FIN as success [P9]. But a 401 or a 503 ends with a FIN as well, and the CPE may
 * open its session before the FIN arrives. A Connection Request is plain HTTP by specification (TR-069, 3.2.2.2), so
 * the first bytes of the CPE's answer tell: a 2xx arms as it passes. [D], docs/decisions/activation.md
 */
import { type PacketView } from '../../packet/view';
import { isChecksumRight } from '../../packet/verify';
import { Cause } from '../../tables/flow-port';
import { Word } from '../../tables/connection-row';
import { Event } from '../memory/events';
import { type FamilyState } from '../memory/family-state';
import { ITMS } from '../memory/owners';
import { type Settings } from '../settings';
import { asked, Head, headOf, isCut, isReading, readHead } from './http-head';

export class Activation {
  constructor(
    private readonly view: PacketView,
    private readonly settings: Settings,
    private readonly state: FamilyState,
  ) {}

  /**
   * The server has sent new data on the Connection Request in `slot`: a request, whose answer begins at the CPE's next
   * byte. A retransmission does not count; otherwise one woken CPE could arm itself again and again. [2]
   *
   * @param answerAt int32; for a request on the SYN, the CPE's SYN+ACK tells
   */
  requested(slot: number, answerAt: number): void {
    const { connectionRequests, activatedCpes } = this.state;
    const owner = connectionRequests.owner(slot);
    if (owner !== ITMS) {
      if (activatedCpes.ask(connectionRequests.cpe(slot)) < 0) this.note(Event.ActivationTableFull, slot, owner);
    }
    connectionRequests.setWord(slot, Word.Since, connectionRequests.table.tick);
    // Pipelined behind a request whose answer has begun, so where its own answer begins is unknown.
    const head = connectionRequests.head(slot);
    const isBehind = head !== 0 && ((answerAt - connectionRequests.word(slot, Word.HeadAt)) | 0) < 0;
    if (isBehind) return;
    connectionRequests.setWord(slot, Word.HeadAt, answerAt);
    connectionRequests.setHead(slot, asked(head));
  }

  /**
   * Valid data of the CPE on the Connection Request in `slot`. It is read exactly from where the answer begins, and
   * then exactly from where it continues, so duplicates and reordered segments are read correctly.
   *
   * @param sequence int32, of the first payload byte
   */
  answered(slot: number, sequence: number): void {
    const { view } = this;
    const { connectionRequests } = this.state;
    const head = connectionRequests.head(slot);
    const skip = (connectionRequests.word(slot, Word.HeadAt) - sequence) | 0;
    if (skip > 0 && headOf(head) !== Head.Unanswered && headOf(head) !== Head.None) {
      this.note(Event.AnswerRepeated, slot, connectionRequests.owner(slot));
      return;
    }
    if (!isReading(head) || headOf(head) !== Head.Unanswered || skip < 0 || skip >= view.payloadLength) return;
    if (!isChecksumRight(view)) return;
    const read = readHead(head, view.bytes, view.payloadAt + skip, view.payloadLength - skip);
    const found = headOf(read);
    // In this order: if the worker is killed in between, the next one judges this packet again.
    if (found === Head.Empty || found === Head.Body) this.succeeded(slot);
    else if (isCut(read)) this.note(Event.AnswerSplit, slot, connectionRequests.owner(slot));
    connectionRequests.setHead(slot, read);
    connectionRequests.setWord(slot, Word.HeadAt, (sequence + view.sentLength) | 0);
  }

  /**
   * The collector's first FIN on the Connection Request in `slot`. In `fin` mode it is success [P9]. In `auto` mode it
   * is success only if the answer began like HTTP and could not be read as far as its code. A CPE that sent nothing was
   * not woken.
   */
  finished(slot: number): void {
    const { connectionRequests } = this.state;
    const mode = this.settings.activation;
    if (connectionRequests.owner(slot) === ITMS) return;
    const isUnread = (mode === 'auto' || mode === 'off') && isCut(connectionRequests.head(slot));
    if (mode === 'fin' || isUnread) this.arm(slot, Event.ArmedByFin, Cause.Fin);
  }

  private succeeded(slot: number): void {
    const { connectionRequests, activatedCpes } = this.state;
    const owner = connectionRequests.owner(slot);
    const standing = activatedCpes.find(connectionRequests.cpe(slot));
    if (owner === ITMS) {
      // The CPE's next session is the ITMS's. If a collector's session is open, that one ends without a grace.
      if (standing < 0 || !(activatedCpes.stands(standing) || activatedCpes.isConsumed(standing))) return;
      const loser = activatedCpes.owner(standing);
      activatedCpes.end(standing, Cause.Itms);
      this.note(Event.EndedByItms, slot, loser);
      return;
    }
    if (this.settings.activation === 'fin') return;
    if (standing >= 0 && activatedCpes.hadSessionSince(standing, connectionRequests.word(slot, Word.Since))) {
      // The woken session already went to the ITMS. [2]
      this.note(Event.SessionFirst, slot, owner);
      return;
    }
    this.arm(slot, Event.ArmedByResponse, Cause.Response);
  }

  private arm(slot: number, event: Event, cause: Cause): void {
    const { connectionRequests, activatedCpes, servers } = this.state;
    const owner = connectionRequests.owner(slot);
    // A collector that a reload removed gets nothing, and blocks no other collector.
    if (!servers.isConfigured(owner)) return;
    const cpe = connectionRequests.cpe(slot);
    const standing = activatedCpes.find(cpe);
    const rival = standing >= 0 && activatedCpes.isArmed(standing) ? activatedCpes.owner(standing) : owner;
    if (rival !== owner && servers.isConfigured(rival)) {
      this.note(Event.Contended, slot, owner);
      return;
    }
    this.note(activatedCpes.arm(cpe, owner, cause) < 0 ? Event.ActivationTableFull : event, slot, owner);
  }

  private note(event: Event, slot: number, owner: number): void {
    const { connectionRequests: requests, events } = this.state;
    events.add(event, requests.cpe(slot), requests.cpePort(slot), requests.visiblePort(slot), owner);
  }
}

/**
 * When is a CPE successfully activated?
 *
 * The patent takes the collector's FIN as success [P9]. A 401 or a 503 ends with a FIN just as well, and the CPE may
 * open its session before the FIN arrives. A Connection Request is plain HTTP by specification (TR-069, 3.2.2.2), so
 * the first bytes of the CPE's answer tell: a 2xx arms, as it passes. [D], docs/decisions/activation.md
 */
import { Seen } from '../../tables/connection-table';
import { Event } from '../memory/events';
import { type FamilyState } from '../memory/family-state';
import { ITMS } from '../memory/owners';
import { type Settings } from '../settings';

/** What the first bytes of a segment are. */
export const enum Answer {
  /** Not the beginning of an HTTP answer. */
  Other,
  /** The beginning of a status line, but not the whole of its code. */
  Split,
  /** A status code of 200 to 299. */
  Success,
  /** Any other status code. */
  Refusal,
}

/** `HTTP/1.` (RFC 9112 section 4), then a digit, a space, three digits. */
const PREFIX = [0x48, 0x54, 0x54, 0x50, 0x2f, 0x31, 0x2e];
const STATUS_AT = 9;
const STATUS_END = 12;
const TWO = 0x32;

export function readAnswer(bytes: Uint8Array, at: number, length: number): Answer {
  for (let i = 0; i < PREFIX.length; i++) {
    if (i === length) return Answer.Split;
    if (bytes[at + i] !== PREFIX[i]) return Answer.Other;
  }
  if (length < STATUS_END) return Answer.Split;
  return bytes[at + STATUS_AT] === TWO ? Answer.Success : Answer.Refusal;
}

export class Activation {
  constructor(
    private readonly settings: Settings,
    private readonly state: FamilyState,
  ) {}

  /**
   * The CPE sent data on the Connection Request in `slot`. At most once per answer: a segment at or before the last one
   * judged is a retransmission, else a lost 200 would divert the wrong session seconds later.
   *
   * @param sequence int32, of the first payload byte
   */
  judge(slot: number, bytes: Uint8Array, payloadAt: number, payloadLength: number, sequence: number): void {
    const { connectionRequests } = this.state;
    const answer = readAnswer(bytes, payloadAt, payloadLength);
    if (answer === Answer.Other) {
      connectionRequests.mark(slot, Seen.OtherData);
      return;
    }
    connectionRequests.mark(slot, Seen.Http);
    if (connectionRequests.wasJudged(slot, sequence)) {
      this.note(Event.AnswerRepeated, slot, connectionRequests.owner(slot));
      return;
    }
    if (answer === Answer.Split) {
      this.note(Event.AnswerSplit, slot, connectionRequests.owner(slot));
      return;
    }
    // In this order: killed in between, the next worker judges this packet again.
    if (answer === Answer.Success) this.succeeded(slot);
    connectionRequests.judged(slot, sequence);
  }

  /**
   * The collector's first FIN on the Connection Request in `slot`. In `fin` mode it is success [P9]. In `auto` it is
   * only where the CPE answered in something that is not HTTP. A CPE that said nothing was not woken.
   */
  finished(slot: number): void {
    const { connectionRequests } = this.state;
    const mode = this.settings.activation;
    if (connectionRequests.owner(slot) === ITMS) return;
    const spokeOtherOnly = connectionRequests.has(slot, Seen.OtherData) && !connectionRequests.has(slot, Seen.Http);
    const arms = mode === 'fin' || ((mode === 'auto' || mode === 'off') && spokeOtherOnly);
    if (arms) this.arm(slot, Event.ArmedByFin);
  }

  private succeeded(slot: number): void {
    const { connectionRequests, activatedCpes } = this.state;
    if (connectionRequests.owner(slot) === ITMS) {
      // The CPE's one session will be the ITMS's; where one of a collector runs, the next, and no grace follows it.
      const standing = activatedCpes.find(connectionRequests.cpe(slot));
      if (standing < 0) return;
      const owner = activatedCpes.owner(standing);
      activatedCpes.remove(standing);
      this.note(Event.EndedByItms, slot, owner);
    } else if (this.settings.activation !== 'fin') {
      this.arm(slot, Event.ArmedByResponse);
    }
  }

  private arm(slot: number, event: Event): void {
    const { connectionRequests, activatedCpes, servers } = this.state;
    const owner = connectionRequests.owner(slot);
    // A collector that a reload has taken away gets nothing, and keeps nothing from another.
    if (!servers.isConfigured(owner)) return;
    const cpe = connectionRequests.cpe(slot);
    const standing = activatedCpes.find(cpe);
    const rival = standing >= 0 && activatedCpes.isArmed(standing) ? activatedCpes.owner(standing) : owner;
    if (rival !== owner && servers.isConfigured(rival)) {
      this.note(Event.Contended, slot, owner);
      return;
    }
    this.note(activatedCpes.arm(cpe, owner) < 0 ? Event.ActivationTableFull : event, slot, owner);
  }

  private note(event: Event, slot: number, owner: number): void {
    const { connectionRequests, events } = this.state;
    events.add(
      event,
      connectionRequests.cpe(slot),
      connectionRequests.cpePort(slot),
      connectionRequests.visiblePort(slot),
      owner,
    );
  }
}

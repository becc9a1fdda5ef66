/**
 * Connection Requests: TCP connections that a server opens to a CPE, and the CPE's answers on them. [P6, P7, P9] The
 * way back to the server that asked, port collisions and proofs are ours [D].
 */
import { rewriteDestinationPort, rewriteSourcePort } from '../../packet/rewrite';
import { isChecksumRight } from '../../packet/verify';
import { type PacketView } from '../../packet/view';
import { Seen, Word } from '../../tables/connection-row';
import { Cause } from '../../tables/flow-port';
import { type Activation } from './activation';
import { Event } from '../memory/events';
import { type FamilyState } from '../memory/family-state';
import { type Forward } from './forward';
import { ITMS } from '../memory/owners';
import { Reason } from '../reasons';

export class RequestDecisions {
  constructor(
    private readonly view: PacketView,
    private readonly state: FamilyState,
    private readonly activation: Activation,
    private readonly forward: Forward,
  ) {}

  // ---- a CPE on a Connection Request ----

  /** SYN+ACK of a CPE: it acknowledges the server's SYN, or somebody guessed. [2] */
  accept(): Reason {
    const { view } = this;
    const { connectionRequests: requests } = this.state;
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.AnswerToItms);
    if (!requests.isAcceptedBy(slot, view) || !isChecksumRight(view)) return this.unproven(slot);
    const first = (view.sequence + 1) | 0;
    requests.lift(slot, Seen.RstOfServer);
    if (!requests.isAnswered(slot)) {
      requests.acceptedByCpe(slot, view);
      // A request on the SYN (RFC 7413): its answer begins with the CPE's first byte.
      if (requests.head(slot) !== 0) requests.setWord(slot, Word.HeadAt, first);
      requests.mark(slot, Seen.Answer);
    }
    requests.keep(slot);
    if (view.payloadLength > 0) this.activation.answered(slot, first);
    return this.toOwner(slot);
  }

  /** ACK or data of a CPE. [D] */
  answer(): Reason {
    const { view } = this;
    const { connectionRequests: requests } = this.state;
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.AnswerToItms);
    if (!requests.isOfCpe(slot, view)) return this.unproven(slot);
    requests.lift(slot, Seen.RstOfServer);
    requests.keep(slot);
    if (view.payloadLength > 0) this.activation.answered(slot, view.sequence);
    requests.spokenByCpe(slot, view);
    return this.toOwner(slot);
  }

  /** FIN of a CPE, which may carry its answer. [D] */
  close(): Reason {
    const { view } = this;
    const { connectionRequests: requests } = this.state;
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.AnswerToItms);
    if (!requests.isOfCpe(slot, view) || !isChecksumRight(view)) return this.unproven(slot);
    const isFin = requests.isFinOfCpe(slot, view);
    requests.lift(slot, Seen.RstOfServer);
    requests.keep(slot);
    if (isFin) requests.mark(slot, Seen.FinOfCpe);
    if (view.payloadLength > 0) this.activation.answered(slot, view.sequence);
    requests.spokenByCpe(slot, view, isFin ? 1 : 0);
    return this.toOwner(slot);
  }

  /** RST of a CPE. Before its SYN+ACK, the RST refuses the connection. [D] */
  abort(): Reason {
    const { view } = this;
    const { connectionRequests: requests } = this.state;
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.AnswerToItms);
    const isAnswered = requests.isAnswered(slot);
    const isProven = isAnswered ? requests.isRstOfCpe(slot, view) : requests.isRefusal(slot, view);
    if (!isProven || !isChecksumRight(view)) return this.unproven(slot);
    if (isAnswered) {
      // Touch first: a crash in between must not leave a shorter life that is already over.
      requests.touch(slot);
      requests.mark(slot, Seen.RstOfCpe);
      return this.toOwner(slot);
    }
    const owner = requests.owner(slot);
    const ownPort = requests.ownPort(slot);
    const tag = requests.tag(slot);
    requests.remove(slot, Cause.Refused);
    return this.toServer(owner, ownPort, tag, Reason.AnswerToOwner);
  }

  /** Not proven to be the CPE's: forward it, since its receiver knows better, and change nothing. [2] */
  private unproven(slot: number): Reason {
    const { connectionRequests: requests } = this.state;
    return this.toServer(requests.owner(slot), requests.ownPort(slot), requests.tag(slot), Reason.AnswerUnproven);
  }

  /** Slot of the Connection Request that the CPE's packet belongs to, or -1. */
  private slotOfCpe(): number {
    const { view } = this;
    return this.state.connectionRequests.find(view.source, view.sourcePort, view.destinationPort);
  }

  private toOwner(slot: number): Reason {
    const { connectionRequests: requests } = this.state;
    return this.toServer(requests.owner(slot), requests.ownPort(slot), requests.tag(slot), Reason.AnswerToOwner);
  }

  private toServer(owner: number, ownPort: number, tag: number, reason: Reason): Reason {
    const { view } = this;
    if (ownPort !== view.destinationPort) rewriteDestinationPort(view, ownPort);
    return this.forward.toAddressOf(owner, tag, reason);
  }

  // ---- a server on a Connection Request ----

  /** SYN of a server. [P6] @param tag of the server address it came from */
  open(sender: number, tag: number): Reason {
    const { view } = this;
    const { connectionRequests: requests, servers } = this.state;
    if (!servers.isRequestPort(view.destinationPort)) return Reason.NotOurs;
    if (!isChecksumRight(view)) return this.forward.asAcs(Reason.ChecksumWrong);
    const own = requests.findOwned(view.destination, view.destinationPort, view.sourcePort, sender, tag);
    if (own < 0) return this.openNew(sender, tag);
    const isRepeated = requests.isn(own) === view.sequence;
    requests.setOwnPort(own, view.sourcePort, tag);
    if (isRepeated) {
      if (!requests.isAnswered(own)) {
        requests.touch(own);
        // Repeated, because a worker may have been killed while it opened this entry.
        requests.openedByServer(own, view);
      }
      return this.asRequest(own, Reason.RequestRepeated);
    }
    requests.reopen(own, view.sequence);
    this.opened(own);
    return this.asRequest(own, Reason.RequestOpened);
  }

  private openNew(sender: number, tag: number): Reason {
    const { view } = this;
    const { connectionRequests: requests, events } = this.state;
    const { destination, destinationPort, sourcePort, sequence } = view;
    const collides = requests.find(destination, destinationPort, sourcePort) >= 0;
    const hasRoom = requests.makeRoom(destination);
    const slot = !hasRoom
      ? -1
      : collides
        ? requests.openRemapped(destination, destinationPort, sourcePort, sender, tag, sequence)
        : requests.openOwn(destination, destinationPort, sourcePort, sender, tag, sequence);
    if (slot < 0) {
      // When in doubt, favour the ITMS. [D]
      if (sender === ITMS) return this.forward.asAcs(Reason.RequestUnrecorded);
      if (!hasRoom) return Reason.RequestBound;
      return collides && !requests.isFull ? Reason.RequestNoPort : Reason.RequestTableFull;
    }
    this.opened(slot);
    if (collides) events.add(Event.Remapped, destination, destinationPort, sourcePort, sender);
    return this.asRequest(slot, collides ? Reason.RequestRemapped : Reason.RequestOpened);
  }

  private opened(slot: number): void {
    const { view } = this;
    const { connectionRequests: requests } = this.state;
    requests.openedByServer(slot, view);
    requests.begun(slot);
    if (view.payloadLength > 0) this.activation.requested(slot, 0);
  }

  /** SYN+ACK, ACK or data of a server. [P7] */
  follow(sender: number, tag: number): Reason {
    const slot = this.slotOfServer(sender, tag);
    if (slot < 0) return this.unknown();
    this.spoken(slot, 0);
    return this.asRequest(slot, Reason.RequestFollowed);
  }

  /** FIN of a server. [P9] */
  finish(sender: number, tag: number): Reason {
    const { view } = this;
    const { connectionRequests: requests } = this.state;
    const slot = this.slotOfServer(sender, tag);
    if (slot < 0) return this.unknown();
    if (!isChecksumRight(view)) return this.asRequest(slot, Reason.ChecksumWrong);
    this.spoken(slot, 1);
    if (!requests.has(slot, Seen.FinOfServer)) {
      // In this order: if the worker is killed in between, the next one sees this FIN as the first again.
      this.activation.finished(slot);
      requests.mark(slot, Seen.FinOfServer);
    }
    return this.asRequest(slot, Reason.RequestFinished);
  }

  /** RST of a server. [D] */
  reset(sender: number, tag: number): Reason {
    const { view } = this;
    const { connectionRequests: requests } = this.state;
    const slot = this.slotOfServer(sender, tag);
    if (slot < 0) return this.unknown();
    if (!requests.isRstOfServer(slot, view) || !isChecksumRight(view)) {
      return this.asRequest(slot, Reason.RequestUnproven);
    }
    requests.touch(slot);
    requests.mark(slot, Seen.RstOfServer);
    return this.asRequest(slot, Reason.RequestReset);
  }

  /** @param fin 1 for a FIN */
  private spoken(slot: number, fin: number): void {
    const { view } = this;
    const { connectionRequests: requests } = this.state;
    const end = (view.sequence + view.sentLength + fin) | 0;
    requests.lift(slot, Seen.RstOfCpe);
    requests.keep(slot);
    if (requests.acknowledgesFin(slot, view)) requests.mark(slot, Seen.FinOfCpe);
    if (view.payloadLength > 0 && requests.isNewOfServer(slot, (end - fin) | 0)) {
      this.activation.requested(slot, view.acknowledgement);
    }
    requests.spokenByServer(slot, view, end);
  }

  /** No entry, so it belongs to nobody. Forwarded, it could break a connection that is not ours. [2] */
  private unknown(): Reason {
    const { servers } = this.state;
    return servers.isRequestPort(this.view.destinationPort) ? Reason.RequestUnknown : Reason.NotOurs;
  }

  private slotOfServer(sender: number, tag: number): number {
    const { view } = this;
    const { destination, destinationPort, sourcePort } = view;
    return this.state.connectionRequests.findOwned(destination, destinationPort, sourcePort, sender, tag);
  }

  private asRequest(slot: number, reason: Reason): Reason {
    const { connectionRequests: requests } = this.state;
    if (requests.has(slot, Seen.Remapped)) rewriteSourcePort(this.view, requests.visiblePort(slot));
    return this.forward.asAcs(reason);
  }
}

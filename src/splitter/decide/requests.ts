/**
 * Connection Requests: TCP connections that a server opens towards a CPE, and the CPE's answers on them.
 * [P6, P7, P9]; the way back to the server that asked, and port collisions, are ours [D].
 */
import { rewriteDestinationPort, rewriteSourcePort } from '../../packet/rewrite';
import { type PacketView } from '../../packet/view';
import { Seen } from '../../tables/connection-table';
import { type Activation } from './activation';
import { Event } from '../memory/events';
import { type FamilyState } from '../memory/family-state';
import { type Forward } from './forward';
import { ITMS } from '../memory/owners';
import { Reason } from '../reasons';
import { isRefusal, PacketType } from './decision-table';

export class RequestDecisions {
  constructor(
    private readonly view: PacketView,
    private readonly state: FamilyState,
    private readonly activation: Activation,
    private readonly forward: Forward,
  ) {}

  /** A CPE's packet to a port that is neither a report port nor the ITMS's. [D] */
  answer(type: PacketType): Reason {
    const { view } = this;
    const { connectionRequests } = this.state;
    const slot = connectionRequests.find(view.source, view.sourcePort, view.destinationPort);
    // The ITMS's own requests must survive a loss of state.
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.AnswerToItms);
    const owner = connectionRequests.owner(slot);
    const ownPort = connectionRequests.ownPort(slot);
    if (type === PacketType.Rst) {
      if (connectionRequests.isAnswered(slot)) {
        // Touched first: a crash between the two must not leave a shorter life that is already over.
        connectionRequests.touch(slot);
        connectionRequests.mark(slot, Seen.RstOfCpe);
      } else if (isRefusal(view, connectionRequests.isn(slot))) {
        connectionRequests.remove(slot);
      }
    } else {
      connectionRequests.lift(slot, Seen.RstOfServer);
      if (type === PacketType.SynAck) connectionRequests.mark(slot, Seen.Answer);
      connectionRequests.keep(slot);
      if (type === PacketType.Fin) connectionRequests.mark(slot, Seen.FinOfCpe);
      if (view.payloadLength > 0) {
        // A SYN takes one sequence number before the data (RFC 9293 section 3.4).
        const sequence = type === PacketType.SynAck ? (view.sequence + 1) | 0 : view.sequence;
        this.activation.judge(slot, view.bytes, view.payloadAt, view.payloadLength, sequence);
      }
    }
    if (ownPort !== view.destinationPort) rewriteDestinationPort(view, ownPort);
    return this.forward.toOwner(owner, Reason.AnswerToOwner);
  }

  /** SYN of a server. [P6] */
  open(sender: number): Reason {
    const { view } = this;
    const { connectionRequests, events } = this.state;
    const own = connectionRequests.findOwned(view.destination, view.destinationPort, view.sourcePort, sender);
    if (own >= 0) {
      const repeated = connectionRequests.isn(own) === view.sequence;
      if (!repeated) connectionRequests.reopen(own, view.sequence);
      else if (!connectionRequests.isAnswered(own)) connectionRequests.touch(own);
      return this.asRequest(own, repeated ? Reason.RequestRepeated : Reason.RequestOpened);
    }
    const { destination, destinationPort, sourcePort, sequence } = view;
    const collides = connectionRequests.find(destination, destinationPort, sourcePort) >= 0;
    const slot = collides
      ? connectionRequests.openRemapped(destination, destinationPort, sourcePort, sender, sequence)
      : connectionRequests.open(destination, destinationPort, sourcePort, sender, sequence);
    if (slot < 0) {
      // Failing leans to the ITMS. [D]
      if (sender === ITMS) return this.forward.asAcs(Reason.RequestUnrecorded);
      return collides ? Reason.RequestNoPort : Reason.RequestTableFull;
    }
    if (collides) events.add(Event.Remapped, destination, destinationPort, sourcePort, sender);
    return this.asRequest(slot, collides ? Reason.RequestRemapped : Reason.RequestOpened);
  }

  /** Anything else of a server. [P7, P9] */
  follow(type: PacketType, sender: number): Reason {
    const { view } = this;
    const { connectionRequests } = this.state;
    const slot = connectionRequests.findOwned(view.destination, view.destinationPort, view.sourcePort, sender);
    if (slot < 0) return this.forward.asAcs(Reason.RequestUnknown);
    if (type === PacketType.Rst) {
      connectionRequests.touch(slot);
      connectionRequests.mark(slot, Seen.RstOfServer);
      return this.asRequest(slot, Reason.RequestReset);
    }
    connectionRequests.lift(slot, Seen.RstOfCpe);
    connectionRequests.keep(slot);
    if (type === PacketType.Fin && !connectionRequests.has(slot, Seen.FinOfServer)) {
      // In this order: killed in between, the next worker sees this FIN as the first again.
      this.activation.finished(slot);
      connectionRequests.mark(slot, Seen.FinOfServer);
    }
    return this.asRequest(slot, type === PacketType.Fin ? Reason.RequestFinished : Reason.RequestFollowed);
  }

  private asRequest(slot: number, reason: Reason): Reason {
    const { connectionRequests } = this.state;
    if (connectionRequests.has(slot, Seen.Remapped)) rewriteSourcePort(this.view, connectionRequests.visiblePort(slot));
    return this.forward.asAcs(reason);
  }
}

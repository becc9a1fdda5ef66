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
import { isRefusal } from './decision-table';

export class RequestDecisions {
  constructor(
    private readonly view: PacketView,
    private readonly state: FamilyState,
    private readonly activation: Activation,
    private readonly forward: Forward,
  ) {}

  /** SYN+ACK of a CPE. [D] */
  accept(): Reason {
    const { view } = this;
    const { connectionRequests } = this.state;
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.AnswerToItms);
    connectionRequests.lift(slot, Seen.RstOfServer);
    connectionRequests.mark(slot, Seen.Answer);
    connectionRequests.keep(slot);
    // A SYN takes one sequence number before the data (RFC 9293 section 3.4).
    this.read(slot, (view.sequence + 1) | 0);
    return this.toOwner(slot);
  }

  /** ACK or data of a CPE. [D] */
  answer(): Reason {
    const { connectionRequests } = this.state;
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.AnswerToItms);
    connectionRequests.lift(slot, Seen.RstOfServer);
    connectionRequests.keep(slot);
    this.read(slot, this.view.sequence);
    return this.toOwner(slot);
  }

  /** FIN of a CPE, which may carry its answer. [D] */
  close(): Reason {
    const { connectionRequests } = this.state;
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.AnswerToItms);
    connectionRequests.lift(slot, Seen.RstOfServer);
    connectionRequests.keep(slot);
    connectionRequests.mark(slot, Seen.FinOfCpe);
    this.read(slot, this.view.sequence);
    return this.toOwner(slot);
  }

  /** RST of a CPE: before its SYN+ACK it refuses. [D] */
  abort(): Reason {
    const { connectionRequests } = this.state;
    const slot = this.slotOfCpe();
    if (slot < 0) return this.forward.toOwner(ITMS, Reason.AnswerToItms);
    if (connectionRequests.isAnswered(slot)) {
      // Touched first: a crash between the two must not leave a shorter life that is already over.
      connectionRequests.touch(slot);
      connectionRequests.mark(slot, Seen.RstOfCpe);
      return this.toOwner(slot);
    }
    if (!isRefusal(this.view, connectionRequests.isn(slot))) return this.toOwner(slot);
    const owner = connectionRequests.owner(slot);
    const ownPort = connectionRequests.ownPort(slot);
    connectionRequests.remove(slot);
    return this.toServer(owner, ownPort);
  }

  /** Of the Connection Request that the CPE's packet belongs to, or -1: the ITMS's own must survive a loss of state. */
  private slotOfCpe(): number {
    const { view } = this;
    return this.state.connectionRequests.find(view.source, view.sourcePort, view.destinationPort);
  }

  /** @param sequence int32, of the first payload byte */
  private read(slot: number, sequence: number): void {
    const { view } = this;
    if (view.payloadLength > 0) this.activation.judge(slot, view.bytes, view.payloadAt, view.payloadLength, sequence);
  }

  private toOwner(slot: number): Reason {
    const { connectionRequests } = this.state;
    return this.toServer(connectionRequests.owner(slot), connectionRequests.ownPort(slot));
  }

  private toServer(owner: number, ownPort: number): Reason {
    const { view } = this;
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

  /** SYN+ACK, ACK or data of a server. [P7] */
  follow(sender: number): Reason {
    const { connectionRequests } = this.state;
    const slot = this.slotOfServer(sender);
    if (slot < 0) return this.forward.asAcs(Reason.RequestUnknown);
    connectionRequests.lift(slot, Seen.RstOfCpe);
    connectionRequests.keep(slot);
    return this.asRequest(slot, Reason.RequestFollowed);
  }

  /** FIN of a server. [P9] */
  finish(sender: number): Reason {
    const { connectionRequests } = this.state;
    const slot = this.slotOfServer(sender);
    if (slot < 0) return this.forward.asAcs(Reason.RequestUnknown);
    connectionRequests.lift(slot, Seen.RstOfCpe);
    connectionRequests.keep(slot);
    if (!connectionRequests.has(slot, Seen.FinOfServer)) {
      // In this order: killed in between, the next worker sees this FIN as the first again.
      this.activation.finished(slot);
      connectionRequests.mark(slot, Seen.FinOfServer);
    }
    return this.asRequest(slot, Reason.RequestFinished);
  }

  /** RST of a server. [D] */
  reset(sender: number): Reason {
    const { connectionRequests } = this.state;
    const slot = this.slotOfServer(sender);
    if (slot < 0) return this.forward.asAcs(Reason.RequestUnknown);
    connectionRequests.touch(slot);
    connectionRequests.mark(slot, Seen.RstOfServer);
    return this.asRequest(slot, Reason.RequestReset);
  }

  private slotOfServer(sender: number): number {
    const { view } = this;
    return this.state.connectionRequests.findOwned(view.destination, view.destinationPort, view.sourcePort, sender);
  }

  private asRequest(slot: number, reason: Reason): Reason {
    const { connectionRequests } = this.state;
    if (connectionRequests.has(slot, Seen.Remapped)) rewriteSourcePort(this.view, connectionRequests.visiblePort(slot));
    return this.forward.asAcs(reason);
  }
}

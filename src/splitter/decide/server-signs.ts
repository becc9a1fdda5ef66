/** Tells the watch what a decided packet says about its server: a SYN that it gets, its SYN+ACK, its RST. */
import { type PacketView } from '../../packet/view';
import { ITMS } from '../memory/owners';
import { PortClass, type Servers } from '../memory/servers';
import { Reason } from '../reasons';
import { type Settings } from '../settings';
import { PacketType } from './decision-table';

export class ServerSigns {
  constructor(
    private readonly view: PacketView,
    private readonly servers: Servers,
    private readonly settings: Settings,
  ) {}

  /** @param sender owner id of the server, when it is not from a CPE */
  tell(type: PacketType, fromCpe: boolean, reason: Reason, sender: number): void {
    const { watch } = this.settings;
    if (watch === undefined || type === PacketType.Ack || type === PacketType.Fin) return;
    const { view, servers } = this;
    if (fromCpe) {
      if (type !== PacketType.Syn || !isAttempt(reason) || !this.isReportPort(view.destinationPort)) return;
      const owner = servers.ownerAt(view.destination);
      watch.opened(owner, view.source, view.sourcePort, view.destinationPort, view.sequence);
      return;
    }
    if (!isOfOwner(reason, sender) || !this.isReportPort(view.sourcePort)) return;
    const isn = (view.acknowledgement - 1) | 0;
    if (type === PacketType.SynAck) {
      watch.accepted(sender, view.destination, view.destinationPort, view.sourcePort, isn, view.sequence);
    } else if (type === PacketType.Rst) {
      watch.reset(sender, view.destination, view.destinationPort, view.sourcePort, isn, view.sequence);
    }
  }

  private isReportPort(port: number): boolean {
    return this.servers.portClass(port) === PortClass.Report;
  }
}

/** The SYN opens a connection. Onto a live one, TCP itself may leave it unanswered. */
function isAttempt(reason: Reason): boolean {
  return reason !== Reason.SynOntoLive && reason !== Reason.ChecksumWrong;
}

/** The packet is its connection's own server's. */
function isOfOwner(reason: Reason, sender: number): boolean {
  if (sender === ITMS) return reason === Reason.ItmsForwarded;
  return reason === Reason.ReportAnswered || reason === Reason.ReportReset;
}

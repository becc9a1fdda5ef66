/**
 * The decision table: what to do with a packet, by its origin, its port and its type. [P3, P4] The port is the one at
 * the ACS address: the destination port of a CPE's packet, the source port of a server's.
 */
import { TcpFlag } from '../../packet/tcp';

/** Row of the table: the side that a packet comes from, and the class of its port. */
export const enum Origin {
  CpeReportPort,
  CpeItmsPort,
  CpeOtherPort,
  ItmsReportPort,
  ItmsItmsPort,
  ItmsOtherPort,
  CollectorReportPort,
  CollectorOtherPort,
}

/** Column of the table. [P4], SYN+ACK and RST [D]. */
export const enum PacketType {
  Syn,
  /** Counts as an ACK [P7], except that it answers a SYN. */
  SynAck,
  /** ACK, data. */
  Ack,
  Fin,
  Rst,
  /** SYN with FIN or RST, or no flags at all: no real TCP sends this. */
  Malformed,
}

export const enum Action {
  OpenReport,
  FollowReport,
  CloseReport,
  AbortReport,
  ToItms,
  RefuseSyn,
  AcceptRequest,
  AnswerRequest,
  CloseRequest,
  AbortRequest,
  OpenRequest,
  FollowRequest,
  FinishRequest,
  ResetRequest,
  AcceptReport,
  ServeReport,
  FinishReport,
  ResetReport,
  RefuseServerSyn,
  ServeItms,
  ServeItmsPort,
}

const TYPES = 5;

// prettier-ignore
const DECISIONS = new Uint8Array([
  //                      SYN                     SYN+ACK               ACK, data             FIN                   RST
  /* cpe, report port */  Action.OpenReport,      Action.FollowReport,  Action.FollowReport,  Action.CloseReport,   Action.AbortReport,
  /* cpe, itms port */    Action.ToItms,          Action.ToItms,        Action.ToItms,        Action.ToItms,        Action.ToItms,
  /* cpe, other port */   Action.RefuseSyn,       Action.AcceptRequest, Action.AnswerRequest, Action.CloseRequest,  Action.AbortRequest,
  /* itms, report port */ Action.ServeItms,       Action.ServeItms,     Action.ServeItms,     Action.ServeItms,     Action.ServeItms,
  /* itms, itms port */   Action.ServeItmsPort,   Action.ServeItmsPort, Action.ServeItmsPort, Action.ServeItmsPort, Action.ServeItmsPort,
  /* itms, other port */  Action.OpenRequest,     Action.FollowRequest, Action.FollowRequest, Action.FinishRequest, Action.ResetRequest,
  /* collector, report */ Action.RefuseServerSyn, Action.AcceptReport,  Action.ServeReport,   Action.FinishReport,  Action.ResetReport,
  /* collector, other */  Action.OpenRequest,     Action.FollowRequest, Action.FollowRequest, Action.FinishRequest, Action.ResetRequest,
]);
// A CPE on a report connection: a remembered connection stays with its server, an unknown one is the ITMS's. [P10, D]
//   OpenReport       an activated CPE's SYN goes to its collector and is remembered, any other to the ITMS. [P10]
//   FollowReport     a packet that leaves the connection open. [D]
//   CloseReport      the CPE's FIN: grace begins. [D]
//   AbortReport      the CPE's RST. [D]
// A CPE on a Connection Request: the answer finds the server that asked. [D]
//   RefuseSyn        not forwarded. [P11]
//   AcceptRequest    the SYN+ACK.
//   AnswerRequest    data: a 2xx to a collector arms.
//   CloseRequest     the FIN, which may carry the answer.
//   AbortRequest     the RST: before the SYN+ACK it refuses.
// A server on a Connection Request: the CPE sees the ACS address. [P7]
//   OpenRequest      remembered, so that the answers find their way back. [P6], the ITMS's [D]
//   FollowRequest    as ACS.
//   FinishRequest    the FIN: a collector's is the patent's sign of success. [P9]
//   ResetRequest     the RST. [D]
// A server on a report connection: only the connection's own server speaks. [P7, P8]
//   AcceptReport     the SYN+ACK.
//   ServeReport      ACK, data.
//   FinishReport     the FIN: its time is set, grace begins. [P8, D]
//   ResetReport      the RST: before the SYN+ACK it refuses. [D]
//   RefuseServerSyn  a server does not open connections from the port on which CPEs report. [D]
//   ServeItms        the ITMS, unless the connection is a collector's. [D]
//   ServeItmsPort    the ITMS on a port that is always its own. [D]

/** @param type anything but Malformed */
export function actionFor(origin: Origin, type: PacketType): Action {
  return DECISIONS[origin * TYPES + type];
}

const OPEN_CLOSE = TcpFlag.Syn | TcpFlag.Ack | TcpFlag.Fin | TcpFlag.Rst;

/** A packet's type by its TCP flags. Precedence: RST, SYN+ACK, SYN, FIN, ACK. */
export function packetType(flags: number): PacketType {
  switch (flags & OPEN_CLOSE) {
    case TcpFlag.Ack:
      return PacketType.Ack;
    case TcpFlag.Syn:
      return PacketType.Syn;
    case TcpFlag.Syn | TcpFlag.Ack:
      return PacketType.SynAck;
    case TcpFlag.Fin:
    case TcpFlag.Fin | TcpFlag.Ack:
      return PacketType.Fin;
    case TcpFlag.Rst:
    case TcpFlag.Rst | TcpFlag.Ack:
    case TcpFlag.Rst | TcpFlag.Fin:
    case TcpFlag.Rst | TcpFlag.Fin | TcpFlag.Ack:
      return PacketType.Rst;
    default:
      return PacketType.Malformed;
  }
}

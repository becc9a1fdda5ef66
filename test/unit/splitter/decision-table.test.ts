/** The decision table itself: every cell, and the type of every combination of flags. [P3, P4] */
import { Action, actionFor, Origin, PacketType, packetType } from '../../../src/splitter/decide/decision-table';

const TYPES = [PacketType.Syn, PacketType.SynAck, PacketType.Ack, PacketType.Fin, PacketType.Rst];

/** Each row in words of its own, not in those of the table under test. */
const ROWS: [says: string, origin: Origin, actions: Action[]][] = [
  [
    'from a CPE to the report port, a SYN is decided, all else follows [P10, D]',
    Origin.CpeReportPort,
    [Action.OpenReport, Action.FollowReport, Action.FollowReport, Action.CloseReport, Action.AbortReport],
  ],
  [
    'from a CPE to one of the ITMS’s further ports, all goes to the ITMS [D]',
    Origin.CpeItmsPort,
    Array<Action>(5).fill(Action.ToItms),
  ],
  [
    'from a CPE to any other port, a SYN is not forwarded, all else answers a Connection Request [P11, D]',
    Origin.CpeOtherPort,
    [Action.RefuseSyn, Action.AcceptRequest, Action.AnswerRequest, Action.CloseRequest, Action.AbortRequest],
  ],
  [
    'from the ITMS and the report port, all is judged by who has the connection [D]',
    Origin.ItmsReportPort,
    Array<Action>(5).fill(Action.ServeItms),
  ],
  [
    'from the ITMS and one of its further ports, all passes [D]',
    Origin.ItmsItmsPort,
    Array<Action>(5).fill(Action.ServeItmsPort),
  ],
  [
    'from the ITMS and another port, a SYN opens a Connection Request, all else belongs to one [D]',
    Origin.ItmsOtherPort,
    [Action.OpenRequest, Action.FollowRequest, Action.FollowRequest, Action.FinishRequest, Action.ResetRequest],
  ],
  [
    'from a collector and the report port, a SYN is dropped, all else is served on its own connections [P7, P8, D]',
    Origin.CollectorReportPort,
    [Action.RefuseServerSyn, Action.AcceptReport, Action.ServeReport, Action.FinishReport, Action.ResetReport],
  ],
  [
    'from a collector and another port, a SYN opens a Connection Request, all else belongs to one [P6, P7, P9]',
    Origin.CollectorOtherPort,
    [Action.OpenRequest, Action.FollowRequest, Action.FollowRequest, Action.FinishRequest, Action.ResetRequest],
  ],
];

test.each(ROWS)('%s', (_says, origin, actions) => {
  expect(TYPES.map((type) => actionFor(origin, type))).toEqual(actions);
});

test('every origin has its row', () => {
  expect(ROWS.map((row) => row[1])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

/** Malformed first, then RST > SYN+ACK > SYN > FIN > ACK. [P4, D] */
function typeInWords(flags: number): PacketType {
  const has = (bit: number) => (flags & bit) !== 0;
  if (has(SYN) && (has(FIN) || has(RST))) return PacketType.Malformed;
  if (has(RST)) return PacketType.Rst;
  if (has(SYN)) return has(ACK) ? PacketType.SynAck : PacketType.Syn;
  if (has(FIN)) return PacketType.Fin;
  return has(ACK) ? PacketType.Ack : PacketType.Malformed;
}

test('each of the 256 combinations of flags has its type; PSH, URG, ECE and CWR say nothing [P4, D]', () => {
  for (let flags = 0; flags < 256; flags++) expect([flags, packetType(flags)]).toEqual([flags, typeInWords(flags)]);
});

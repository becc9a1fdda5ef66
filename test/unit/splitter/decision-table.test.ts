/** The type of every combination of flags. [P4] The table's cells are tested by the decision golden, line by line. */
import { PacketType, packetType } from '../../../src/splitter/decide/decision-table';

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

test('each of the 256 combinations of flags has its type; PSH, URG, ECE and CWR do not matter [P4, D]', () => {
  for (let flags = 0; flags < 256; flags++) expect([flags, packetType(flags)]).toEqual([flags, typeInWords(flags)]);
});

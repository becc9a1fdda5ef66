/** Which servers' answers to a SYN reached the CPE: never those of two. A boot's SYN may rightly reach a second server. */
import { REPORT_PORT } from '../../../src/lab/world';
import { TcpFlag } from '../../../src/packet/tcp';
import type { Wires } from './wires';

const SYN_ACK = TcpFlag.Syn | TcpFlag.Ack;

/** SYNs, as CPE-ADDRESS:PORT and what the answers acknowledge, whose SYN+ACKs at the CPE came from two servers. */
export function sameSynAtTwoServers(sights: Wires['sights']): string[] {
  const answers = sights.filter(({ flags, sourcePort }) => (flags & SYN_ACK) === SYN_ACK && sourcePort === REPORT_PORT);
  const keyOf = (sight: (typeof sights)[number]): string =>
    `${sight.destination}:${sight.destinationPort} ${sight.acknowledgement} ${sight.sequence}`;
  const arrived = new Set(answers.filter(({ wire }) => wire === 'cpe').map(keyOf));
  const serversBySyn = new Map<string, Set<string>>();
  for (const answer of answers) {
    if (answer.wire !== 'server' || !arrived.has(keyOf(answer))) continue;
    const syn = `${answer.destination}:${answer.destinationPort} ${answer.acknowledgement}`;
    serversBySyn.set(syn, (serversBySyn.get(syn) ?? new Set()).add(answer.source));
  }
  return [...serversBySyn].filter(([, servers]) => servers.size > 1).map(([syn]) => syn);
}

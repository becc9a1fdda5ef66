/**
 * The two ends of one TCP connection in a story. They track their own sequence numbers. A forger's packets belong to
 * the connection by its ports only.
 */
import { type TcpPacket } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';
import { ACS, CPE_PORT, FLAGS, type Party, REPORT_PORT, type Server, SERVERS, type Type } from './rig';

export interface Segment {
  type: Type;
  payload: string;
  /** Repeats the segment of this type that this end sent last. */
  again: boolean;
  /** Somebody else's, in this end's name: sequence numbers are a guess. */
  forged: boolean;
  newIsn: boolean;
  /** About the connection as it was before the last SYN of a new ISN: a challenge, and the answer to one. */
  old: boolean;
  ecn: boolean;
}

interface End {
  next: number;
  last: Map<string, TcpPacket>;
}

/** Maximum segment size 1460, SACK permitted, window scale 7. */
const SYN_OPTIONS = Uint8Array.of(2, 4, 0x05, 0xb4, 4, 2, 1, 3, 3, 7, 0, 0);
const GUESS = 0x5eed;

export class StoryConnection {
  private before = { cpe: 0, server: 0 };
  private readonly ends: Record<'cpe' | 'server', End>;

  /**
   * @param opener the server of a Connection Request; `cpe` for a report connection, which any server may answer
   * @param serverPort the server's own: a report port, or the source port of the Connection Request
   */
  constructor(
    readonly opener: Party,
    readonly cpe: string,
    readonly cpePort: number,
    readonly serverPort: number,
    private isn: number,
  ) {
    this.visiblePort = serverPort;
    this.ends = {
      cpe: { next: isn + (opener === 'cpe' ? 0 : 5000), last: new Map() },
      server: { next: isn + (opener === 'cpe' ? 5000 : 0), last: new Map() },
    };
  }

  /** The port at the ACS address, as the CPE has seen it. */
  visiblePort: number;

  static report(cpe: string, cpePort: number, port = REPORT_PORT, isn = 1000): StoryConnection {
    return new StoryConnection('cpe', cpe, cpePort, port, isn);
  }

  static request(server: Server, port: number, cpe: string, isn = 1000): StoryConnection {
    return new StoryConnection(server, cpe, CPE_PORT, port, isn);
  }

  packet(from: Party, segment: Segment): TcpPacket {
    const side = from === 'cpe' ? 'cpe' : 'server';
    const end = this.ends[side];
    const repeated = segment.again ? end.last.get(segment.type) : undefined;
    if (segment.again && !repeated) throw new Error(`${from} has sent no ${segment.type} yet`);
    if (repeated) return { ...repeated, ...this.addresses(from) };
    if (segment.newIsn) {
      this.before = { cpe: this.ends.cpe.next, server: this.ends.server.next };
      this.isn = end.next = this.isn + 0x10000;
    }
    const other = side === 'cpe' ? 'server' : 'cpe';
    const sequence = segment.forged ? GUESS : segment.old ? this.before[side] : end.next;
    const acknowledgement = segment.forged ? GUESS : segment.old ? this.before[other] : this.ends[other].next;
    const packet: TcpPacket = {
      ...this.addresses(from),
      flags: FLAGS[segment.type] | (segment.ecn ? ecnFlags(segment.type) : 0),
      sequence: sequence | 0,
      acknowledgement: segment.type === 'SYN' ? 0 : acknowledgement | 0,
      payload: segment.payload,
      ...(segment.type.startsWith('SYN') && { options: SYN_OPTIONS }),
    };
    if (!segment.forged && !segment.old) {
      const counts = segment.type.startsWith('SYN') || segment.type === 'FIN' ? 1 : 0;
      end.next += segment.payload.length + counts;
      end.last.set(segment.type, packet);
    }
    return packet;
  }

  /** The CPE's last SYN as a router before that server quotes it; somebody who did not see it guesses its number. */
  synTo(server: Server, isForged: boolean): TcpPacket {
    const syn = this.ends.cpe.last.get('SYN');
    if (!syn) throw new Error('the CPE has sent no SYN yet');
    return { ...syn, destination: SERVERS[server], ...(isForged && { sequence: GUESS }) };
  }

  private addresses(from: Party) {
    return from === 'cpe'
      ? { source: this.cpe, sourcePort: this.cpePort, destination: ACS, destinationPort: this.visiblePort }
      : {
          source: SERVERS[from],
          sourcePort: this.serverPort,
          destination: this.cpe,
          destinationPort: this.cpePort,
        };
  }
}

/** RFC 3168 section 6.1.1: a SYN asks with ECE and CWR, a SYN+ACK agrees with ECE. */
function ecnFlags(type: Type): number {
  if (type === 'SYN') return TcpFlag.Ece | TcpFlag.Cwr;
  return type === 'SYN+ACK' ? TcpFlag.Ece : 0;
}

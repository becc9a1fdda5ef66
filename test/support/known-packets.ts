/**
 * Packets that this project did not build: one exchange between two Linux hosts as tcpdump saw it, field by field. The
 * TCP checksums are those that tcpdump computed (the sender had left them to the network card).
 */
import { type TcpPacket } from '../../src/packet/builder';

/** Bytes from hex; the text behind `|` on a line explains them. */
export function annotated(text: string): Uint8Array {
  const digits = text.split('\n').map((line) => line.split('|')[0]);
  return Uint8Array.from(digits.join(' ').trim().split(/\s+/), (octet) => parseInt(octet, 16));
}

export interface KnownPacket {
  name: string;
  bytes: Uint8Array;
  /** The same, as our builder wants it. */
  fields: TcpPacket;
  tcpAt: number;
  payloadAt: number;
}

const CPE = { source: '10.1.2.3', sourcePort: 40961, destination: '10.1.0.1', destinationPort: 7547 };
const ACS = { source: '10.1.0.1', sourcePort: 7547, destination: '10.1.2.3', destinationPort: 40961 };

export const KNOWN_PACKETS: KnownPacket[] = [
  {
    name: 'SYN of a CPE, with options',
    bytes: annotated(`
      45 00                   | version 4, IHL 5; DSCP and ECN 0
      00 3c                   | total length 60
      f6 d5                   | identification
      40 00                   | don't fragment, offset 0
      40 06                   | TTL 64, TCP
      2d e1                   | header checksum
      0a 01 02 03             | source 10.1.2.3
      0a 01 00 01             | destination 10.1.0.1
      a0 01 1d 7b             | ports 40961 to 7547
      92 7f 9d b3             | sequence
      00 00 00 00             | acknowledgement
      a0 02                   | data offset 10; SYN
      fa f0                   | window 64240
      c3 31                   | checksum
      00 00                   | urgent pointer
      02 04 05 b4             | option: MSS 1460
      04 02                   | option: SACK permitted
      08 0a 32 ad 53 78 00 00 00 00 | option: timestamps
      01 03 03 0a             | no operation; option: window scale 10`),
    fields: {
      ...CPE,
      identification: 0xf6d5,
      flags: 0x02,
      sequence: 0x927f9db3,
      window: 0xfaf0,
      options: annotated('02 04 05 b4 04 02 08 0a 32 ad 53 78 00 00 00 00 01 03 03 0a'),
    },
    tcpAt: 20,
    payloadAt: 60,
  },
  {
    name: 'SYN+ACK of the ACS',
    bytes: annotated(`
      45 00 00 3c 00 00 40 00 | total length 60, identification 0, don't fragment
      40 06 24 b7             | TTL 64, TCP, header checksum
      0a 01 00 01 0a 01 02 03 | 10.1.0.1 to 10.1.2.3
      1d 7b a0 01             | ports 7547 to 40961
      7d cb ac df 92 7f 9d b4 | sequence, acknowledgement
      a0 12 fe 88             | data offset 10; SYN, ACK; window 65160
      27 b3 00 00             | checksum, urgent pointer
      02 04 05 b4 04 02 08 0a 9c 73 d0 b6 32 ad 53 78 01 03 03 0a`),
    fields: {
      ...ACS,
      flags: 0x12,
      sequence: 0x7dcbacdf,
      acknowledgement: 0x927f9db4,
      window: 0xfe88,
      options: annotated('02 04 05 b4 04 02 08 0a 9c 73 d0 b6 32 ad 53 78 01 03 03 0a'),
    },
    tcpAt: 20,
    payloadAt: 60,
  },
  {
    name: 'data of a CPE, an odd number of bytes',
    bytes: annotated(`
      45 00 00 47 f6 d7 40 00 | total length 71
      40 06 2d d4             | TTL 64, TCP, header checksum
      0a 01 02 03 0a 01 00 01 | 10.1.2.3 to 10.1.0.1
      a0 01 1d 7b             | ports 40961 to 7547
      92 7f 9d b4 7d cb ac e0 | sequence, acknowledgement
      80 18 00 3f             | data offset 8; PSH, ACK; window 63
      55 ca 00 00             | checksum, urgent pointer
      01 01 08 0a 32 ad 53 78 9c 73 d0 b6 | timestamps
      50 4f 53 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a 0d 0a | POST / HTTP/1.1, an empty line`),
    fields: {
      ...CPE,
      identification: 0xf6d7,
      flags: 0x18,
      sequence: 0x927f9db4,
      acknowledgement: 0x7dcbace0,
      window: 0x003f,
      options: annotated('01 01 08 0a 32 ad 53 78 9c 73 d0 b6'),
      payload: 'POST / HTTP/1.1\r\n\r\n',
    },
    tcpAt: 20,
    payloadAt: 52,
  },
  {
    name: 'FIN of the ACS',
    bytes: annotated(`
      45 00 00 34 56 be 40 00 | total length 52
      40 06 ce 00             | TTL 64, TCP, header checksum
      0a 01 00 01 0a 01 02 03 | 10.1.0.1 to 10.1.2.3
      1d 7b a0 01             | ports 7547 to 40961
      7d cb ac fc 92 7f 9d c8 | sequence, acknowledgement
      80 11 00 40             | data offset 8; FIN, ACK; window 64
      54 97 00 00             | checksum, urgent pointer
      01 01 08 0a 9c 73 d0 b9 32 ad 53 78`),
    fields: {
      ...ACS,
      identification: 0x56be,
      flags: 0x11,
      sequence: 0x7dcbacfc,
      acknowledgement: 0x927f9dc8,
      window: 0x0040,
      options: annotated('01 01 08 0a 9c 73 d0 b9 32 ad 53 78'),
    },
    tcpAt: 20,
    payloadAt: 52,
  },
];

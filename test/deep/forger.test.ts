/**
 * An off-path forger knows every address and port, but no sequence number. Whatever it sends as the CPE, a diverted
 * session continues: every packet of the CPE reaches its collector, every packet of the collector reaches the CPE, and
 * the ITMS never gets a packet that opens on the session's port. Both hosts follow RFC 5961: anything inexact gets a
 * challenge ACK, except a RST, which gets nothing.
 */
import * as fc from 'fast-check';
import { buildTcp } from '../../src/packet/builder';
import { packetIn } from '../support/family';
import { ACS, CPE, FLAGS, REPORT_PORT, Rig, type Type } from '../support/rig';

const CPE_PORT = 40001;
const ISN = 1000;
const SERVER_ISN = 0x7ffffff0;
/** A blind guess is farther from the truth than this; one that is nearer is one guessed number. */
const BLIND = 1 << 20;
const TCP_CHECKSUM = 16;
const REQUEST = 'POST /acs HTTP/1.1\r\nContent-Length: 0\r\n\r\n';
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

interface Forged {
  type: Type;
  /** From the CPE's next number, and from the collector's: at least one of the two is a blind guess. */
  sequenceBy: number;
  acknowledgementBy: number;
  payload: string;
  isSpoiled: boolean;
  thenMs: number;
}

const blind = fc.integer({ min: BLIND, max: 2 ** 32 - BLIND });
const near = fc.constantFrom(0, 1, -1, 1460, -65_536);
const numbers = fc.oneof(fc.tuple(blind, blind), fc.tuple(near, blind), fc.tuple(blind, near));
const forged: fc.Arbitrary<Forged> = fc
  .record({
    type: fc.constantFrom(...(Object.keys(FLAGS) as Type[])),
    numbers,
    payload: fc.constantFrom('', REQUEST, ANSWER),
    isSpoiled: fc.boolean(),
    thenMs: fc.constantFrom(0, 1, 100, 3001, 9_999, 10_001, 31_000),
  })
  .map(({ numbers: [sequenceBy, acknowledgementBy], type, ...rest }) => {
    // These count by their sequence number alone, at the splitter as in TCP (RFC 5961 section 3.2).
    const isBare = type === 'RST' || type === 'bare RST' || type === 'SYN';
    return { ...rest, type, sequenceBy: isBare ? BLIND + Math.abs(sequenceBy % BLIND) : sequenceBy, acknowledgementBy };
  });

/** The two ends of one diverted session, with numbers of their own. */
class Session {
  readonly rig = new Rig();
  cpeNext = ISN + 1;
  serverNext = SERVER_ISN + 1;

  constructor() {
    const { rig } = this;
    rig.wake();
    expect(rig.cpe('SYN', { cpePort: CPE_PORT, sequence: ISN })).toMatch(/^to c1: diverted/);
    expect(this.fromCollector('SYN+ACK', '', SERVER_ISN)).toMatch(/^as acs/);
    this.fromCpe('ACK');
    this.exchange();
  }

  /** A request and its answer, acknowledged. */
  exchange(): void {
    expect(this.fromCpe('DATA', REQUEST)).toMatch(/^to c1/);
    this.cpeNext += REQUEST.length;
    expect(this.fromCollector('DATA', ANSWER)).toMatch(/^as acs/);
    this.serverNext += ANSWER.length;
    expect(this.fromCpe('ACK')).toMatch(/^to c1/);
  }

  forge({ type, sequenceBy, acknowledgementBy, payload, isSpoiled, thenMs }: Forged): void {
    const { rig } = this;
    const fields = {
      source: CPE,
      sourcePort: CPE_PORT,
      destination: ACS,
      destinationPort: REPORT_PORT,
      sequence: (this.cpeNext + sequenceBy) | 0,
      acknowledgement: (this.serverNext + acknowledgementBy) | 0,
      flags: FLAGS[type],
      payload: type === 'DATA' || type === 'FIN' ? payload : '',
    };
    const bytes = buildTcp(packetIn(fields));
    if (isSpoiled) bytes[bytes.length - 20 - fields.payload.length + TCP_CHECKSUM] ^= 0x5a;
    const { text } = rig.sendBytes('cpe', bytes);
    // The ITMS must see nothing of a connection that it could answer.
    expect(text).not.toMatch(/^to itms/);
    // The collector's stack sends a challenge (RFC 5961 sections 4.2 and 5.2, RFC 9293 section 3.10.7.4), but not after
    // a RST outside its window, nor after a corrupted packet, which it ignores.
    const isHeard = !isSpoiled && type !== 'RST' && type !== 'bare RST';
    if (isHeard) expect(this.fromCollector('ACK')).toMatch(/^as acs/);
    rig.wait(thenMs);
  }

  private fromCpe(type: Type, payload = ''): string {
    const numbers = { sequence: this.cpeNext | 0, acknowledgement: this.serverNext | 0 };
    return this.rig.cpe(type, { cpePort: CPE_PORT, ...numbers, payload });
  }

  private fromCollector(type: Type, payload = '', sequence = this.serverNext): string {
    return this.rig.from('c1', type, {
      cpePort: CPE_PORT,
      sequence: sequence | 0,
      acknowledgement: this.cpeNext | 0,
      payload,
    });
  }
}

test('no forged packets, however many, end a diverted session or show it to the ITMS', () => {
  fc.assert(
    fc.property(fc.array(forged, { minLength: 1, maxLength: 12 }), (packets) => {
      const session = new Session();
      for (const packet of packets) {
        session.forge(packet);
        session.exchange();
      }
    }),
    { numRuns: 600 },
  );
});

test('an idle session outlasts them as well', () => {
  fc.assert(
    fc.property(fc.array(forged, { minLength: 1, maxLength: 6 }), (packets) => {
      const session = new Session();
      for (const packet of packets) session.forge(packet);
      session.exchange();
    }),
    { numRuns: 600 },
  );
});

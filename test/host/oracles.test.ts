/** Independent programs check what replay writes: Wireshark's checksums, tcprewrite's bytes, pcap-parser's packets. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, type PcapPacket } from 'pcap-parser';
import { CLAIMS } from '../fixtures/claims';
import { frame, pcapFile } from '../support/capture-files';
import { readCapture } from '../support/capture-packets';
import { report, Wire } from '../support/conversation';
import { FIXTURES, replayInMemory } from '../support/replay-run';
import { TemporaryFolder } from '../support/temporary';
import { describeWith, runTool } from '../support/tools';

const folder = new TemporaryFolder();

/** ip.checksum.status and tcp.checksum.status of tshark: 0 bad, 1 good, 2 unverified. */
const GOOD = '1';
const UNVERIFIED = '2';

function checksumStatus(path: string): string[][] {
  const checks = ['-o', 'ip.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE'];
  const fields = ['-T', 'fields', '-e', 'ip.checksum.status', '-e', 'tcp.checksum.status', '-e', 'frame.comment'];
  const lines = runTool('tshark', ['-r', path, ...checks, '-Y', 'ip', ...fields])
    .trimEnd()
    .split('\n');
  return lines.map((line) => line.split('\t'));
}

describeWith('tshark', 'tshark finds no bad checksum', () => {
  test.each(CLAIMS.map(({ name }) => [name]))('in the rewritten capture of %s', (name) => {
    const rows = checksumStatus(join(FIXTURES, `${name}.rewritten.pcapng`));
    const isCut = name.startsWith('cut-by-snaplen');
    expect(rows.length).toBeGreaterThan(5);
    for (const [ip, tcp, comment] of rows) {
      expect(ip).toBe(GOOD);
      expect(isCut ? [GOOD, UNVERIFIED] : [GOOD]).toContain(tcp);
      expect(comment).toMatch(/^(rewritten|accepted|dropped): [a-z-]+$/);
    }
  });

  test('and would find one', () => {
    const bytes = Buffer.from(readFileSync(join(FIXTURES, 'a-401-diverts-nothing.rewritten.pcapng')));
    // The last byte of an address in the middle of the file: 10.1.7.1 becomes 10.1.7.3.
    const at = bytes.indexOf(Uint8Array.of(10, 1, 7, 1), bytes.length / 2);
    bytes[at + 3] ^= 2;
    const rows = checksumStatus(folder.file('broken.pcapng', bytes));
    expect(rows.filter(([ip, tcp]) => ip !== GOOD || tcp !== GOOD)).toHaveLength(1);
  });
});

/** Undiverted sessions only: there the rewrite is a plain address map. */
function plainSessions(snapLength = 0): Uint8Array {
  const wire = new Wire();
  for (let i = 1; i <= 20; i++) {
    const odd = 'x'.repeat(i * 7);
    report(wire, `10.1.8.${i}`, 40000 + i, 'itms', i * 0x1234567)
      .open()
      .say('opener', `POST / HTTP/1.1\r\n\r\n${odd}`)
      .say('acceptor', `HTTP/1.1 200 OK\r\n\r\n${odd}`)
      .close('opener');
  }
  return pcapFile(wire.packets.map((packet) => frame(packet, 'ethernet', snapLength)));
}

describeWith('tcprewrite', 'tcprewrite gives byte-identical packets', () => {
  test.each([
    ['whole packets', 0],
    ['packets cut by snaplen', 80],
  ])('where the rewrite is a plain address map: %s', (_title, snapLength) => {
    const capture = plainSessions(snapLength);
    const theirs = folder.file(`theirs-${snapLength}.pcap`);
    const map = ['--dstipmap=10.1.0.1/32:10.2.0.2/32', '--srcipmap=10.2.0.2/32:10.1.0.1/32'];
    runTool('tcprewrite', [...map, '-i', folder.file(`plain-${snapLength}.pcap`, capture), '-o', theirs]);
    const { output, result } = replayInMemory([capture], { format: 'pcap' });
    expect(result.packets).toBe(200);
    // The file headers may name another snaplen; from the first record on every byte is the same.
    expect(output.subarray(24).equals(readFileSync(theirs).subarray(24))).toBe(true);
  });
});

describe('pcap-parser reads the same packets', () => {
  test.each(CLAIMS.filter(({ extension }) => extension === 'pcap').map(({ name }) => [name]))('of %s', async (name) => {
    const path = join(FIXTURES, `${name}.pcap`);
    const theirs = await parserPackets(path);
    const ours = readCapture(readFileSync(path)).packets;
    expect(theirs.length).toBeGreaterThan(10);
    const fromOurs = ours.map((one) => [
      one.seconds,
      one.nanoseconds / 1000,
      one.originalBytes,
      one.bytes.toString('hex'),
    ]);
    expect(theirs.map(asRow)).toEqual(fromOurs);
  });
});

function asRow({ header, data }: PcapPacket) {
  const { timestampSeconds, timestampMicroseconds, originalLength } = header;
  return [timestampSeconds, timestampMicroseconds, originalLength, data.toString('hex')];
}

function parserPackets(path: string): Promise<PcapPacket[]> {
  return new Promise((done, failed) => {
    const packets: PcapPacket[] = [];
    const parser = parse(path);
    parser.on('packet', (packet) => packets.push(packet));
    parser.on('error', failed);
    parser.on('end', () => done(packets));
  });
}

/** The driver: sides, merging, the clock, the sweep, cut packets, and inputs that cannot be read. */
import { TcpFlag } from '../../../src/packet/tcp';
import { Splitter } from '../../../src/splitter/splitter';
import { frame, type Frame, LINK_HEADERS, pcapFile, pcapngFile } from '../../support/capture-files';
import { readCapture } from '../../support/capture-packets';
import { ACS, connectionRequest, report, Wire } from '../../support/conversation';
import { withPartialChecksum } from '../../support/naive-checksum';
import { replayInMemory } from '../../support/replay-run';

function story(): Wire {
  const wire = new Wire();
  const wake = connectionRequest(wire, 'c1', 50001, '10.1.7.1').open();
  wake.say('opener', 'GET / HTTP/1.1\r\n\r\n').say('acceptor', 'HTTP/1.1 200 OK\r\n\r\n').close('opener');
  wire.wait(100);
  report(wire, '10.1.7.1', 40001, 'c1').open().say('opener', 'Inform').close('acceptor');
  return wire;
}
const WIRE = story();
const FRAMES = WIRE.packets.map((packet) => frame(packet));
const TRANSCRIPT = replayInMemory([pcapFile(FRAMES)]).transcript;

describe('captures of several interfaces', () => {
  const onlyOn = (name: string) => FRAMES.filter((one) => one.interface === name);

  test('merge by time into the story that one capture tells', () => {
    const captures = [pcapngFile(onlyOn('col0')), pcapFile(onlyOn('cpe0'))];
    expect(replayInMemory(captures).transcript).toBe(TRANSCRIPT);
    expect(replayInMemory(captures.reverse()).transcript).toBe(TRANSCRIPT);
  });

  test('merge also when bytes come one at a time', () => {
    const captures = [pcapngFile(onlyOn('col0')), pcapFile(onlyOn('cpe0'))];
    expect(replayInMemory(captures, { chunkBytes: 1 }).transcript).toBe(TRANSCRIPT);
  });

  test('at equal times go in the order in which they are named', () => {
    const at = (address: string) => {
      const wire = new Wire();
      wire.send('cpe', { source: address, destination: ACS, sourcePort: 9, destinationPort: 7547, flags: TcpFlag.Syn });
      return pcapFile(wire.packets.map((packet) => frame(packet)));
    };
    const lines = replayInMemory([at('10.1.0.9'), at('10.1.0.8')]).transcript.split('\n');
    expect(lines[0]).toContain('10.1.0.9');
    expect(lines[1]).toContain('10.1.0.8');
  });

  test('one that cannot be read does not keep the others from being replayed', () => {
    const { result, transcript } = replayInMemory([Buffer.from('no capture'), pcapFile(FRAMES)]);
    expect(transcript).toBe(TRANSCRIPT);
    expect(result.errors.map((error) => error.file)).toEqual(['capture-1']);
  });
});

// prettier-ignore
test.each([
  ['raw IP', 'raw', 101],
  ['Linux cooked v1', 'cooked', 113],
  ['Linux cooked v2', 'cooked2', 276],
  ['802.1Q', 'vlan', 1],
  ['QinQ', 'qinq', 1],
] as const)('%s tells the same story', (_what, header, linkType) => {
  const frames = WIRE.packets.map((packet) => frame(packet, header));
  const { transcript, output } = replayInMemory([pcapFile(frames, { linkType })]);
  expect(transcript).toBe(TRANSCRIPT);
  const headerBytes = LINK_HEADERS[header].length;
  for (const { bytes } of readCapture(output).packets) expect([...bytes.subarray(0, headerBytes)]).toEqual([...LINK_HEADERS[header]]);
});

describe('the side of a packet', () => {
  const sidesOf = (transcript: string) =>
    transcript
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ +/)[1]);
  const renamed = (name: string) => pcapngFile(FRAMES.map((one): Frame => ({ ...one, interface: name })));

  test('is told by the interface’s name where it is one of the configuration', () => {
    expect(new Set(sidesOf(replayInMemory([renamed('itms0')]).transcript))).toEqual(new Set(['itms']));
  });

  test('is told by the address where the name is a stranger’s', () => {
    expect(replayInMemory([renamed('eth7')]).transcript).toBe(TRANSCRIPT);
  });

  test('is what --side says, whatever name and address', () => {
    const { transcript } = replayInMemory([pcapngFile(FRAMES)], { side: 'collector' });
    expect(new Set(sidesOf(transcript))).toEqual(new Set(['collector']));
  });
});

test.each(['pcap', 'pcapng'] as const)('packets captured again on their way out are ignored: %s', (format) => {
  const first = replayInMemory([pcapngFile(FRAMES)], { format });
  const { byReason } = replayInMemory([pcapngFile(FRAMES), first.output]).summary.packets;
  expect(byReason).toEqual({ ...first.summary.packets.byReason, 'not-ours': FRAMES.length });
});

describe('the clock', () => {
  const syn = { source: '10.1.7.1', destination: ACS, sourcePort: 9, destinationPort: 7547, flags: TcpFlag.Syn };

  test('is capture time: an activation is gone after its 60 seconds', () => {
    const reasons = [59_000, 61_000].map((waitMs) => {
      const wire = new Wire();
      const wake = connectionRequest(wire, 'c1', 50001, '10.1.7.1').open();
      wake.say('opener', 'GET / HTTP/1.1\r\n\r\n').say('acceptor', 'HTTP/1.1 200 OK\r\n\r\n');
      wire.wait(waitMs);
      wire.send('cpe', syn);
      const { byReason } = replayInMemory([pcapFile(wire.packets.map((packet) => frame(packet)))]).summary.packets;
      return byReason.diverted ?? 0;
    });
    expect(reasons).toEqual([1, 0]);
  });

  test('has whole milliseconds since the first packet, across seconds and out of order', () => {
    const micros = [
      999_300, 999_900, 1_000_299, 1_000_300, 1_000_301, 1_001_299, 1_001_300, 2_000_300, 999_299, 998_299,
    ];
    const at = (all: number) => ({ seconds: Math.floor(all / 1e6), nanoseconds: (all % 1e6) * 1000 });
    const decide = jest.spyOn(Splitter.prototype, 'decide');
    const frames = micros.map((all) => ({ ...FRAMES[0], ...at(all) }));
    const { result } = replayInMemory([pcapFile(frames)]);
    const times = decide.mock.calls.map(([, nowMs]) => nowMs);
    decide.mockRestore();
    expect(times).toEqual(micros.map((all) => Math.floor((all - micros[0]) / 1000)));
    expect(result.spanSeconds).toBeCloseTo((998_299 - 999_300) / 1e6, 9);
  });

  test('drives the sweep: entries of connections long gone are freed', () => {
    const wire = new Wire();
    for (let n = 0; n < 100; n++) connectionRequest(wire, 'c1', 50001 + n, `10.1.7.${n}`).syn();
    for (let second = 0; second < 100; second++) {
      wire.wait(1000);
      wire.send('cpe', syn);
    }
    const { summary } = replayInMemory([pcapFile(wire.packets.map((packet) => frame(packet)))]);
    expect(summary.packets.byReason['request-opened']).toBe(100);
    expect(summary.tables.connectionRequests.count).toBe(0);
  });

  test('may step back in a capture that is out of order: counted, decided all the same', () => {
    const { result, transcript } = replayInMemory([pcapFile([FRAMES[1], FRAMES[0], ...FRAMES.slice(2)])]);
    expect(result.outOfOrder).toBe(1);
    expect(transcript.split('\n')[1]).toMatch(/^ +-0\.000250 collector SYN /);
  });

  test('may leap by decades in a capture that lies', () => {
    const frames = [FRAMES[0], { ...FRAMES[1], seconds: 0xffffffff }, { ...FRAMES[2], seconds: 0 }, ...FRAMES.slice(3)];
    expect(replayInMemory([pcapFile(frames)]).result.packets).toBe(FRAMES.length);
  });
});

test('packets cut by snaplen are rewritten where their headers are whole, counted, and dropped where they are not', () => {
  const cut = (snapLength: number) =>
    replayInMemory([pcapFile(WIRE.packets.map((packet) => frame(packet, 'ethernet', snapLength)))]).summary.packets;
  // 20 bytes of IP, 20 of TCP, 12 of a SYN's options.
  const headerBytes = 52;
  const longer = WIRE.packets.filter(({ ip }) => ip.length > headerBytes).length;
  expect(longer).toBe(2);
  expect(cut(14 + headerBytes)).toMatchObject({ dropped: 0, rewritten: FRAMES.length, cutBySnaplen: longer });
  expect(cut(14 + 30)).toMatchObject({ dropped: FRAMES.length, cutBySnaplen: FRAMES.length });
});

test('checksums that a local sender left to its card tell the same story, and are whole where a packet is rewritten', () => {
  const frames = WIRE.packets.map((packet) => frame({ ...packet, ip: withPartialChecksum(packet.ip) }));
  const { transcript, output } = replayInMemory([pcapFile(frames)]);
  expect(transcript).toBe(TRANSCRIPT);
  const written = readCapture(output).packets;
  expect(written).toEqual(readCapture(replayInMemory([pcapFile(FRAMES)]).output).packets);
  expect(written).toHaveLength(FRAMES.length);
});

test('a packet that is followed by a padded frame’s trailer is the same packet', () => {
  const padded = FRAMES.map((one) => {
    const bytes = Buffer.concat([one.bytes, new Uint8Array(6).fill(0xee)]);
    return { ...one, bytes, originalBytes: bytes.length };
  });
  const { transcript, output } = replayInMemory([pcapFile(padded)]);
  expect(transcript).toBe(TRANSCRIPT);
  for (const { bytes } of readCapture(output).packets) expect([...bytes.subarray(-6)]).toEqual(new Array(6).fill(0xee));
});

/** Live captures: everything decided so far is written before the replay waits, and a signal ends it between packets. */
import { PassThrough } from 'node:stream';
import { LineWriter } from '../../../src/replay/lines';
import { LiveSource } from '../../../src/replay/live-source';
import { PcapWriter } from '../../../src/replay/pcap-writer';
import { PcapngWriter } from '../../../src/replay/pcapng-writer';
import { replay, replayLive, type ReplayOptions, REPLAY_SEED } from '../../../src/replay/replay';
import { Transcript } from '../../../src/replay/transcript';
import { Splitter } from '../../../src/splitter/splitter';
import { frame, pcapFile, pcapngFile } from '../../support/capture-files';
import { readCapture } from '../../support/capture-packets';
import { report, Wire } from '../../support/conversation';
import { MemorySink, MemorySource } from '../../support/memory-files';
import { replayInMemory, TOPOLOGY } from '../../support/replay-run';

const wire = new Wire();
report(wire, '10.1.7.1', 40001, 'itms').open().say('opener', 'Inform').close('acceptor');
const FRAMES = wire.packets.map((packet) => frame(packet));

/** Keeps written bytes back until it is flushed, as a file's sink does. */
class BufferedSink extends MemorySink {
  private readonly held = new MemorySink();
  override write(bytes: Uint8Array, at: number, length: number): void {
    this.held.write(bytes, at, length);
  }
  override flush(): void {
    const { content } = this.held;
    super.write(content, this.content.length, content.length - this.content.length);
  }
  override close(): void {
    this.flush();
    super.close();
  }
}

function setUp(format: 'pcap' | 'pcapng' = 'pcapng', others: MemorySource[] = []) {
  const stream = new PassThrough();
  const source = new LiveSource('live', stream);
  const splitter = new Splitter({ topology: TOPOLOGY, activation: 'auto', capacityEntries: 64, seed: REPLAY_SEED });
  const [lines, output] = [new BufferedSink(), new BufferedSink()];
  const options: ReplayOptions = {
    sources: [source, ...others],
    splitter,
    topology: TOPOLOGY,
    transcript: new Transcript(splitter, new LineWriter(lines)),
    openWriter: (flavour) =>
      format === 'pcap' ? new PcapWriter(output, flavour, 'out') : new PcapngWriter(output, 'out'),
  };
  return { stream, source, options, lines, output };
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries === 10_000) throw new Error('it never came');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
const linesIn = (sink: MemorySink) => sink.text.split('\n').length - 1;

test.each([
  ['pcap', pcapFile(FRAMES)],
  ['pcapng', pcapngFile(FRAMES)],
] as const)('%s: lines and whole packets are there while the source is silent', async (format, file) => {
  const { stream, options, lines, output } = setUp(format);
  const running = replayLive(options);
  // All but the last ten bytes, in two pieces: the last packet is not whole.
  stream.write(file.subarray(0, 20));
  stream.write(file.subarray(20, file.length - 10));
  const whole = readCapture(file.subarray(0, file.length - 10)).packets.length;
  await until(() => linesIn(lines) === whole);
  expect(readCapture(output.content)).toMatchObject({ error: undefined, packets: { length: whole } });
  stream.end(file.subarray(file.length - 10));
  const result = await running;
  expect([result.packets, result.errors]).toEqual([FRAMES.length, []]);
  expect(lines.text).toBe(replayInMemory([file]).transcript);
  expect(readCapture(output.content).packets).toHaveLength(FRAMES.length);
  expect(stream.destroyed).toBe(true);
});

test('bytes that come one at a time make no difference', async () => {
  const file = pcapFile(FRAMES);
  const { stream, options, lines } = setUp();
  const running = replayLive(options);
  for (const byte of file) {
    stream.write(Uint8Array.of(byte));
    await new Promise(setImmediate);
  }
  stream.end();
  await running;
  expect(lines.text).toBe(replayInMemory([file]).transcript);
});

test('stopped within a packet: the packets before it, and no error', async () => {
  const file = pcapFile(FRAMES);
  const { stream, source, options, lines, output } = setUp();
  const running = replayLive(options);
  stream.write(file.subarray(0, file.length - 10));
  await until(() => linesIn(lines) === FRAMES.length - 1);
  source.stop();
  const result = await running;
  expect([result.packets, result.errors]).toEqual([FRAMES.length - 1, []]);
  expect(readCapture(output.content)).toMatchObject({ error: undefined, packets: { length: FRAMES.length - 1 } });
});

test('stopped before anything came: no packets, no error, no output', async () => {
  const { source, options, output } = setUp();
  const running = replayLive(options);
  source.stop();
  expect(await running).toMatchObject({ packets: 0, errors: [] });
  expect(output.content).toHaveLength(0);
});

test('a writer that ends within a packet: an error, as for a file', async () => {
  const { stream, options } = setUp();
  stream.end(pcapFile(FRAMES).subarray(0, 60));
  expect((await replayLive(options)).errors).toMatchObject([{ file: 'live', offset: 60 }]);
});

test('a source that fails fails the replay', async () => {
  const { stream, options } = setUp();
  const running = replayLive(options);
  stream.destroy(new Error('gone'));
  await expect(running).rejects.toThrow('gone');
});

test('a second file is merged by time, whichever source is late', async () => {
  const mine = FRAMES.filter((one) => one.interface === 'cpe0');
  const others = FRAMES.filter((one) => one.interface !== 'cpe0');
  const { stream, options, lines } = setUp('pcapng', [new MemorySource('file', pcapFile(others))]);
  const running = replayLive(options);
  const live = pcapFile(mine);
  stream.write(live.subarray(0, 150));
  await new Promise((resolve) => setTimeout(resolve, 5));
  stream.end(live.subarray(150));
  await running;
  expect(lines.text).toBe(replayInMemory([pcapFile(FRAMES)]).transcript);
});

test('`replay` refuses a source that must be waited for', () => {
  const { stream, options } = setUp();
  stream.write(pcapFile(FRAMES).subarray(0, 60));
  expect(() => replay(options)).toThrow('a live source needs replayLive');
});

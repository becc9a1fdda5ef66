/** Replays captures in memory, with the topology of test/fixtures/topology.yaml. */
import { join } from 'node:path';
import { loadConfiguration } from '../../src/configuration/configuration';
import { LineWriter } from '../../src/replay/lines';
import { PcapWriter } from '../../src/replay/pcap-writer';
import { PcapngWriter } from '../../src/replay/pcapng-writer';
import { replay, type ReplayOptions, type ReplayResult, REPLAY_SEED } from '../../src/replay/replay';
import { type ReplaySummary, summarize } from '../../src/replay/summary';
import { Transcript } from '../../src/replay/transcript';
import { Health } from '../../src/splitter/health/health';
import { Splitter } from '../../src/splitter/splitter';
import { type ActivationMode, type Topology } from '../../src/splitter/topology';
import { MemorySink, MemorySource } from './memory-files';

export const FIXTURES = join(__dirname, '..', 'fixtures');
export const TOPOLOGY_FILE = join(FIXTURES, 'topology.yaml');
export const { topology: TOPOLOGY } = loadConfiguration(TOPOLOGY_FILE);

export interface ReplayRun {
  result: ReplayResult;
  summary: ReplaySummary;
  output: Buffer;
  transcript: string;
  splitter: Splitter;
}

export interface RunOptions extends Pick<ReplayOptions, 'side' | 'keepDropped'> {
  format?: 'pcap' | 'pcapng';
  activation?: ActivationMode;
  chunkBytes?: number;
  /** Without one, packets are decided in batches of one millisecond. */
  transcript?: boolean;
  /** Of the fixtures when absent. */
  topology?: Topology;
}

export function replayInMemory(captures: readonly Uint8Array[], options: RunOptions = {}): ReplayRun {
  const {
    activation = 'auto',
    chunkBytes,
    format = 'pcapng',
    transcript = true,
    topology = TOPOLOGY,
    ...rest
  } = options;
  const health = new Health({ seed: REPLAY_SEED, turnsAway: true, isCapture: true });
  const splitter = new Splitter({ topology, activation, capacityEntries: 1024, seed: REPLAY_SEED, health });
  const output = new MemorySink();
  const lines = new MemorySink();
  const result = replay({
    ...rest,
    sources: captures.map((bytes, i) => new MemorySource(`capture-${i + 1}`, bytes, chunkBytes)),
    splitter,
    topology,
    openWriter: (flavour) =>
      format === 'pcap' ? new PcapWriter(output, flavour, 'out.pcap') : new PcapngWriter(output, 'out.pcapng'),
    ...(transcript && { transcript: new Transcript(splitter, new LineWriter(lines)) }),
  });
  const summary = summarize(result, splitter);
  return { result, summary, output: output.content, transcript: lines.text, splitter };
}

/**
 * The verdict loop with the Splitter as `acsplit run` has them, and a transcript: one line a packet, as replay writes
 * it. Takes the configuration's file and the transcript's; batches of one packet, so that each line is one decision.
 * Prints a line when verdicts flow; SIGTERM writes the transcript and ends.
 */
import { writeFileSync } from 'node:fs';
import { loadConfiguration } from '../../../src/configuration/configuration';
import { closeQueues, openQueues } from '../../../src/engine/shared/binding';
import { startVerdictLoop } from '../../../src/engine/worker/verdict-loop';
import { type PacketBatch } from '../../../src/packet/batch';
import { Transcript } from '../../../src/replay/transcript';
import { Splitter } from '../../../src/splitter/splitter';

const QUEUES = 3;
const RECEIVE_BUFFER_BYTES = 8 << 20;

const [configurationFile, transcriptFile] = process.argv.slice(2) as [string, string];
const { topology, activation, lives, capacityEntries, queue } = loadConfiguration(configurationFile);
const splitter = new Splitter({ topology, activation, lives, capacityEntries, seed: 1 });
const lines: string[] = [];
const transcript = new Transcript(splitter, { line: (text) => lines.push(text), end: () => undefined });

function decide(batch: PacketBatch, nowMs: number): void {
  transcript.before(batch);
  splitter.decide(batch, nowMs);
  transcript.after(batch, Math.floor(nowMs / 1000), 0);
}

const { fd } = openQueues({ ...queue, count: QUEUES, receiveBufferBytes: RECEIVE_BUFFER_BYTES });
const sweep = (nowMs: number): void => splitter.sweep(nowMs);
const loop = startVerdictLoop({ fd, firstQueue: queue.first, splitter: { decide, sweep }, capacity: 1 });
process.on('SIGTERM', () => {
  loop.stop();
  closeQueues(fd);
  writeFileSync(transcriptFile, lines.map((line) => `${line}\n`).join(''));
  process.exit(0);
});
process.stdout.write('ready\n');

/**
 * Replay decides as the live engine does. The story runs on real NFQUEUE while every interface is captured; replaying the
 * inbound captures must give, packet by packet, what went out on the wires. A second run compares transcripts: replay
 * makes the same decisions for the same reasons, line by line.
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { settle } from '../../src/lab/cast';
import { end } from '../../src/lab/world';
import { readCapture, type ReadPacket } from '../support/capture-packets';
import { makePatient } from './support/patience';
import { DIST, later, makeCpes, Stage } from './support/stage';
import { identity, isTcp, WireFiles } from './support/wire-files';

const [woken, neighbour, refusing, ofItms] = makeCpes(4);
if (!woken || !neighbour || !refusing || !ofItms) throw new Error('cast');

interface Summary {
  packets: { read: number; rewritten: number; accepted: number; dropped: number; byReason: Record<string, number> };
}

type Told = Awaited<ReturnType<Stage['engine']['status']>>;
type Counted = Pick<Told['packets'], 'received' | 'rewritten' | 'byReason'>;

/** What the core would have said of a packet that the fast path carried. */
const CARRIED_REASONS = {
  'carried-to-itms': 'report-to-itms',
  'carried-from-itms': 'itms-forwarded',
  'carried-to-collector': 'report-to-owner',
  'carried-from-collector': 'report-answered',
} as const;

/** Packets that the engine got and those that the kernel carried, together. */
function withCarried({ packets, fastPath }: Told): Counted {
  const byReason: Record<string, number> = { ...packets.byReason };
  let carried = 0;
  for (const [outcome, reason] of Object.entries(CARRIED_REASONS)) {
    const count = fastPath.packets[outcome] ?? 0;
    byReason[reason] = (byReason[reason] ?? 0) + count;
    carried += count;
  }
  return { received: packets.received + carried, rewritten: packets.rewritten + carried, byReason };
}

describe('a live run and the replay of its captures', () => {
  let stage: Stage;
  let live: Counted;
  let summary: Summary;
  let wires: WireFiles;
  let output: ReadPacket[];

  beforeAll(async () => {
    stage = await Stage.open({ cpes: [woken, neighbour, refusing, ofItms] });
    await makePatient(stage.world, ['cpe', 'itms', 'collector']);
    wires = await WireFiles.start(stage.world);
    await tellStory(stage);
    await wires.untilClosed();
    live = withCarried(await stage.engine.status());
    await wires.finish({ inbound: live.received, outbound: live.rewritten });
    const path = join(stage.world.directory, 'replayed.pcapng');
    summary = replayCaptures(wires.files('inbound'), path, stage.engine.configurationFile);
    output = readCapture(readFileSync(path)).packets;
  });
  afterAll(() => stage?.close());

  it('were told about the same packets', () => {
    expect(live.received).toBeGreaterThan(100);
    // The marks that show when captures begin are UDP, which the bundle does not steer into the queue.
    expect(summary.packets.read - (summary.packets.byReason['not-tcp'] ?? 0)).toBe(live.received);
  });

  it('decided for the same reasons, count by count', () => {
    const replayed = Object.fromEntries(
      Object.entries(summary.packets.byReason).filter(([reason]) => reason !== 'not-tcp'),
    );
    const happened = Object.entries(live.byReason).filter(([, count]) => count > 0);
    expect(replayed).toEqual(Object.fromEntries(happened));
    expect(live.byReason.diverted).toBe(1);
  });

  it('sent the same packets to the same addresses, one by one', () => {
    const sent = wires.packets('outbound').map(identity).sort();
    expect(output.filter(isTcp).map(identity).sort()).toEqual(sent);
  });
});

describe('a live run that wrote a transcript, and the replay of its captures', () => {
  let stage: Stage;
  let live: string[];
  let replayed: string[];

  beforeAll(async () => {
    // The recorder does not refresh the dead-man's set: with `itms` the kernel would take over. It writes what the queue
    // hands it, so the kernel must carry nothing.
    const cpes = [woken, neighbour, refusing, ofItms];
    stage = await Stage.open({ cpes, onEngineDown: 'hold', fastPath: 'off' });
    await makePatient(stage.world, ['cpe', 'itms', 'collector']);
    await stage.engine.stop();
    const transcript = join(stage.world.directory, 'live.transcript');
    const recorder = await startRecorder(stage, transcript);
    const wires = await WireFiles.start(stage.world);
    await tellStory(stage);
    await wires.untilClosed();
    await end(recorder);
    live = readLines(transcript);
    const rewritten = live.filter((line) => line.includes(' rewritten ')).length;
    await wires.finish({ inbound: live.length, outbound: rewritten });
    const path = join(stage.world.directory, 'replayed.transcript');
    replayCaptures(wires.files('inbound'), undefined, stage.engine.configurationFile, path);
    replayed = readLines(path).filter((line) => !line.endsWith(' not-tcp'));
  });
  afterAll(() => stage?.close());

  it('decided each packet alike, with the same events, in the same order within each connection', () => {
    expect(live.length).toBeGreaterThan(100);
    expect(live.filter((line) => line.includes(' diverted '))).toHaveLength(1);
    const told = byConnection(live);
    expect(told.size).toBeGreaterThan(10);
    expect(byConnection(replayed)).toEqual(told);
  });
});

/** The lines of a transcript without their times. */
function readLines(file: string): string[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((line) => line.trimStart().replace(/^\S+ /, ''));
}

/**
 * The lines of each connection on each side, in their order. The order between connections is undefined: two packets
 * handled by two CPUs may be captured in one order and queued in the other.
 */
function byConnection(lines: readonly string[]): Map<string, string[]> {
  const connections = new Map<string, string[]>();
  for (const line of lines) {
    const [side, , from, , to] = line.split(/ +/);
    const connection = [side, ...[from, to].sort()].join(' ');
    connections.set(connection, [...(connections.get(connection) ?? []), line]);
  }
  return connections;
}

async function startRecorder(stage: Stage, transcript: string): Promise<ChildProcess> {
  const support = join(__dirname, 'support');
  const program = ['-r', join(__dirname, '..', '..', 'scripts', 'typescript.js'), join(support, 'recording-engine.ts')];
  const words = [process.execPath, ...program, stage.engine.configurationFile, transcript];
  const recorder = stage.world.start('split', words);
  let said = '';
  recorder.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exited = once(recorder, 'exit').then(() => Promise.reject(new Error(`the recorder ended: ${said}`)));
  exited.catch(() => undefined);
  await Promise.race([once(recorder.stdout!, 'data'), exited]);
  return recorder;
}

/** A CPE before, with and after a Connection Request; one that is refused; one that the ITMS wakes; a bystander. */
async function tellStory(stage: Stage): Promise<void> {
  const { cpes, collector, itms } = stage.cast;
  if (!woken || !neighbour || !refusing || !ofItms) throw new Error('cast');
  await stage.inform(woken);
  await collector.wake(woken);
  await stage.inform(neighbour);
  await cpes.wokenSession(woken);
  await collector.wake({ ...refusing, credentials: undefined });
  await stage.inform(refusing);
  await itms.wake(ofItms);
  await cpes.wokenSession(ofItms);
  await later();
  await stage.inform(woken);
  await settle(stage.cast);
}

function replayCaptures(
  captures: readonly string[],
  output: string | undefined,
  configuration: string,
  transcript?: string,
): Summary {
  const words = ['replay', ...captures, '--json', '-c', configuration];
  if (output !== undefined) words.push('-o', output, '--keep-dropped');
  if (transcript !== undefined) words.push('--transcript', transcript);
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(DIST, 'cli', 'main.js'), ...words]);
  if (status !== 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString()) as Summary;
}

/**
 * The recorder on real sessions: what it writes, and that the engine loses nothing while it is stopped, killed, or its
 * disk is full. In quiet the history and what is counted as lost make up what the engine has counted.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatAddress } from '../../src/packet/address';
import { readHistory } from '../../src/engine/recorder/read-history';
import { type HistoryEvent, type RecorderStatus } from '../../src/engine/shared/recorder-protocol';
import { OUTCOMES, type SessionRow, WOKEN } from '../../src/engine/recorder/session';
import { cli } from '../../src/lab/engine';
import { execute } from '../../src/lab/namespaces';
import { expectNothingLost } from './support/faults';
import { Load, LOAD_CPES } from './support/load';
import { Lookout } from './support/lookout';
import { Stage } from './support/stage';

const ROOM = 256 * 1024;
/** A session has its row when its grace is over, and the CPE is no longer asked. */
const TTL = { unfinished: 2, requestUnanswered: 5, reset: 2 };

describe('the history', () => {
  let stage: Stage;
  let lookout: Lookout;
  let directory: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'acsplit-history-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${ROOM}`, 'tmpfs', directory]);
    stage = await Stage.open({ cpes: LOAD_CPES, onEngineDown: 'hold', ttl: TTL, history: { directory } });
    lookout = new Lookout(stage);
  });
  afterAll(async () => {
    await stage?.close();
    execFileSync('umount', [directory]);
    rmSync(directory, { recursive: true });
  });

  function read(): { rows: SessionRow[]; events: HistoryEvent[]; damaged: number } {
    const rows: SessionRow[] = [];
    const events: HistoryEvent[] = [];
    const found = {
      sessions: (row: SessionRow) => rows.push(row),
      events: (event: HistoryEvent) => events.push(event),
    };
    return { rows, events, ...readHistory({ directory: join(directory, 'default') }, found) };
  }

  async function history(): Promise<RecorderStatus> {
    const { history: kept } = await lookout.status();
    if (kept.state === 'off') throw new Error('no history is kept');
    return kept;
  }

  async function until(what: string, fits: (kept: RecorderStatus) => boolean): Promise<void> {
    await lookout.until(what, ({ history: kept }) => kept.state !== 'off' && fits(kept));
  }

  /** Waits until no session is open, then holds the history against the engine's own counts. */
  async function expectAll(): Promise<SessionRow[]> {
    await until('the last session', ({ open, waiting, state }) => open + waiting === 0 && state === 'on');
    const { events } = await lookout.status();
    const { lost } = await history();
    const { rows, damaged } = read();
    const connections = rows.reduce((sum, row) => sum + row.connections, 0);
    expect(connections + lost.connections).toBe((events['diverted'] ?? 0) + (events['diverted-in-grace'] ?? 0));
    expect(damaged).toBe(0);
    return rows;
  }

  /** Load of every kind while something is wrong with the recorder. */
  async function loaded(wrong: () => Promise<void>): Promise<void> {
    const load = new Load(stage.cast);
    await lookout.untilVerdict();
    await wrong();
    const outcome = await load.end();
    await expectNothingLost(stage, outcome);
    const { losses, workers } = await lookout.status();
    expect([losses, workers[0]!.restarts]).toEqual([
      { queueDropped: 0, userDropped: 0, verdictsLate: 0, unparsed: 0, givenUp: 0 },
      0,
    ]);
  }

  it('has a row for each session of a woken CPE, from its waking to its end', async () => {
    const [cpe] = LOAD_CPES;
    const beganMs = Date.now();
    await stage.sightings(cpe!, async () => {
      expect(await stage.cast.collector.wake(cpe!)).toMatchObject({ statuses: [401, 200] });
      expect(await stage.cast.cpes.informAsAsked(cpe!)).toMatchObject({ ok: true });
    });
    const rows = await expectAll();
    expect(rows).toHaveLength(1);
    const [row] = rows as [SessionRow];
    expect([formatAddress(row.cpe), row.collector, WOKEN[row.woken], OUTCOMES[row.outcome]]).toEqual([
      ...[cpe!.address, 'c1', 'response', 'closed'],
    ]);
    expect([row.connections, row.isConfirmed, row.port]).toEqual([1, true, 7547]);
    expect(row.armedMs).toBeGreaterThanOrEqual(beganMs);
    expect(row.openedMs).toBeGreaterThanOrEqual(row.armedMs!);
    expect(row.endedMs).toBeGreaterThanOrEqual(row.openedMs!);
    expect(row.endedMs).toBeLessThanOrEqual(Date.now());
    expect(read().events.map(({ kind }) => kind)).toEqual(['engine-started']);
    const told = { cpe: cpe!.address, collector: 'c1', woken: 'response', outcome: 'closed', endedMs: row.endedMs };
    const asked = async (...words: string[]) =>
      JSON.parse(await execute([...cli(stage.world, ...words), '-c', stage.engine.configurationFile])) as object;
    expect(await asked('history', '--json')).toMatchObject({ sessions: [told], events: [{ kind: 'engine-started' }] });
    expect(await asked('history', '--json', '--cpe', cpe!.address)).toMatchObject({ sessions: [told], events: [] });
    expect(await asked('history', '--json', '--since', '2h', '--collector', 'c2')).toMatchObject({ sessions: [] });
    // The page's search, a process of its own.
    const url = `http://127.0.0.1:9547/api/history?address=${cpe!.address}`;
    const page = JSON.parse(await stage.world.run('split', ['curl', '-s', url])) as object;
    expect(page).toMatchObject({ sessions: [told], events: [], seen: 1, damaged: 0 });
  });

  it('a stopped recorder costs the engine nothing, and reads what it missed when it goes on', async () => {
    const { pid } = await history();
    process.kill(pid, 'SIGSTOP');
    const before = read().rows.length;
    await loaded(() => Promise.resolve());
    expect(read().rows).toHaveLength(before);
    process.kill(pid, 'SIGCONT');
    const rows = await expectAll();
    expect(rows.length).toBeGreaterThan(before);
    expect(await history()).toMatchObject({ pid, restarts: 0, lost: { changes: 0, connections: 0 } });
  });

  it('a killed recorder costs the engine nothing; the next one goes on, and what is missing is counted', async () => {
    await loaded(async () => {
      for (let kill = 1; kill <= 3; kill++) {
        await until('a recorder', ({ pid }) => pid > 0);
        const { sessions, pid } = await history();
        await until('a session more', (kept) => kept.sessions > sessions);
        process.kill(pid, 'SIGKILL');
        await until('the next recorder', ({ restarts }) => restarts === kill);
      }
    });
    await expectAll();
    expect(stage.engine.events('recorder-died')).toHaveLength(3);
  });

  it('a full disk costs the engine nothing; sessions wait in memory, and are written when there is room', async () => {
    const ballast = join(directory, 'ballast');
    const { bavail, bsize } = statfsSync(directory);
    writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    const before = read().rows.length;
    await loaded(() => until('a failure to write', ({ state }) => state === 'failing'));
    const { rows: during, damaged } = read();
    expect(damaged).toBe(0);
    rmSync(ballast);
    const rows = await expectAll();
    expect(during.length).toBeGreaterThanOrEqual(before);
    expect(rows.length).toBeGreaterThan(during.length);
    expect(stage.engine.events('history').map(({ level }) => level)).toEqual(['error', 'info']);
  });

  it('an engine that stops writes the sessions that are open, and when it stopped', async () => {
    const [cpe] = LOAD_CPES;
    expect(await stage.cast.collector.wake(cpe!)).toMatchObject({ statuses: [401, 200] });
    await until('an armed CPE', ({ open }) => open === 1);
    const before = read().rows.length;
    expect(await stage.engine.stop()).toBe(0);
    const { rows, events } = read();
    expect(rows).toHaveLength(before + 1);
    expect(rows.filter(({ outcome }) => OUTCOMES[outcome] === 'unfinished')).toHaveLength(1);
    expect(events.map(({ kind }) => kind)).toEqual(['engine-started', 'engine-stopped']);
  });

  it('a history that cannot be written keeps no engine from its start, and is said', async () => {
    rmSync(join(directory, 'default'), { recursive: true });
    writeFileSync(join(directory, 'default'), 'in the way');
    await stage.startAgain();
    await until('a failure to write', ({ state }) => state === 'failing');
    const [cpe] = LOAD_CPES;
    expect(await stage.inform(cpe!)).toHaveLength(1);
    rmSync(join(directory, 'default'));
    await until('a history', ({ state }) => state === 'on');
    mkdirSync(join(directory, 'default'), { recursive: true });
    expect(read().events.map(({ kind }) => kind)).toEqual(['engine-started']);
  });
});

/**
 * A flood of SYNs with sources that are not their sender's, while real sessions run. A tenth of a million unless
 * ACSPLIT_FLOOD says otherwise; ACSPLIT_FLOOD=1000000 takes about ten times as long.
 *
 * Random sources change no table: an undiverted SYN leaves a mark in the pin cache alone. Forged SYNs of a CPE that is
 * activated make four provisional entries at the most, and use up no activation: docs/decisions/proof.md.
 */
import { join } from 'node:path';
import { settle } from '../../src/lab/cast';
import { REPORT_PORT } from '../../src/lab/world';
import { askEngine, controlSocketPath } from '../../src/engine/control/ask';
import { type Status } from '../../src/engine/report/status';
import { makeCpes, Stage } from './support/stage';
import { ADDRESSES } from './support/family';
import { PYTHON } from '../support/tools';

const SYNS = Number(process.env.ACSPLIT_FLOOD ?? 100_000);
const FLOOD_NETWORK = '10.1.128.0/17';
const FLOOD = join(__dirname, 'support', 'flood.py');
const BETWEEN_LOOKS_MS = 20;

const real = makeCpes(20, { informDelayMs: null });
const LIVES = { requestUnanswered: 2, reportUnanswered: 10, finOne: 3, finBoth: 2, reset: 2, grace: 2 };

jest.setTimeout(60_000 + SYNS / 2);

interface Flooded {
  sent: number;
  seconds: number;
}

/** Most unconfirmed report connections of one CPE. */
const MAX_PROVISIONAL = 4;

type Counts = [connectionRequests: number, activatedCpes: number, reportConnections: number];

describe(`${SYNS} SYNs from random sources`, () => {
  let stage: Stage;
  let splitMac: string;

  beforeAll(async () => {
    stage = await Stage.open({ cpes: real, ttl: LIVES, flood: FLOOD_NETWORK });
    // Where the flood seems to come from lies behind a router, so that answers to it fill no neighbour table.
    const route = ['ip', 'route', 'add', FLOOD_NETWORK, 'via', real[0]!.address];
    await stage.world.run('split', route);
    splitMac = (await stage.world.run('split', ['cat', '/sys/class/net/eth0/address'])).trim();
  });
  afterAll(() => stage?.close());

  const status = async (): Promise<Status> =>
    (await askEngine(controlSocketPath(join(stage.world.directory, 'state')), { command: 'status' }, 60_000)) as Status;

  /** Live report connections; the table's own count has expired entries as well, until the sweep comes to them. */
  const liveReports = async (): Promise<number> => {
    const request = { command: 'tables', table: 'connections', limit: 1000 };
    const socket = controlSocketPath(join(stage.world.directory, 'state'));
    return ((await askEngine(socket, request, 60_000)) as { entries: unknown[] }).entries.length;
  };

  const counts = async (): Promise<Counts> => {
    const { tables } = await status();
    return [tables.connectionRequests.count, tables.activatedCpes.count, await liveReports()];
  };

  async function flood(among: readonly string[] = []): Promise<Flooded> {
    const words = [splitMac, ADDRESSES.acs, String(REPORT_PORT), String(SYNS), FLOOD_NETWORK];
    if (among.length > 0) words.push(among.join());
    return JSON.parse(await stage.world.run('cpe', [PYTHON, FLOOD, ...words], 600_000)) as Flooded;
  }

  /** Runs `happen`; answers the most that each table held meanwhile. */
  async function peakWhile(happen: Promise<unknown>): Promise<Counts> {
    const peak: Counts = [0, 0, 0];
    let isOver = false;
    void happen.catch(() => undefined).then(() => (isOver = true));
    do {
      (await counts()).forEach((count, index) => (peak[index] = Math.max(peak[index]!, count)));
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_LOOKS_MS));
    } while (!isOver);
    return peak;
  }

  /** Status once the queues have no packet left to decide. */
  async function drained(): Promise<Status> {
    for (;;) {
      const now = await status();
      if (now.queues.every(({ waiting }) => waiting === 0)) return now;
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_LOOKS_MS));
    }
  }

  /** The flood's figures for the log; almost none of it was lost on the way to the queue. */
  function account(title: string, { sent, seconds }: Flooded, before: Status, after: Status, sessions: number): void {
    const lost = (of: Status): number =>
      of.queues.reduce((sum, queue) => sum + (queue.queueDropped ?? 0) + (queue.userDropped ?? 0), 0);
    const decided = after.packets.received - before.packets.received;
    const refused = lost(after) - lost(before);
    process.stdout.write(
      `${title}: ${sent} SYNs in ${seconds} s; ${decided} packets decided, ${refused} refused by full queues; ${sessions} sessions meanwhile\n`,
    );
    expect(sent).toBe(SYNS);
    expect(decided + refused).toBeGreaterThan(0.9 * SYNS);
  }

  test('alone: no table takes an entry', async () => {
    const before = await status();
    const flooding = flood();
    expect(await peakWhile(flooding)).toEqual([0, 0, 0]);
    const after = await drained();
    account('random sources', await flooding, before, after, 0);
    expect(after.packets.byReason['to-itms']).toBeGreaterThan(0);
    expect(after.packets.byReason.diverted ?? 0).toBe(0);
    expect(stage.cast.collector.peers).toEqual([]);
  });

  test('while real sessions run: each succeeds with its server, and the tables hold theirs alone', async () => {
    const { cpes, collector, itms } = stage.cast;
    const before = await status();
    let isFlooding = true;
    const flooding = flood().finally(() => (isFlooding = false));
    let rounds = 0;
    const play = async (): Promise<void> => {
      do {
        for (const cpe of real) expect(await cpes.inform(cpe)).toMatchObject({ ok: true });
        for (const cpe of real) expect((await collector.wake(cpe)).statuses).toEqual([401, 200]);
        for (const cpe of real) expect(await cpes.informAsAsked(cpe)).toMatchObject({ ok: true });
        rounds++;
        await stage.engine.untilStatus(({ tables }) => tables.activatedCpes.count === 0, 'the graces to end');
      } while (isFlooding);
    };
    const playing = play();
    const [requests, activated, reports] = await peakWhile(playing);
    await playing;
    account('beside real sessions', await flooding, before, await drained(), 2 * rounds * real.length);

    const each = real.map(({ address }) => address);
    const expected = Array.from({ length: rounds }, () => each)
      .flat()
      .sort();
    await stage.expectCleanWires();
    expect(itms.informs.map(({ peer }) => peer).sort()).toEqual(expected);
    expect(collector.informs.map(({ peer }) => peer).sort()).toEqual(expected);
    // Two connections to each CPE are one Connection Request, and a round's entries may outlive the round.
    expect(requests).toBeLessThanOrEqual(2 * rounds * real.length);
    expect(activated).toBeLessThanOrEqual(real.length);
    expect(reports).toBeLessThanOrEqual(rounds * real.length);
  });

  test('activated CPEs among the sources: a few entries each, no activation is spent, and all is forgotten', async () => {
    const { cpes, collector, itms } = stage.cast;
    for (const cpe of real) expect((await collector.wake(cpe)).statuses).toEqual([401, 200]);
    const before = await status();
    const flooding = flood(real.map(({ address }) => address));
    const [, activated, reports] = await peakWhile(flooding);
    account('activated CPEs among them', await flooding, before, await drained(), 0);
    expect(activated).toBeLessThanOrEqual(real.length);
    expect(reports).toBeLessThanOrEqual(MAX_PROVISIONAL * real.length);

    // What the collector answered to the forged SYNs, the CPEs have reset. Their own are diverted as if nothing had been.
    await stage.engine.untilStatus(
      ({ tables }) => tables.reportConnections.count === 0,
      'the forged SYNs to be forgotten',
    );
    const [atItms, atCollector] = [itms.informs.length, collector.informs.length];
    for (const cpe of real) expect(await cpes.informAsAsked(cpe)).toMatchObject({ ok: true });
    await settle(stage.cast);
    await stage.wires.catchUp();
    // Not `shared`: while full queues delay the CPE's reset, the collector repeats its SYN+ACK. The first reset ends the
    // unconfirmed entry, the second goes to the ITMS, which has no such connection and does not answer.
    expect(stage.wires.answeredByTwo()).toEqual([]);
    expect([...stage.wires.cpePeers]).toEqual([ADDRESSES.acs]);
    expect([itms.informs.length - atItms, collector.informs.length - atCollector]).toEqual([0, real.length]);

    await stage.engine.untilStatus(
      ({ tables }) => Object.values(tables).every(({ count }) => count === 0),
      'the tables to drain',
    );
    expect(await cpes.inform(real[0]!)).toMatchObject({ ok: true });
    await settle(stage.cast);
    expect([itms.informs.length - atItms, collector.informs.length - atCollector]).toEqual([1, real.length]);
  });
});

/** Five hundred CPEs at once, each with a story of its own: who saw how many sessions, and that all is forgotten later. */
import type { CpeSettings } from '../../src/lab/cpe';
import type { Acs } from '../../src/lab/cast';
import { makeCpes, Stage } from './support/stage';
import { ADDRESSES } from './support/family';

type Story = (cpe: CpeSettings) => Promise<void>;
type Server = 'itms' | 'collector' | 'secondCollector';

const CROWD = 500;
/** Short lives, so that the tables empty during the test; armed entries last as long as a slow machine needs. */
const LIVES = { requestUnanswered: 2, reportUnanswered: 2, established: 30, finOne: 3, finBoth: 2, reset: 2, grace: 2 };

const all = makeCpes(CROWD, { informDelayMs: null });

describe('five hundred CPEs', () => {
  let stage: Stage;
  /** Sessions that each server must see, by CPE. */
  const expected: Record<Server, string[]> = { itms: [], collector: [], secondCollector: [] };

  beforeAll(async () => {
    stage = await Stage.open({ cpes: all, secondCollector: true, ttl: LIVES });
  });
  afterAll(() => stage?.close());

  const inform = async (cpe: CpeSettings, server: Server, connections?: 1 | 2): Promise<void> => {
    expected[server].push(cpe.address);
    expect(await stage.cast.cpes.inform(cpe, undefined, connections)).toMatchObject({ ok: true });
  };
  const wake = async (server: Server, cpe: CpeSettings, statuses: number[]): Promise<void> => {
    const acs = stage.cast[server] as Acs;
    expect((await acs.wake(cpe)).statuses).toEqual(statuses);
  };

  const stories: Record<string, Story> = {
    'nobody wakes it': (cpe) => inform(cpe, 'itms'),
    'nobody wakes it, two sessions': async (cpe) => {
      await inform(cpe, 'itms');
      await inform(cpe, 'itms');
    },
    'the first collector wakes it': async (cpe) => {
      await inform(cpe, 'itms');
      await wake('collector', cpe, [401, 200]);
      await inform(cpe, 'collector');
    },
    'the second collector wakes it': async (cpe) => {
      await wake('secondCollector', cpe, [401, 200]);
      await inform(cpe, 'secondCollector');
    },
    'both wake it, the second is late': async (cpe) => {
      await wake('collector', cpe, [401, 200]);
      await wake('secondCollector', cpe, [401, 200]);
      await inform(cpe, 'collector');
    },
    'one after the other': async (cpe) => {
      for (const server of ['collector', 'secondCollector'] as const) {
        await wake(server, cpe, [401, 200]);
        await inform(cpe, server);
      }
    },
    'the ITMS wakes it': async (cpe) => {
      await wake('itms', cpe, [401, 200]);
      await inform(cpe, 'itms');
    },
    'a collector, then the ITMS wake it': async (cpe) => {
      await wake('collector', cpe, [401, 200]);
      await wake('itms', cpe, [401, 200]);
      await inform(cpe, 'itms');
    },
    'a 401 alone': async (cpe) => {
      await wake('collector', { ...cpe, credentials: undefined }, [401]);
      await inform(cpe, 'itms');
    },
    'a 503': async (cpe) => {
      await stage.cast.cpes.configure(cpe, { throttles: true });
      await wake('secondCollector', cpe, [503]);
      await inform(cpe, 'itms');
    },
  };
  const names = Object.keys(stories);

  it('each of their sessions reaches the server that it is for, all at once', async () => {
    await Promise.all(all.map((cpe, index) => (stories[names[index % names.length] as string] as Story)(cpe)));
    await stage.expectCleanWires();
    expectSeen();
  });

  it('an hour later by the tables’ clock, all of them are the ITMS’s', async () => {
    await stage.engine.untilStatus(({ tables }) => tables.activatedCpes.count === 0, 'the activations to end');
    await Promise.all(all.map((cpe) => inform(cpe, 'itms')));
    await stage.expectCleanWires();
    expectSeen();
  });

  it('then the tables are empty, nothing was dropped or lost, and no table was ever full', async () => {
    const { packets, tables } = await stage.engine.untilStatus(
      (status) => Object.values(status.tables).every(({ count }) => count === 0),
      'the tables to drain',
    );
    expect(packets.dropped).toBe(0);
    expect(packets.byReason).toMatchObject({ diverted: expected.collector.length + expected.secondCollector.length });
    expect(tables).toMatchObject({ connectionRequests: { full: 0 }, activatedCpes: { full: 0 } });
  });

  function expectSeen(): void {
    for (const server of Object.keys(expected) as Server[]) {
      const acs = stage.cast[server] as Acs;
      expect(acs.informs.map(({ peer }) => peer).sort()).toEqual([...expected[server]].sort());
      expect(acs.ended).toHaveLength(expected[server].length);
    }
    expect(new Set(stage.cast.cpes.wakers)).toEqual(new Set([ADDRESSES.acs]));
  }
});

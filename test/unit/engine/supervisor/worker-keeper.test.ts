/** A worker that keeps dying is restarted with growing delays, and commands sent meanwhile get an error. */
import { EventEmitter } from 'node:events';
import pino from 'pino';
import { type EngineSettings, requireReloadable } from '../../../../src/engine/supervisor/reload';
import { Liveness } from '../../../../src/engine/supervisor/liveness';
import { delayAfter, type KeeperOptions, WorkerKeeper } from '../../../../src/engine/supervisor/worker-keeper';
import { type FromWorker } from '../../../../src/engine/shared/worker-protocol';
import { DEFAULT_LIVES } from '../../../../src/splitter/topology';
import { eventually } from '../../../e2e/support/run-host';
import { TOPOLOGY } from '../../../support/rig';

const idle = { hasUnread: () => false, isHolding: () => false, steps: () => 0, decided: () => 0, lookedMs: () => 0 };
const liveness = () => new Liveness(idle, () => undefined);

test('at once after the first death, then doubling, up to 5 s', () => {
  expect([0, 1, 2, 3, 4, 8, 9, 10, 1000].map(delayAfter)).toEqual([0, 0, 50, 100, 200, 3200, 5000, 5000, 5000]);
});

describe('a command, while no worker lives', () => {
  const nobody = () => {
    throw new Error('nothing is started here');
  };
  const keeper = () =>
    new WorkerKeeper({
      ...{ descriptors: nobody, start: nobody, liveness: liveness() },
      ...{ onStateUnusable: nobody, onHopeless: nobody, log: pino({ enabled: false }) },
    });
  const pause = { kind: 'command', request: { command: 'pause' } } as const;

  test('is given up after some seconds', async () => {
    jest.useFakeTimers();
    try {
      const asked = keeper().ask(pause);
      jest.advanceTimersByTime(10_000);
      await expect(asked).rejects.toThrow(/^no worker answers; see status, and the log$/);
    } finally {
      jest.useRealTimers();
    }
  });

  test('is refused when the engine stops', async () => {
    const stopping = keeper();
    const asked = stopping.ask(pause);
    await Promise.all([stopping.stop(), expect(asked).rejects.toThrow(/^the engine stops$/)]);
  });
});

describe('tables that a worker cannot take over', () => {
  /** A worker without a process. */
  class Fake extends EventEmitter {
    readonly connected = false;
    readonly kill = () => true;
    isDead = false;

    hear(message: FromWorker): void {
      this.emit('message', message);
    }

    die(): void {
      this.isDead = true;
      this.emit('close', null, 'SIGKILL');
    }
  }

  function keep(onStateUnusable: (reason: string) => void) {
    const workers: Fake[] = [];
    const hopeless: string[] = [];
    const system = jest.requireActual<{ spawn: () => unknown }>('node:child_process');
    jest.spyOn(system, 'spawn').mockImplementation(() => {
      workers.push(new Fake());
      return workers.at(-1);
    });
    const keeper = new WorkerKeeper({
      descriptors: () => ({
        ...{ queue: 0, batch: 0, state: 0, program: { modules: 0, addon: 0 } },
        ...{ mirror: undefined, history: undefined, cluster: undefined },
      }),
      start: () => ({}) as ReturnType<KeeperOptions['start']>,
      ...{
        liveness: liveness(),
        log: pino({ enabled: false }),
        onStateUnusable,
      },
      onHopeless: (reason) => hopeless.push(reason),
    });
    return { keeper, workers, hopeless, begun: keeper.begin() };
  }

  afterEach(() => jest.restoreAllMocks());

  test('are reset when it is dead, before the next one starts', async () => {
    const calls: unknown[] = [];
    const { keeper, workers, hopeless } = keep((reason) => calls.push([reason, workers.map(({ isDead }) => isDead)]));
    workers[0]!.hear({ kind: 'state-unusable', message: 'a damaged table header' });
    expect(calls).toEqual([]);
    workers[0]!.die();
    await eventually('another worker', () => workers[1]);
    expect(calls).toEqual([['a damaged table header', [true]]]);
    workers[1]!.hear({ kind: 'ready' });
    workers[1]!.die();
    await eventually('a third', () => workers[2]);
    expect([calls.length, hopeless]).toEqual([1, []]);
    const stopped = keeper.stop();
    workers[2]!.die();
    await stopped;
  });

  test('and cannot be reset: the engine ends with one line, and no worker starts', async () => {
    const { workers, hopeless, begun } = keep(() => {
      throw new Error('no room');
    });
    workers[0]!.hear({ kind: 'state-unusable', message: 'a damaged table header' });
    workers[0]!.die();
    await expect(begun).rejects.toThrow(/^the tables cannot be reset: no room$/);
    expect([hopeless, workers.length]).toEqual([['the tables cannot be reset: no room'], 1]);
  });
});

describe('a reload', () => {
  const now: EngineSettings = {
    ...{
      topology: TOPOLOGY,
      activation: 'auto',
      lives: DEFAULT_LIVES,
      onCollectorDown: 'itms',
      capacityEntries: 64,
      name: 'default',
      stateDirectory: '/run/acsplit',
      controlGroup: undefined,
      metrics: { listen: '127.0.0.1:9547' },
      fastPath: 'off',
      history: undefined,
      cluster: undefined,
    },
    queue: { first: 0, length: 64, gso: true },
  };

  test('takes other collectors, ports, lives and modes', () => {
    const topology = { ...TOPOLOGY, collectors: TOPOLOGY.collectors.slice(1), reportPorts: [1] };
    expect(() =>
      requireReloadable(now, { ...now, topology, activation: 'off', lives: { ...DEFAULT_LIVES, armed: 1 } }),
    ).not.toThrow();
  });

  const refused: [string, Partial<EngineSettings>][] = [
    [
      'cpe.interface',
      { topology: { ...TOPOLOGY, cpe: { ...TOPOLOGY.cpe, interfaces: [{ in: 'eth9', out: 'eth9' }] } } },
    ],
    ['itms.interface', { topology: { ...TOPOLOGY, itms: { ...TOPOLOGY.itms, interface: 'eth9' } } }],
    ['tables.capacity', { capacityEntries: 65 }],
    ['queue.first', { queue: { first: 4, length: 64, gso: true } }],
    ['queue.length', { queue: { first: 0, length: 65, gso: true } }],
    ['queue.gso', { queue: { first: 0, length: 64, gso: false } }],
    ['name', { name: 'north' }],
    ['stateDirectory', { stateDirectory: '/run/other' }],
    ['controlGroup', { controlGroup: 'acsplit' }],
    ['fastPath', { fastPath: 'on' }],
  ];
  test.each(refused)('refuses another %s, which takes a restart', (key, change) => {
    expect(() => requireReloadable(now, { ...now, ...change })).toThrow(
      new RegExp(`^${key} changed from .* to .*, which takes a restart; nothing was changed$`),
    );
  });
});

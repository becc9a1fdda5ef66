/** A worker that keeps dying is started ever more slowly, and who asks while there is none hears so. */
import pino from 'pino';
import { requireReloadable, type Reloadable } from '../../../src/engine/reload';
import { delayAfter, WorkerKeeper } from '../../../src/engine/worker-keeper';
import { DEFAULT_LIVES } from '../../../src/splitter/topology';
import { TOPOLOGY } from '../../support/rig';

test('at once after the first death, then doubling, 5 s at the most', () => {
  expect([0, 1, 2, 3, 4, 8, 9, 10, 1000].map(delayAfter)).toEqual([0, 0, 50, 100, 200, 3200, 5000, 5000, 5000]);
});

describe('a command, while no worker lives', () => {
  const nobody = () => {
    throw new Error('nothing is started here');
  };
  const keeper = () =>
    new WorkerKeeper({
      ...{ descriptors: nobody, start: nobody, decided: () => 0, isHolding: () => false, onStart: () => undefined },
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

describe('a reload', () => {
  const now: Reloadable = {
    ...{
      topology: TOPOLOGY,
      activation: 'auto',
      lives: DEFAULT_LIVES,
      capacityEntries: 64,
      stateDirectory: '/run/acsplit',
      controlGroup: undefined,
      metrics: { listen: '127.0.0.1:9547' },
    },
    queue: { first: 0, length: 64, gso: true },
  };

  test('takes other collectors, ports, lives and modes', () => {
    const topology = { ...TOPOLOGY, collectors: TOPOLOGY.collectors.slice(1), reportPorts: [1] };
    expect(() =>
      requireReloadable(now, { ...now, topology, activation: 'off', lives: { ...DEFAULT_LIVES, armed: 1 } }),
    ).not.toThrow();
  });

  const refused: [string, Partial<Reloadable>][] = [
    ['cpe.interface', { topology: { ...TOPOLOGY, cpe: { ...TOPOLOGY.cpe, interface: 'eth9' } } }],
    ['itms.interface', { topology: { ...TOPOLOGY, itms: { ...TOPOLOGY.itms, interface: 'eth9' } } }],
    ['tables.capacity', { capacityEntries: 65 }],
    ['queue.first', { queue: { first: 4, length: 64, gso: true } }],
    ['queue.length', { queue: { first: 0, length: 65, gso: true } }],
    ['queue.gso', { queue: { first: 0, length: 64, gso: false } }],
    ['stateDirectory', { stateDirectory: '/run/other' }],
    ['controlGroup', { controlGroup: 'acsplit' }],
  ];
  test.each(refused)('refuses another %s, which takes a restart', (key, change) => {
    expect(() => requireReloadable(now, { ...now, ...change })).toThrow(
      new RegExp(`^${key} changed from .* to .*, which takes a restart; nothing was changed$`),
    );
  });
});

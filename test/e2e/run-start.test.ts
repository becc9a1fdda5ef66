/** Events while `acsplit run` is still starting: signals, from its first moment on, and another version. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Status } from '../../src/engine/report/status';
import { eventually, RunHost } from './support/run-host';

jest.setTimeout(120_000);

describe('an engine that is starting', () => {
  let network: RunHost;
  beforeAll(() => {
    network = new RunHost();
  });
  afterAll(() => network.remove());

  /** See support/at-start.js. */
  const start = (what: string) => {
    const environment = ['env', `NODE_OPTIONS=--require=${join(__dirname, 'support/at-start.js')}`, `AT_START=${what}`];
    return network.start(['run', '-c', network.configure('a.yaml')], environment);
  };
  const expectNothingLeft = () => {
    expect(network.boundQueues()).toEqual([]);
    expect(existsSync(join(network.stateDirectory, 'control.sock'))).toBe(false);
  };

  test('remembers a SIGHUP, and reloads once verdicts flow', async () => {
    const engine = start('signal SIGHUP');
    await engine.event('reload');
    const events = engine.events().map(({ event }) => event);
    expect(events.filter((event) => event === 'ready' || event === 'reload')).toEqual(['ready', 'reload']);
    engine.kill('SIGTERM');
    expect((await engine.ended).code).toBe(0);
  });

  test.each(['SIGTERM', 'SIGINT'])('ends on a %s at its first moment', async (signal) => {
    const engine = start(`signal ${signal}`);
    expect((await engine.ended).code).toBe(0);
    expect(engine.events()).toMatchObject([{ event: 'stopped', level: 'info' }]);
    expectNothingLeft();
  });

  test('ends on a SIGTERM while its worker does not come up, and so does the worker', async () => {
    const engine = start('worker-hangs');
    const worker = await eventually('a worker', async () => {
      const { ready, workers } = await network
        .status()
        .catch((): Pick<Status, 'ready' | 'workers'> => ({ ready: false, workers: [] }));
      expect(ready).toBe(false);
      return workers[0]?.pid || undefined;
    });
    engine.kill('SIGTERM');
    expect((await engine.ended).code).toBe(0);
    expect(engine.events()).toMatchObject([{ event: 'stopped', level: 'info' }]);
    expect(existsSync(`/proc/${worker}`)).toBe(false);
    expectNothingLeft();
  });

  test('under which another version is installed at that moment says so and ends', async () => {
    const { code, stdout, stderr } = await start('upgraded').ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^acsplit: version 99\.0\.0 was installed while \S+ was starting: start the engine again\n$/,
    );
    expectNothingLeft();
  });
});

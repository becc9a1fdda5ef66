/** Whatever happens to standard error: the engine starts, runs, reloads and ends as usual. */
import { join } from 'node:path';
import { type Status } from '../../src/engine/report/status';
import { eventually, RunHost, type RunningCommand } from './support/run-host';
import { PYTHON } from '../support/tools';

jest.setTimeout(120_000);

const PROGRAM = join(__dirname, 'support/stderr-on.py');

describe('an engine whose standard error', () => {
  let network: RunHost;
  let file: string;
  let wrapper: RunningCommand;
  beforeAll(() => {
    network = new RunHost();
    file = network.configure('a.yaml');
  });
  afterAll(() => network.remove());

  /** Undefined while nobody answers. */
  const status = (): Promise<Status | undefined> => network.status().catch(() => undefined);

  const ready = () =>
    eventually('verdicts to flow', async () => {
      const now = await status();
      return now?.ready === true ? now : undefined;
    });

  /** See support/stderr-on.py. @returns the engine's process id once verdicts flow */
  async function begin(kind: string): Promise<number> {
    wrapper = network.start(['run', '-c', file], [PYTHON, PROGRAM, kind]);
    return (await ready()).pid;
  }

  /** A worker that dies is a line in the log, and another when the next is there. */
  async function killWorker(): Promise<void> {
    const [{ pid, restarts }] = (await ready()).workers;
    process.kill(pid, 'SIGKILL');
    await eventually('another worker', async () => {
      const now = await status();
      return (now?.ready === true && now.workers[0]!.restarts > restarts) || undefined;
    });
  }

  async function expectEnd(pid: number): Promise<void> {
    process.kill(pid, 'SIGTERM');
    expect((await wrapper.ended).code).toBe(0);
    expect(network.boundQueues()).toEqual([]);
  }

  test.each([
    ['is a pipe that nobody reads', 'pipe'],
    ['is a socket that nobody reads', 'socket'],
    ['is on a full disk', 'disk'],
    ['is a stopped terminal', 'stopped'],
  ])('%s', async (_, kind) => {
    const pid = await begin(kind);
    await killWorker();
    await expectEnd(pid);
  });

  test('is a terminal that is taken away', async () => {
    const pid = await begin('gone');
    await wrapper.event('ready');
    wrapper.kill('SIGUSR1');
    await killWorker();
    await expectEnd(pid);
  });

  test.each(['pipe', 'socket', 'stopped'])('is a %s that takes lines again has them all, in order', async (kind) => {
    const pid = await begin(kind);
    await killWorker();
    wrapper.kill('SIGUSR1');
    await wrapper.event('worker-restarted');
    await expectEnd(pid);
    const expected = ['ready', 'worker-died', 'worker-restarted', 'stopped'];
    const events = wrapper.events().map(({ event }) => String(event));
    expect(events.filter((event) => expected.includes(event))).toEqual(expected);
  });

  test('is on a full disk and that cannot start has its exit status all the same', async () => {
    const wrong = network.configure('wrong.yaml', 'reportPort: [1]');
    const ended = await network.acsplit(['run', '-c', wrong], [PYTHON, PROGRAM, 'disk']);
    expect(ended).toEqual({ code: 2, stdout: '', stderr: '' });
  });
});

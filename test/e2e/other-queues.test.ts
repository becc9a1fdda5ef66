/**
 * An engine on other queues than those the installed rules steer to looks healthy and sees no packet. The second to
 * start, engine or rules, reports it at once, and doctor finds it.
 */
import { type ChildProcess } from 'node:child_process';
import { DoctorHost } from './support/doctor-host';
import { until } from './support/rules-host';

jest.setTimeout(180_000);

let host: DoctorHost;
let before: string;
beforeAll(async () => {
  host = await DoctorHost.create();
  before = host.router.configurationText;
});
afterAll(() => host?.close());
afterEach(async () => {
  await stopAll();
  host.router.configure(before);
  host.acsplit('rules install');
  await host.router.startEngine();
  await host.untilHealthy();
});

/** An engine's log: the events of one name. */
function listen(engine: ChildProcess): (name: string) => Record<string, unknown>[] {
  let said = '';
  engine.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return (name) =>
    said
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ event }) => event === name);
}

const chooseQueue = (first: number) => host.edit(/^queue: \{/m, `queue: { first: ${first},`);
async function stopAll(): Promise<void> {
  await host.router.stopEngine();
  await host.stopStarted();
}

/** A service as systemd/acsplit.service runs it: it may not look into sets that rules name. */
const UNITS_RIGHTS = 'setpriv --inh-caps=-all,+net_admin,+bpf --bounding-set=-all,+net_admin,+bpf ';

test.each([
  ['as root', 'itms', ''],
  ['as root', 'hold', ''],
  ['with CAP_NET_ADMIN and CAP_BPF alone', 'itms', UNITS_RIGHTS],
])('an engine that starts with other queues than the rules of before, %s, %s', async (_, onEngineDown, wrapper) => {
  if (onEngineDown === 'hold') {
    host.edit('onEngineDown: itms', 'onEngineDown: hold');
    host.acsplit('rules install');
  }
  await stopAll();
  chooseQueue(4);
  const events = listen(host.start(`${wrapper}acsplit run -c ${host.router.configuration}`));
  await until(() => events('other-queues').length > 0, 'the engine to say so');
  expect(events('other-queues')).toMatchObject([{ level: 'error', installed: 0, first: 4 }]);
  expect(events('other-queues')[0]!.msg).toBe(
    `the installed rules steer to queues 0 to 3, this engine has queues 4 to 7: no packet reaches it; run: acsplit rules install -c ${host.router.configuration}`,
  );
  const [found, ...others] = host.complaints();
  expect(others).toEqual([]);
  expect(found).toMatchObject({
    check: 'rules',
    level: 'failure',
    mend: expect.stringMatching(/^acsplit rules install/),
  });
  host.shell(found!.mend!);
  await host.untilHealthy();

  // The same queues: no message.
  await stopAll();
  const later = listen(host.start(`${wrapper}acsplit run -c ${host.router.configuration}`));
  await host.untilHealthy();
  await until(() => later('ready').length > 0, 'its first line');
  expect(later('other-queues')).toEqual([]);
});

test('rules that are installed for other queues than the running engine has', async () => {
  chooseQueue(8);
  const { status, stderr } = host.router.rules('install');
  expect(status).toBe(0);
  expect(stderr).toMatch(
    /^acsplit: the running engine \(pid \d+\) has queues 0 to 3, these rules steer to queues 8 to 11: restart the engine\n$/,
  );
  const [found, ...others] = host.complaints();
  expect(others).toEqual([]);
  expect(found).toMatchObject({ check: 'engine', level: 'failure' });
  expect(found!.message).toBe(
    'the engine was started with queues 0 to 3, the configuration has queues 8 to 11: no packet reaches the engine',
  );
  expect(found!.mend).toMatch(/^kill \d+ && tail --pid=\d+ -f \/dev\/null && acsplit run -c /);
  host.start(found!.mend!);
  await host.untilHealthy();
  expect(host.router.rules('install')).toMatchObject({ status: 0, stderr: '' });
});

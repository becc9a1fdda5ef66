/** Reloads, and when the engine warns that it does not run with what its file says. */
import { ConfigurationWatch, type Keys } from '../../../../src/engine/supervisor/configuration-watch';

function make(keys: Keys = { 'itms.address': '"10.2.0.2"', reportPorts: '[7547]' }) {
  const host = { keys, mark: 1, error: undefined as string | undefined, installed: '1.0.0', reads: 0 };
  const said: string[] = [];
  const say = (fields: object, message: string) => void said.push(`${(fields as { event: string }).event}: ${message}`);
  const watch = new ConfigurationWatch({
    ...{ file: '/etc/a.yaml', keys, version: '1.0.0', installedVersion: () => host.installed },
    mark: () => String(host.mark),
    readKeys: () => {
      host.reads++;
      if (host.error !== undefined) throw new Error(host.error);
      return host.keys;
    },
    log: { info: say, warn: say, error: say },
  });
  const change = (more: Partial<typeof host>) => Object.assign(host, { mark: host.mark + 1 }, more);
  return { host, said, watch, change };
}

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test('a file that says something else is told at once in the status, and once in the log when it stays so', () => {
  const { host, said, watch, change } = make();
  expect(watch.status).toMatchObject({ file: '/etc/a.yaml', differs: [], error: null, refused: false });
  change({ keys: { 'itms.address': '"10.2.0.9"', reportPorts: '[7547]', activation: '"off"' } });
  expect(watch.status.differs).toEqual(['activation', 'itms.address']);
  jest.advanceTimersByTime(5000);
  expect(said).toEqual([]);
  jest.advanceTimersByTime(60_000);
  expect(said).toEqual([
    'drift: /etc/a.yaml differs from what runs in activation, itms.address: reload (SIGHUP), or restart the engine',
  ]);
  // Read twice: when it was new, and when it had changed.
  expect(host.reads).toBe(2);
  expect(watch.reloaded(host.keys)).toEqual(['activation', 'itms.address']);
  expect(watch.status).toMatchObject({ differs: [], reloads: { done: 1, refused: 0 } });
  watch.stop();
});

test('a file that cannot be read would keep the engine from its next start', () => {
  const { said, watch, change } = make();
  change({ error: '/etc/a.yaml:3:1: unknown key' });
  expect(watch.status).toMatchObject({ differs: [], error: '/etc/a.yaml:3:1: unknown key' });
  jest.advanceTimersByTime(60_000);
  expect(said).toEqual(['drift: a restart would fail: /etc/a.yaml:3:1: unknown key']);
  watch.refused();
  expect(watch.status).toMatchObject({ reloads: { done: 0, refused: 1 }, refused: true });
  watch.reloaded({});
  expect(watch.status.refused).toBe(false);
  watch.stop();
});

test('another version is told once', () => {
  const { host, said, watch } = make();
  host.installed = '1.1.0';
  jest.advanceTimersByTime(60_000);
  expect(said).toEqual(['upgraded: version 1.1.0 is installed, and 1.0.0 goes on: restart the engine when it suits']);
  expect(watch.status.upgraded).toBe(true);
  watch.stop();
});

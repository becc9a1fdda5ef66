/** What Prometheus gets from a running engine, and that no client can block it. */
import { METRIC_NAMES } from '../../src/engine/report/metrics';
import { hangUp } from './support/tcp-end';
import { TcpStage } from './support/tcp-stage';

jest.setTimeout(180_000);

const cpes = ['10.1.2.1', '10.1.2.2'];
let stage: TcpStage;

beforeAll(async () => {
  stage = await TcpStage.open({ cpes });
});
afterAll(() => stage?.close());
afterEach(() => stage?.expectOneServerEach());

/** From inside the splitter's namespace, whose loopback is its own. */
async function get(path: string, ...words: string[]): Promise<{ code: string; body: string }> {
  const url = `http://127.0.0.1:9547${path}`;
  const text = await stage.world.run('split', ['curl', '-s', '-w', '\n%{http_code}', ...words, url]);
  const end = text.trimEnd().lastIndexOf('\n');
  return { code: text.trimEnd().slice(end + 1), body: text.slice(0, end) };
}

test('a session shows in the counters, by side, verdict and reason; every metric has its help and type', async () => {
  await stage.wake('c1', cpes[0]!);
  await hangUp(await stage.connect(cpes[0]!));
  const { code, body } = await get('/metrics');
  expect(code).toBe('200');
  for (const name of METRIC_NAMES) {
    expect(body).toMatch(new RegExp(`^# HELP ${name} \\S`, 'm'));
    expect(body).toMatch(new RegExp(`^# TYPE ${name} (gauge|counter|histogram)$`, 'm'));
  }
  expect(body).toContain('acsplit_packets_total{side="cpe",verdict="rewrite",reason="diverted"} 1\n');
  expect(body).toContain('acsplit_packets_total{side="collector",verdict="rewrite",reason="request-opened"} 1\n');
  expect(body).toContain('acsplit_events_total{event="diverted"} 1\n');
  expect(body).toContain('acsplit_table_capacity_entries{table="report_connections"} 65536\n');
  expect(body).toContain('acsplit_ready 1\n');
  const packets = [...body.matchAll(/^acsplit_packets_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
  expect(packets).toBe((await stage.status()).packets.received);
  const decided = Number(/^acsplit_batch_packets_sum (\d+)$/m.exec(body)?.[1]);
  expect(decided).toBe(packets);
  expect(Number(/^acsplit_batch_decide_seconds_sum (\S+)$/m.exec(body)?.[1])).toBeGreaterThan(0);
});

test('alive, ready, and unknown paths', async () => {
  expect(await get('/healthz')).toEqual({ code: '200', body: 'ok\n' });
  expect(await get('/readyz')).toEqual({ code: '200', body: 'ready\n' });
  expect((await get('/')).code).toBe('404');
  expect((await get('/metrics', '-X', 'POST', '-d', 'x')).code).toBe('405');
});

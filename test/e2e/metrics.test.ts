/** What Prometheus and the page get from a running engine. */
import { METRIC_NAMES } from '../../src/engine/report/metric-list';
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
  const url = path.startsWith('/') ? `http://127.0.0.1:9547${path}` : path;
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
  expect((await get('/favicon.ico')).code).toBe('404');
  expect((await get('/metrics', '-X', 'POST', '-d', 'x')).code).toBe('405');
});

test('the page: its files, the status, a CPE that was woken, and what is hidden from other addresses', async () => {
  const index = await get('/', '-i');
  expect(index.code).toBe('200');
  expect(index.body).toMatch(/^content-security-policy: default-src 'none'; script-src 'self'/im);
  expect((await get('/page/page.js')).body).toContain('preact');
  expect((await get('/page/page.css')).code).toBe('200');
  await stage.wake('c1', cpes[1]!);
  const cpe = JSON.parse((await get(`/api/cpe?address=${cpes[1]}`)).body) as object;
  expect(cpe).toMatchObject({ cpe: cpes[1], next: { to: 'c1', why: 'armed' }, activation: { phase: 'armed' } });
  const status = JSON.parse((await get('/api/status')).body) as { status: { ready: boolean } };
  expect(status).toMatchObject({
    names: { maySee: true, hasToken: false, hasHistory: false },
    status: { ready: true },
  });
  const events = JSON.parse((await get('/api/events')).body) as { events: object[]; log: object[] };
  expect(events.events.at(-1)).toMatchObject({ event: 'armed-by-response', cpe: cpes[1], owner: 'c1' });
  expect(events.log).toEqual(expect.arrayContaining([expect.objectContaining({ event: 'ready', level: 'info' })]));
  expect((await get('/', '-H', 'Host: attacker.example')).code).toBe('421');
  await hangUp(await stage.connect(cpes[1]!));
});

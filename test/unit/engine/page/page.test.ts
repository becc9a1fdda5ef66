/** The page's HTTP: what it answers, to whom, and that its answers are bounded and shared. */
import { request as ask } from 'node:http';
import { arm, event, openStand, type Stand, statusOf } from '../../../support/page-stand';
import { type PageFile } from '../../../../src/engine/page/files';

const file: PageFile = { type: 'text/html', tag: '"1"', plain: Buffer.from('<p>'), gzipped: Buffer.from('zip') };
const FILES = new Map([['/', file]]);
const TOKEN = '0123456789abcdef';
const stands: Stand[] = [];
afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.close();
});

async function open(...words: Parameters<typeof openStand>): Promise<Stand> {
  const [more, listen] = words;
  const stand = await openStand({ files: FILES, ...more }, listen);
  stands.push(stand);
  return stand;
}

interface Answer {
  status: number | undefined;
  headers: Record<string, unknown>;
  body: string;
}

function get({ url }: Stand, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = ask(`${url}${path}`, { headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    sent.on('error', reject).end();
  });
}

const json = ({ body }: Answer): Record<string, unknown> => JSON.parse(body) as Record<string, unknown>;

test('every answer forbids foreign scripts, frames and guessing', async () => {
  const stand = await open();
  for (const path of ['/', '/api/status', '/api/none']) {
    const { headers } = await get(stand, path);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['content-security-policy']).not.toContain('unsafe');
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  }
});

test('files: with a tag, compressed where the browser takes it; metrics and health are what they were', async () => {
  const stand = await open();
  expect(await get(stand, '/?lang=zh')).toMatchObject({ status: 200, body: '<p>' });
  expect(await get(stand, '/', { 'accept-encoding': 'gzip, br' })).toMatchObject({ body: 'zip' });
  expect(await get(stand, '/', { 'if-none-match': '"1"' })).toMatchObject({ status: 304, body: '' });
  expect(await get(stand, '/../../etc/passwd')).toMatchObject({ status: 404 });
  for (const path of ['/metrics', '/healthz', '/readyz']) {
    // Prometheus scrapes by whatever name the router has.
    expect((await get(stand, path, { host: 'router.example' })).status).toBe(200);
  }
});

test('a name that leads here by DNS is refused, and so is a request by the page of another site', async () => {
  const stand = await open();
  for (const path of ['/', '/api/status', '/api/cpe?address=10.1.0.5']) {
    expect((await get(stand, path, { host: 'attacker.example' })).status).toBe(421);
  }
  expect((await get(stand, '/api/status', { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await get(stand, '/', { 'sec-fetch-site': 'cross-site' })).status).toBe(200);
});

test('a CPE: next session, entries, its own newest events', async () => {
  const stand = await open();
  arm(stand, '10.1.0.5');
  for (let n = 0; n < 5000; n++) stand.events.push(event(n));
  const cpe = json(await get(stand, '/api/cpe?address=%2010.1.0.5%20'));
  expect(cpe).toMatchObject({ cpe: '10.1.0.5', next: { to: 'c1', why: 'armed', collector: 'c1' } });
  expect(cpe).toMatchObject({ activation: { phase: 'armed' }, requests: [], connections: [] });
  expect(cpe.events).toHaveLength(0);
  const other = json(await get(stand, `/api/cpe?address=${event(4999).cpe}`));
  expect(other).toMatchObject({
    next: { to: 'itms', why: 'not-woken' },
    activation: null,
    events: [{ event: 'diverted' }],
  });
});

test.each([
  ['/api/cpe?address=10.1', 400, 'address'],
  ['/api/cpe', 400, 'address'],
  ['/api/cpe?address=%00', 400, 'address'],
  ['/api/cpe?address=%', 400, 'address'],
  ['/api/cpe?address=10.9.0.5', 404, 'stranger'],
  ['/api/cpe?address=2001:db8::5', 404, 'stranger'],
  ['/api/history?address=10.1.0.5', 404, 'no-history'],
  [`/api/cpe?address=${'1'.repeat(600)}`, 414, undefined],
  ['/api/', 404, undefined],
])('%s: %p, %s', async (path, status, error) => {
  const answer = await get(await open(), path);
  expect(answer.status).toBe(status);
  if (error !== undefined) expect(json(answer)).toEqual({ error });
});

test('without a token, names are shown over loopback; with one, to those who know it; status and hour to all', async () => {
  const open4 = await open({ token: TOKEN });
  const paths = ['/api/events', '/api/cpe?address=10.1.0.5', '/api/history?address=10.1.0.5'];
  for (const path of paths) {
    expect(await get(open4, path)).toMatchObject({ status: 403, body: '{"error":"names"}' });
    expect((await get(open4, path, { authorization: `Bearer ${TOKEN}` })).body).not.toContain('"names"');
  }
  expect(json(await get(open4, '/api/status'))).toMatchObject({ names: { maySee: false, hasToken: true } });
  expect((await get(open4, '/api/hour')).status).toBe(200);
  const free = await open();
  expect((await get(free, '/api/events')).status).toBe(200);
  expect((await get(free, '/api/events', { 'x-forwarded-for': '10.1.0.9' })).status).toBe(403);
});

test('who only looks costs little: a status is made twice a second at the most, for all together', async () => {
  let made = 0;
  const stand = await open({ status: () => (made++, statusOf()) });
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: 60 }, () => get(stand, '/api/status')));
  expect(made).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - startedMs) / 500));
});

test('one search at a time, of the tables and of the history; the others are told so', async () => {
  let finish: (text: string) => void = () => undefined;
  let searches = 0;
  const find = () => {
    searches++;
    return new Promise<string>((resolve) => (finish = resolve));
  };
  const stand = await open({ history: { isKept: true, find } });
  const waiting = get(stand, '/api/history?address=10.1.0.5');
  const answers = await Promise.all([1, 2, 3].map(() => get(stand, '/api/cpe?address=10.1.0.5')));
  expect(answers.map(({ status }) => status)).toContain(200);
  for (const { status } of answers) expect([200, 503]).toContain(status);
  expect(answers.every(({ status, body }) => status === 200 || body === '{"error":"busy"}')).toBe(true);
  finish('{"sessions":[]}');
  expect(await waiting).toMatchObject({ status: 200, body: '{"sessions":[]}' });
  expect(searches).toBe(1);
});

test('events: the newest hundred with the number of the first, however many there are; the log of 200 lines', async () => {
  const stand = await open();
  for (let n = 0; n < 10_000; n++) stand.events.push(event(n));
  for (let n = 0; n < 300; n++) stand.log.warn({ event: 'lost' }, `${n} ${'x'.repeat(2000)}`);
  const answer = json(await get(stand, '/api/events')) as {
    first: number;
    events: unknown[];
    log: { message: string }[];
  };
  expect([answer.first, answer.events.length, answer.log.length]).toEqual([9900, 100, 200]);
  expect(answer.log.at(-1)!.message.length).toBeLessThanOrEqual(501);
});

test('the hour goes in columns of equal length', async () => {
  const hour = json(await get(await open(), '/api/hour'));
  const { timeMs, packets, tables } = hour as Record<string, Record<string, number[]>>;
  expect(timeMs).toHaveLength(360);
  expect(Object.keys(packets!)).toEqual(['cpe', 'itms', 'collector', 'host']);
  for (const column of [...Object.values(packets!), ...Object.values(tables!)]) expect(column).toHaveLength(360);
});

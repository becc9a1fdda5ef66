/** ITMS and collectors hide behind one address: what happens when they come from one source port to one CPE. */
import { talk, hangUp } from './support/tcp-end';
import { answerText, TcpStage, type ConnectionRequest, type ServerName } from './support/tcp-stage';
import { street } from './support/family';
import { MAX_PER_CPE } from '../../src/tables/connection-table';

const cpes = street(2, 20);
let used = 0;
const fresh = (): string => cpes[used++] as string;

/** Where ports are taken from for the later one; the first of them is used first. */
const REMAP_FIRST = 61_000;

let stage: TcpStage;

beforeAll(async () => {
  stage = await TcpStage.open({ cpes, ttl: { grace: 0.5 } });
});
afterAll(() => stage?.close());
afterEach(() => stage?.expectOneServerEach());

/** Each server asks by its own name, the CPE answers with that name: a server that got another's answer would notice. */
async function askAll(requests: Map<ServerName, ConnectionRequest>, status: number): Promise<void> {
  const all = [...requests];
  await Promise.all(all.map(([name, { cpe, far }]) => far.sendTo(cpe, `GET /${name} HTTP/1.1\r\n\r\n`)));
  await Promise.all(all.map(([name, { cpe, far }]) => cpe.sendTo(far, `HTTP/1.1 ${status} ${name}\r\n\r\n`)));
}

test.each([
  { order: ['itms', 'c1'] as const, owner: 'c1' },
  { order: ['c1', 'itms'] as const, owner: 'itms' },
  { order: ['c1', 'c2', 'itms'] as const, owner: 'itms' },
])(
  '$order from one port at once: each gets its own answers, one after the other and all together',
  async ({ order, owner }) => {
    const cpe = fresh();
    const requests = new Map<ServerName, ConnectionRequest>();
    for (const server of order) requests.set(server, await stage.request(server, cpe, { fromPort: 40_000 }));
    const [first, ...later] = [...requests.values()].map(({ seenFrom }) => seenFrom);
    expect(first).toBe(40_000);
    expect(new Set(later).size).toBe(later.length);
    for (const port of later) expect(port).toBeGreaterThanOrEqual(REMAP_FIRST);

    await askAll(requests, 401);
    for (const request of requests.values()) await talk(request);
    for (const server of order) await stage.ask(requests.get(server)!, 200);
    const remapped = (await stage.entries('requests', cpe)).filter(({ port, ownPort }) => port !== ownPort);
    expect(remapped.map(({ ownPort }) => ownPort)).toEqual(later.map(() => 40_000));
    await Promise.all([...requests.values()].map((request) => hangUp(request, 'far')));

    // The ITMS's 200 was the last but in the first row.
    expect(await stage.session(cpe)).toBe(owner);
    expect((await stage.events(cpe)).filter(({ event }) => event === 'remapped')).toHaveLength(order.length - 1);
  },
);

test('both SYNs on their way at once', async () => {
  const cpe = fresh();
  const asking = await stage.whileHeld(async () => {
    const both = [
      stage.request('itms', cpe, { fromPort: 40_000 }),
      stage.request('c1', cpe, { fromPort: 40_000 }),
    ] as const;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { both };
  });
  const [one, other] = await Promise.all(asking.both);
  expect(new Set([one.seenFrom, other.seenFrom]).has(40_000)).toBe(true);
  expect(one.seenFrom).not.toBe(other.seenFrom);
  await Promise.all([one, other].map(({ far }, index) => far.send(`${index} `)));
  // Which of the CPE's two ends is whose is known by what it hears.
  const heard = await Promise.all([one, other].map(({ cpe: near }) => near.receive(2)));
  const ends = heard.map(({ text }) => Number(text));
  expect(ends.sort()).toEqual([0, 1]);
  for (const { cpe: near } of [one, other]) await near.send(answerText(401));
  for (const { far } of [one, other]) expect(await far.receive(answerText(401).length)).toMatchObject({ ended: null });
  await Promise.all([one, other].map(({ far }) => far.close()));
});

test('a port of the range that a server uses itself is not given to another', async () => {
  const cpe = fresh();
  const taken = new Map<number, ConnectionRequest>();
  // With the two that collide, as many as are remembered of one CPE.
  for (let port = REMAP_FIRST; port < REMAP_FIRST + MAX_PER_CPE - 2; port++) {
    taken.set(port, await stage.request('c1', cpe, { fromPort: port }));
  }
  const first = await stage.request('c1', cpe, { fromPort: 40_000 });
  const second = await stage.request('itms', cpe, { fromPort: 40_000 });
  expect(second.seenFrom).toBeGreaterThanOrEqual(REMAP_FIRST);
  expect(taken.has(second.seenFrom)).toBe(false);

  // One more: a collector's waits in vain, and the ITMS's passes as it is.
  await expect(stage.request('c1', cpe, { fromPort: 41_000, timeoutMs: 300 })).rejects.toThrow('ETIMEDOUT');
  const { byReason } = (await stage.status()).packets;
  expect(byReason['request-bound']).toBeGreaterThanOrEqual(1);

  for (const request of [first, second, ...taken.values()]) await talk(request);
  for (const request of [first, second, ...taken.values()]) await hangUp(request, 'far');
  // What is closed gives way.
  const next = await stage.request('c1', cpe, { fromPort: 41_000 });
  await stage.ask(next, 401);
  await hangUp(next, 'far');
});

test('the port again right after close: by its owner as it is, by another under another port', async () => {
  const cpe = fresh();
  for (let round = 0; round < 3; round++) {
    const request = await stage.request('c1', cpe, { fromPort: 40_000 });
    expect(request.seenFrom).toBe(40_000);
    await stage.ask(request, 200);
    // The CPE closes first and keeps TIME-WAIT; the collector's port is free at once.
    await hangUp(request, 'cpe');
    expect(await stage.session(cpe)).toBe('c1');
    await stage.untilOver(cpe);
  }
  const other = await stage.request('itms', cpe, { fromPort: 40_000 });
  expect(other.seenFrom).toBeGreaterThanOrEqual(REMAP_FIRST);
  await stage.ask(other, 200);
  await hangUp(other, 'far');
  expect(await stage.session(cpe)).toBe('itms');
});

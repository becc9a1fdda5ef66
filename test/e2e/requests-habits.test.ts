/** What collectors and CPEs do on a Connection Request out of habit or by accident, and whose the next session is. */
import { join } from 'node:path';
import { TcpFlag } from '../../src/packet/tcp';
import { writeBetweenMarks } from '../prove/marks';
import { hasFlag } from './support/capture';
import { street } from './support/family';
import { eventually } from './support/run-host';
import { hangUp } from './support/tcp-end';
import { answerText, type ConnectionRequest, GET, REQUEST_PORT, TcpStage } from './support/tcp-stage';

const cpes = street(2, 20);
let used = 0;
const fresh = (): string => cpes[used++] as string;

let stage: TcpStage;
beforeAll(async () => {
  stage = await TcpStage.open({ cpes, ttl: { grace: 0.5 }, lossy: true });
  stage.wires.keepSights(({ payloadBytes }) => payloadBytes > 0);
});
afterAll(async () => {
  await stage?.close();
  if (process.env.ACSPLIT_REQUEST_HABITS === undefined) return;
  const rows = [['the collector asks', 'next session'], ['---', '---'], ...told];
  const text = rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  writeBetweenMarks(join(__dirname, '../../docs/reliability.md'), 'request habits', text);
});
afterEach(() => stage?.expectOneServerEach());

/** How often the CPE's wire has seen this many bytes to the CPE's port. */
async function gets(cpe: string): Promise<number> {
  await stage.wires.catchUp();
  const data = stage.wires.sights.filter((sight) => sight.wire === 'cpe' && sight.destination === cpe);
  return data.filter((sight) => hasFlag(sight, TcpFlag.Ack) && sight.destinationPort === REQUEST_PORT).length;
}

async function eventsOf(cpe: string): Promise<string[]> {
  return (await stage.events(cpe)).map(({ event }) => event);
}

/** Rows of the table that `npm run prove request-habits` writes. */
const told: string[][] = [];

/** The collector closes; whose the CPE's two next sessions are. */
async function expectSessions(habit: string, request: ConnectionRequest, cpe: string, expected: string[]) {
  await hangUp(request, 'far');
  const first = await stage.session(cpe);
  await stage.untilOver(cpe);
  const sessions = [first, await stage.session(cpe)];
  expect(sessions).toEqual(expected);
  // The page says of the second that it is the ITMS's.
  told.push([habit, sessions[1] === 'itms' ? first : sessions.join(', then ')]);
}

test('a GET that is retransmitted because it was lost: its answer arms once', async () => {
  const cpe = fresh();
  const request = await stage.request('c1', cpe);
  await stage.whileDropping('cpe', `INPUT -p tcp -d ${cpe} --dport ${REQUEST_PORT}`, async () => {
    await request.far.send(GET);
    await eventually('the GET again', async () => (await gets(cpe)) >= 2 || undefined);
  });
  expect(await request.cpe.receive(GET.length)).toMatchObject({ text: GET });
  await request.cpe.sendTo(request.far, answerText(200));
  await expectSessions('a GET that is lost and sent again; 200', request, cpe, ['c1', 'itms']);
  expect((await eventsOf(cpe)).filter((event) => event.startsWith('armed'))).toEqual(['armed-by-response']);
});

test('a GET that is retransmitted after its 401 is no new request: a 200 then arms nothing', async () => {
  const cpe = fresh();
  const request = await stage.request('c1', cpe);
  await stage.whileDropping('collector', `INPUT -p tcp -s ${cpe} --sport ${REQUEST_PORT}`, async () => {
    await request.far.send(GET);
    expect(await request.cpe.receive(GET.length)).toMatchObject({ text: GET });
    await request.cpe.send(answerText(401));
    await eventually('the GET again', async () => (await gets(cpe)) >= 2 || undefined);
  });
  await request.far.receive(answerText(401).length);
  await request.cpe.sendTo(request.far, answerText(200));
  await expectSessions('a GET; 401; the GET sent again; 200', request, cpe, ['itms', 'itms']);
});

test.each([
  ['with a second GET: the 200 arms', true, ['c1', 'itms']],
  ['without one: it arms nothing', false, ['itms', 'itms']],
])('a 401, then a 200 %s', async (_, asksAgain, expected) => {
  const cpe = fresh();
  const request = await stage.request('c1', cpe);
  await stage.ask(request, 401);
  if (asksAgain) await request.far.sendTo(request.cpe, GET);
  await request.cpe.sendTo(request.far, answerText(200));
  await expectSessions(`a GET; 401;${asksAgain ? ' a second GET;' : ''} 200`, request, cpe, expected);
});

test('a status line whose second half comes first arms', async () => {
  const cpe = fresh();
  const request = await stage.request('c1', cpe);
  await request.far.sendTo(request.cpe, GET);
  const [first, second] = ['HTTP/1.1 2', '00 OK\r\nContent-Length: 0\r\n\r\n'];
  await stage.whileDropping('cpe', `OUTPUT -p tcp -s ${cpe} --sport ${REQUEST_PORT}`, () => request.cpe.send(first));
  await request.cpe.send(second);
  expect(await request.far.receive(first.length + second.length)).toMatchObject({ text: first + second });
  await expectSessions('a GET; a status line 200 whose second half comes first', request, cpe, ['c1', 'itms']);
});

test.each([
  ['one segment', [GET + GET]],
  ['two segments', [GET, GET]],
])('two GETs pipelined in %s, both answered by 200: armed once', async (how, segments) => {
  const cpe = fresh();
  const request = await stage.request('c1', cpe);
  for (const segment of segments) await request.far.sendTo(request.cpe, segment);
  for (let answers = 0; answers < 2; answers++) await request.cpe.sendTo(request.far, answerText(200));
  await expectSessions(`two GETs in ${how}; 200 twice`, request, cpe, ['c1', 'itms']);
});

test('a collector with two request addresses uses one source port of both at once: both 200s are its own', async () => {
  await stage.restart({ twoRequestAddresses: true });
  for (const woken of [0, 1]) {
    const cpe = fresh();
    const fromPort = 45_000 + woken;
    const requests = [
      await stage.request('c1', cpe, { fromPort }),
      // The address of the second collector, which is the first one's here.
      await stage.request('c2', cpe, { fromPort }),
    ];
    expect(new Set(requests.map(({ seenFrom }) => seenFrom)).size).toBe(2);
    await stage.ask(requests[1 - woken]!, 401);
    await stage.ask(requests[woken]!, 200);
    await hangUp(requests[1 - woken]!, 'far');
    const which = woken === 0 ? 'first' : 'second';
    const habit = `GETs from two addresses and one port; 200 to the ${which}, 401 to the other`;
    await expectSessions(habit, requests[woken]!, cpe, ['c1', 'itms']);
  }
});

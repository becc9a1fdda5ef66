/**
 * A woken CPE that misbehaves costs other CPEs nothing: its entries are bounded, and the others are diverted as ever. It
 * answers one request again and again, keeps every Connection Request open, sends SYNs from thousands of ports, and
 * opens real sessions that it never closes.
 */
import { join } from 'node:path';
import { pause } from '../../src/lab/engine';
import { REPORT_PORT } from '../../src/lab/world';
import { buildTcp } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';
import { writeBetweenMarks } from '../prove/marks';
import { sameSynAtTwoServers } from './support/answers';
import { ADDRESSES, street } from './support/family';
import { fire } from './support/forgers';
import { answerText, GET, TcpStage, type ConnectionRequest } from './support/tcp-stage';

/** `npm run prove hostile-cpe` does it for a minute, beside 100 others. */
const SECONDS = Number(process.env.ACSPLIT_HOSTILE ?? 0);
const IS_PROOF = SECONDS > 0;
const OTHERS = IS_PROOF ? 100 : 20;
/** Most entries of one CPE in a table. docs/architecture.md, "Bounds" */
const BOUND = 16;
const [FIRST_PORT, PORTS, SYNS_AT_ONCE] = [20_000, 12_000, 120];
/** Real sessions that it holds open. */
const MOST_SESSIONS = 60;
const [hostile, ...others] = street(4, 1 + OTHERS) as [string, ...string[]];

if (IS_PROOF) jest.setTimeout(600_000);
let stage: TcpStage;
beforeAll(async () => {
  stage = await TcpStage.open({ cpes: [hostile, ...others] });
  const isOfHostile = (address: string): boolean => address === hostile;
  stage.wires.keepSights(
    ({ flags, source, destination }) =>
      (flags & TcpFlag.Syn) !== 0 && !isOfHostile(source) && !isOfHostile(destination),
  );
});
afterAll(() => stage?.close());

/** What it has done, and the most entries it had. */
const done = { answers: 0, syns: 0, sessions: 0, requests: 0, refused: 0 };
const most = { connections: 0, requests: 0 };

let isOver = false;

/** Everything that it does at once, until the others have had their sessions. */
async function misbehave(): Promise<void> {
  const requests: ConnectionRequest[] = [await stage.request('c1', hostile)];
  await requests[0]!.far.sendTo(requests[0]!.cpe, GET);
  for (let round = 0; !isOver; round++) {
    const from = FIRST_PORT + ((round * SYNS_AT_ONCE) % PORTS);
    await fire(
      stage,
      Array.from({ length: SYNS_AT_ONCE }, (_, index) => syn(from + index, round)),
    );
    done.syns += SYNS_AT_ONCE;
    // Each 200 one byte further on than one that would be the answer.
    for (const { cpe } of requests) await cpe.send(`x${answerText(200)}${answerText(200)}`);
    done.answers += 2 * requests.length;
    if (done.refused < 3) await keepRequest(requests);
    if (done.sessions < MOST_SESSIONS) {
      const session = await stage.dial(hostile);
      await session.send('inform');
      done.sessions++;
    }
    for (const table of ['connections', 'requests'] as const) {
      most[table] = Math.max(most[table], (await stage.entries(table, hostile)).length);
    }
    // A processor for the others.
    await pause(20);
  }
}

/** Its collector wakes it once more; it answers 200 and never closes. Beyond the bound the request's SYN is dropped. */
async function keepRequest(requests: ConnectionRequest[]): Promise<void> {
  try {
    const request = await stage.request('c1', hostile, { timeoutMs: 1500 });
    await request.far.sendTo(request.cpe, GET);
    await request.cpe.send(answerText(200));
    requests.push(request);
    done.requests++;
  } catch (error) {
    expect((error as Error).message).toContain('ETIMEDOUT');
    done.refused++;
  }
}

function syn(sourcePort: number, sequence: number): Uint8Array {
  const destination = { destination: ADDRESSES.acs, destinationPort: REPORT_PORT };
  return buildTcp({ source: hostile, sourcePort, ...destination, flags: TcpFlag.Syn, sequence });
}

test(`beside it ${OTHERS} others are woken, and each has its session with its collector`, async () => {
  const misbehaving = misbehave();
  let sessions = 0;
  try {
    const endMs = Date.now() + 1000 * SECONDS;
    do {
      for (const cpe of others) {
        await stage.wake('c1', cpe);
        expect(await stage.session(cpe)).toBe('c1');
        sessions++;
      }
    } while (Date.now() < endMs);
  } finally {
    isOver = true;
    await misbehaving;
  }
  expect(Math.max(most.connections, most.requests)).toBeLessThanOrEqual(BOUND);
  // One answer a request: nothing else that it says arms it.
  const armed = (await stage.events(hostile)).filter(({ event }) => event.startsWith('armed'));
  expect(armed.length).toBeLessThanOrEqual(1 + done.requests);
  expect(await stage.entries('connections', hostile)).not.toEqual([]);
  await stage.wires.catchUp();
  expect(sameSynAtTwoServers(stage.wires.sights)).toEqual([]);
  if (IS_PROOF) writeTable(sessions);
});

function writeTable(sessions: number): void {
  const text = [
    '| in a minute | |',
    '|---|---|',
    `| SYNs from ${PORTS} ports, 200s that answer nothing, sessions kept open | ${done.syns}, ${done.answers}, ${done.sessions} |`,
    `| Connection Requests kept open; refused beyond them | ${done.requests + 1}; ${done.refused} |`,
    `| its most entries: \`connectionRequests\`, \`reportConnections\` | ${most.requests}, ${most.connections} |`,
    `| sessions of ${OTHERS} other woken CPEs, at their collector | ${sessions} of ${sessions} |`,
  ].join('\n');
  console.log(text);
  writeBetweenMarks(join(__dirname, '../../docs/reliability.md'), 'hostile-cpe', text);
}

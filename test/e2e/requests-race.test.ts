/**
 * The race of the CPE's SYN with the collector's FIN, in each mode. The specification has the CPE answer before it opens
 * its session (TR-069 3.2.2), and nothing has the collector close before that: with a keep-alive HTTP library it never
 * does. `fin` is the patent to the letter [P9], and this is what it costs.
 */
import { type ActivationMode } from '../../src/splitter/topology';
import { hangUp } from './support/tcp-end';
import { TcpStage, type ServerName } from './support/tcp-stage';
import { street } from './support/family';

const MODES = ['auto', 'response', 'fin'] as const satisfies ActivationMode[];

/** Two sessions of one CPE: whose are they? Each row once with the FIN before the first, once between the two. */
interface Row {
  answer: string;
  finFirst: boolean;
  expected: Record<(typeof MODES)[number], [first: ServerName, second: ServerName]>;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
const UNAUTHORIZED = 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n';
const FOREIGN = 'whatever this is';
/** Began like HTTP, and has no code that can be read. */
const UNREADABLE = 'HTTP/1.1 OK\r\n\r\n';
const SILENCE = '';

// prettier-ignore
const ROWS: Row[] = [
  { answer: OK,           finFirst: true,  expected: { auto: ['c1', 'itms'],   response: ['c1', 'itms'],   fin: ['c1', 'itms'] } },
  // The race: the patent's rule misses the session that it was for, and diverts the next one, which may be hours later.
  { answer: OK,           finFirst: false, expected: { auto: ['c1', 'itms'],   response: ['c1', 'itms'],   fin: ['itms', 'c1'] } },
  // A refusal ends with a FIN just as well.
  { answer: UNAUTHORIZED, finFirst: true,  expected: { auto: ['itms', 'itms'], response: ['itms', 'itms'], fin: ['c1', 'itms'] } },
  { answer: UNAUTHORIZED, finFirst: false, expected: { auto: ['itms', 'itms'], response: ['itms', 'itms'], fin: ['itms', 'c1'] } },
  // It began like HTTP: in `auto` only the FIN can decide.
  { answer: UNREADABLE,   finFirst: true,  expected: { auto: ['c1', 'itms'],   response: ['itms', 'itms'], fin: ['c1', 'itms'] } },
  { answer: UNREADABLE,   finFirst: false, expected: { auto: ['itms', 'c1'],   response: ['itms', 'itms'], fin: ['itms', 'c1'] } },
  // Not HTTP, or nothing at all: such a CPE was not woken, and only the patent's rule takes the FIN for success.
  { answer: FOREIGN,      finFirst: true,  expected: { auto: ['itms', 'itms'], response: ['itms', 'itms'], fin: ['c1', 'itms'] } },
  { answer: FOREIGN,      finFirst: false, expected: { auto: ['itms', 'itms'], response: ['itms', 'itms'], fin: ['itms', 'c1'] } },
  { answer: SILENCE,      finFirst: true,  expected: { auto: ['itms', 'itms'], response: ['itms', 'itms'], fin: ['c1', 'itms'] } },
  { answer: SILENCE,      finFirst: false, expected: { auto: ['itms', 'itms'], response: ['itms', 'itms'], fin: ['itms', 'c1'] } },
];

const cpes = street(2, ROWS.length);

describe('the CPE’s SYN and the collector’s FIN', () => {
  let stage: TcpStage;

  beforeAll(async () => {
    stage = await TcpStage.open({ cpes, ttl: { grace: 0.5 } });
  });
  afterAll(() => stage?.close());

  test.each(MODES)('activation: %s', async (mode) => {
    await stage.restart({ activation: mode });
    const seen = await Promise.all(ROWS.map((row, index) => play(row, cpes[index] as string)));
    expect(seen).toEqual(ROWS.map(({ expected }) => expected[mode]));
    await stage.expectOneServerEach();
    expect((await stage.status()).packets.dropped).toBe(0);
  });

  async function play({ answer, finFirst }: Row, cpe: string): Promise<[ServerName, ServerName]> {
    const request = await stage.request('c1', cpe);
    await request.far.sendTo(request.cpe, 'GET /wake HTTP/1.1\r\n\r\n');
    if (answer !== SILENCE) await request.cpe.sendTo(request.far, answer);
    if (finFirst) await hangUp(request, 'far');
    const first = await stage.session(cpe);
    await stage.untilOver(cpe);
    if (!finFirst) await hangUp(request, 'far');
    const second = await stage.session(cpe);
    await stage.untilOver(cpe);
    return [first, second];
  }
});

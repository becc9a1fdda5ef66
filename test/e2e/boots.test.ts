/**
 * A diverted CPE loses power and boots onto the very port of its session: whatever the collector is doing, and whatever
 * it answered last, the boot's session is the ITMS's. TCP itself finds the half-open connection (RFC 9293 section 3.5.1).
 * The exception: the collector has closed the connection, and its grace has not ended.
 */
import { join } from 'node:path';
import { pause } from '../../src/lab/engine';
import { TcpFlag } from '../../src/packet/tcp';
import { writeBetweenMarks } from '../prove/marks';
import { sameSynAtTwoServers } from './support/answers';
import { ADDRESSES, street } from './support/family';
import { forgeFromCpe } from './support/forge';
import { eventually } from './support/run-host';
import type { End } from './support/tcp-end';
import { TcpStage, type ReportConnection, type ServerName } from './support/tcp-stage';

/** `npm run prove boots` plays every row this often, with the product's lives, and writes its table. */
const ROUNDS = Number(process.env.ACSPLIT_BOOTS ?? 1);
const IS_PROOF = process.env.ACSPLIT_BOOTS !== undefined;
/** Seconds; the default is 10. */
const REPORT_UNANSWERED = 2;
/** A server that closes so long after its last data has closed an idle connection. docs/decisions/activation.md */
const IDLE_MS = 1200;
const MOST_ATTEMPTS = 4;
const FORGED_EVERY_MS = 50;
/** Where the boot's own connections begin, so that they can be told from forged ones. */
const BOOT_ISN = 0xb0070000;

const REQUEST = 'POST /acs HTTP/1.1\r\nHost: acs\r\nContent-Length: 9\r\n\r\n<Inform/>';

/** What the collector answered last. */
const ANSWERS = {
  'a body': 'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n<InformResponse/>',
  'a 204': 'HTTP/1.1 204 No Content\r\n\r\n',
  'TLS records': '\u0017\u0003\u0003\u0000\u0040' + 'x'.repeat(64),
} as const;
type Answer = keyof typeof ANSWERS;

/** What the collector is doing when the CPE boots. */
interface CollectorState {
  /** Before the CPE loses power. */
  before?: (connection: ReportConnection) => Promise<unknown>;
  /** While it has none. */
  meanwhile?: (connection: ReportConnection) => Promise<unknown>;
  /** What a host drops, from the power cut on. */
  drops?: (cpe: string) => [role: 'cpe' | 'collector', rule: string];
  isDead?: boolean;
}

const forget = ({ far }: ReportConnection): Promise<unknown> =>
  stage.whileDropping('collector', 'OUTPUT -p tcp --tcp-flags RST RST', () => far.reset());

const STATES = {
  'has the connection': {},
  'is in FIN-WAIT-1': {
    meanwhile: ({ far }) => far.finish(),
    // A CPE that has booted answers a repetition with a RST, which ends the connection before its own SYN comes.
    drops: (cpe) => ['cpe', `INPUT -p tcp -d ${cpe} --tcp-flags FIN FIN`],
  },
  'is in FIN-WAIT-2': {
    before: async ({ cpe, far }) => {
      await pause(IDLE_MS);
      await far.finish();
      expect(await cpe.receive(1)).toMatchObject({ ended: 'finished' });
      await far.acknowledged();
    },
  },
  'has forgotten it': { meanwhile: forget },
  'is dead, its host refuses': { meanwhile: forget, isDead: true },
  'is silent': { drops: (cpe) => ['collector', `INPUT -p tcp -s ${cpe}`] },
} satisfies Record<string, CollectorState>;
type State = keyof typeof STATES;

interface Row {
  answer: Answer;
  state: State;
  isForged: boolean;
}

const ROWS: Row[] = (Object.keys(STATES) as State[]).flatMap((state) =>
  [false, true].flatMap((isForged) =>
    (Object.keys(ANSWERS) as Answer[]).map((answer) => ({ answer, state, isForged })),
  ),
);

/** Each state, each answer, and forged SYNs onto a connection that the collector has. */
function isSmallest({ answer, state, isForged }: Row): boolean {
  if (isForged) return state === 'has the connection' && answer === 'a body';
  return answer === 'a body' || state === 'has the connection' || (state === 'is in FIN-WAIT-2' && answer !== 'a 204');
}

const rows = IS_PROOF ? ROWS : ROWS.filter(isSmallest);
const cpes = street(3, rows.length * ROUNDS);
let used = 0;
let stage: TcpStage;

beforeAll(async () => {
  stage = await TcpStage.open({
    cpes,
    lossy: true,
    ...(IS_PROOF ? {} : { ttl: { reportUnanswered: REPORT_UNANSWERED } }),
  });
  stage.wires.keepSights(({ flags }) => (flags & TcpFlag.Syn) !== 0);
});
afterAll(async () => {
  await stage?.close();
  if (IS_PROOF) writeTable();
});
afterEach(async () => {
  await stage.wires.catchUp();
  expect(sameSynAtTwoServers(stage.wires.sights)).toEqual([]);
  // Forged packets come from the CPEs' own wire.
  expect([...stage.wires.cpePeers].filter((peer) => !cpes.includes(peer))).toEqual([ADDRESSES.acs]);
});

interface Boot {
  server: ServerName;
  attempts: number;
  tookMs: number;
}

/** Plays a row: a diverted session, the power cut, the boot. */
async function play({ answer, state, isForged }: Row): Promise<Boot> {
  const cpe = cpes[used] as string;
  const port = 21_000 + used++;
  const { before, meanwhile, drops, isDead = false }: CollectorState = STATES[state];
  await stage.wake('c1', cpe);
  const connection = await stage.connect(cpe, { fromPort: port });
  expect(connection.server).toBe('c1');
  await connection.cpe.sendTo(connection.far, REQUEST);
  await connection.far.sendTo(connection.cpe, ANSWERS[answer]);
  await before?.(connection);
  const cutAndBoot = async (): Promise<Boot> => {
    await stage.whileDropping('cpe', `OUTPUT -p tcp -s ${cpe}`, async () => {
      await connection.cpe.reset();
      await meanwhile?.(connection);
    });
    if (isDead) await stage.unlisten('c1');
    return isForged ? bootUnderForgedSyns(cpe, port) : boot(cpe, port);
  };
  try {
    return await (drops === undefined ? cutAndBoot() : stage.whileDropping(...drops(cpe), cutAndBoot));
  } finally {
    if (isDead) await stage.listen('c1');
  }
}

/** The CPE connects from this port until somebody takes it. @param firstDialling the first attempt, if it has begun */
async function boot(
  cpe: string,
  port: number,
  begunMs = performance.now(),
  firstDialling?: Promise<End>,
): Promise<Boot> {
  let dialling = firstDialling ?? stage.dial(cpe, { fromPort: port });
  for (let attempts = 1; ; attempts++) {
    try {
      const near = await dialling;
      const { server, far } = await stage.accepted(cpe, port);
      const tookMs = performance.now() - begunMs;
      await near.sendTo(far, REQUEST);
      await far.sendTo(near, 'answer');
      await near.close();
      return { server, attempts, tookMs };
    } catch (error) {
      if (!(error as Error).message.includes('ECONN') || attempts === MOST_ATTEMPTS) throw error;
      dialling = stage.dial(cpe, { fromPort: port });
    }
  }
}

async function bootUnderForgedSyns(cpe: string, port: number): Promise<Boot> {
  let isOver = false;
  const forge = async (): Promise<void> => {
    for (let n = 0; !isOver; n++) {
      await forgeFromCpe(stage, cpe, port, { flags: TcpFlag.Syn, sequence: (n * 40_503_001) >>> 0 });
      await pause(FORGED_EVERY_MS);
    }
  };
  const forging = forge();
  // Without power the CPE answers none of the collector's challenges; its host's kernel would, and end the connection.
  const off = `OUTPUT -p tcp -s ${cpe} --tcp-flags RST RST`;
  try {
    const [begunMs, dialling] = await stage.whileDropping('cpe', off, async () => {
      await synsAtServers(cpe, (isns) => isns.length > 5);
      const begunMs = performance.now();
      const dialling = stage.dial(cpe, { fromPort: port, initialSequence: BOOT_ISN });
      await Promise.race([dialling.catch(() => undefined), synsAtServers(cpe, (isns) => isns.includes(BOOT_ISN))]);
      return [begunMs, dialling] as const;
    });
    return await boot(cpe, port, begunMs, dialling);
  } finally {
    isOver = true;
    await forging;
  }
}

/** Waits until the SYNs of the CPE at the servers, by their ISNs, are such. */
async function synsAtServers(cpe: string, areSuch: (isns: number[]) => boolean): Promise<void> {
  await eventually(`SYNs of ${cpe} at a server`, async () => {
    await stage.wires.catchUp();
    const own = stage.wires.sights.filter(({ wire, source }) => wire === 'server' && source === cpe);
    return areSuch(own.map(({ sequence }) => sequence)) || undefined;
  });
}

const boots = new Map<Row, Boot[]>();

/** The CPE has acknowledged the collector's FIN: a new SYN is a new connection, and while the grace lasts it is diverted. */
const GRACE_HOLDS = ({ state, answer }: Row): boolean => state === 'is in FIN-WAIT-2' && answer !== 'a 204';
const serverOf = (row: Row): ServerName => (GRACE_HOLDS(row) ? 'c1' : 'itms');

/** The refusal reaches the CPE, its next attempt the ITMS. Where SYNs are forged, the first of those drew the refusal. */
function attemptsOf({ state, isForged }: Row): number {
  return state === 'is dead, its host refuses' && !isForged ? 2 : 1;
}

describe.each(rows.map((row) => [`after ${row.answer}, the collector ${row.state}${suffix(row)}`, row] as const))(
  '%s',
  (_claim, row) => {
    test.each(Array.from({ length: ROUNDS }, (_, round) => round + 1))('boot %d', async () => {
      const outcome = await play(row);
      expect({ ...outcome, tookMs: 0 }).toEqual({ server: serverOf(row), attempts: attemptsOf(row), tookMs: 0 });
      boots.set(row, [...(boots.get(row) ?? []), outcome]);
    });
  },
);

function suffix({ isForged }: Row): string {
  return isForged ? ', 20 forged SYNs a second' : '';
}

/** Each cell: which server, at which attempt if not the first, after how many seconds (median and longest). Written if every boot was right. */
function writeTable(): void {
  const answers = Object.keys(ANSWERS) as Answer[];
  const lines = ROWS.filter(({ answer }) => answer === answers[0]).map(({ state, isForged }) => {
    const cells = ROWS.filter((row) => row.state === state && row.isForged === isForged).map((row) => {
      const all = boots.get(row) ?? [];
      if (all.length !== ROUNDS) throw new Error('not every boot was right: nothing is written');
      const seconds = all.map(({ tookMs }) => tookMs / 1000).sort((a, b) => a - b);
      const times = [seconds[Math.floor(seconds.length / 2)]!, seconds.at(-1)!].map((one) => one.toFixed(2));
      const attempt = attemptsOf(row) === 1 ? '' : `, attempt ${attemptsOf(row)},`;
      return `${serverOf(row)}${attempt} ${[...new Set(times)].join('–')}`;
    });
    return `| ${[state + (isForged ? ', forged SYNs' : ''), ...cells].join(' | ')} |`;
  });
  const head = [`| the collector | ${answers.map((answer) => `after ${answer}`).join(' | ')} |`, '|---|---|---|---|'];
  writeBetweenMarks(join(__dirname, '../../docs/reliability.md'), 'boots', [...head, ...lines].join('\n'));
}

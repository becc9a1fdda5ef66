/**
 * A diverted CPE loses power and boots onto the very port of its session: whatever the collector is doing, the boot's
 * session is the ITMS's. TCP itself finds the half-open connection (RFC 9293 section 3.5.1).
 */
import { TcpFlag } from '../../src/packet/tcp';
import { forgeFromCpe } from './support/forge';
import { street } from './support/family';
import { eventually } from './support/run-host';
import { type End } from './support/tcp-end';
import { SERVER_ADDRESSES, TcpStage, type ReportConnection } from './support/tcp-stage';

/** So long the collector may be silent before its connection counts as gone; the default is 10 s. */
const REPORT_UNANSWERED = 2;
const cpes = street(3, 30);
let used = 0;
const fresh = (): string => cpes[used++] as string;
let port = 21_000;
const COLLECTOR = SERVER_ADDRESSES.c1;
/** Where a boot begins that must be told from forged SYNs. */
const BOOT_ISN = 0xb0070000;

let stage: TcpStage;
const torn: string[] = [];

beforeAll(async () => {
  stage = await TcpStage.open({ cpes, ttl: { reportUnanswered: REPORT_UNANSWERED }, lossy: true });
  stage.wires.keepSights(({ flags }) => flags === TcpFlag.Syn);
});
afterAll(() => stage?.close());
afterEach(() => stage?.expectOneServerEach(torn));

const REQUEST = 'POST /acs HTTP/1.1\r\nHost: acs\r\nContent-Length: 9\r\n\r\n<Inform/>';

/** What the collector answered last. */
const LAST_ANSWERS = {
  'a body': 'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n<InformResponse/>',
  'a 204': 'HTTP/1.1 204 No Content\r\n\r\n',
  'something unreadable, as TLS is': '\u0017\u0003\u0003\u0000\u0040' + 'x'.repeat(64),
} as const;

interface Booted {
  cpe: string;
  connection: ReportConnection;
}

/** A diverted session that has come so far, and the power cut. */
async function powerCut(
  answer: string,
  meanwhile: (connection: ReportConnection) => Promise<unknown>,
): Promise<Booted> {
  const cpe = fresh();
  await stage.wake('c1', cpe);
  const connection = await stage.connect(cpe, { fromPort: ++port });
  expect(connection.server).toBe('c1');
  await connection.cpe.sendTo(connection.far, REQUEST);
  await connection.far.sendTo(connection.cpe, answer);
  await stage.whileDropping('cpe', `OUTPUT -p tcp -s ${cpe}`, async () => {
    await connection.cpe.reset();
    await meanwhile(connection);
  });
  return { cpe, connection };
}

/** Whose the first session after the boot is, on the same port. */
function boot({ cpe }: Booted): Promise<string> {
  return bootedAt(cpe, stage.dial(cpe, { fromPort: port }));
}

async function bootedAt(cpe: string, dialling: Promise<End>): Promise<string> {
  const near = await dialling;
  const { server } = await stage.accepted(cpe, near.port);
  // Its first SYN went where the old connection was.
  torn.push(`${cpe}:${port}`);
  await near.close();
  return server;
}

describe.each(Object.entries(LAST_ANSWERS))('after %s', (_what, answer) => {
  test('the collector has the connection still', async () => {
    expect(await boot(await powerCut(answer, async () => undefined))).toBe('itms');
  });

  test('it has forgotten the connection', async () => {
    const forget = (connection: ReportConnection): Promise<unknown> =>
      stage.whileDropping('collector', 'OUTPUT -p tcp --tcp-flags RST RST', () => connection.far.reset());
    expect(await boot(await powerCut(answer, forget))).toBe('itms');
  });

  test('it is dead', async () => {
    const booted = await powerCut(answer, async () => undefined);
    await stage.whileDropping('collector', `INPUT -p tcp -s ${booted.cpe}`, async () => {
      expect(await boot(booted)).toBe('itms');
    });
  });

  test('it has the connection, and a forger sends twenty SYNs a second', async () => {
    const booted = await powerCut(answer, async () => undefined);
    const { cpe } = booted;
    let isOver = false;
    const forge = async (): Promise<void> => {
      for (let n = 0; !isOver; n++) {
        await forgeFromCpe(stage, cpe, port, { flags: TcpFlag.Syn, sequence: (n * 40_503_001) >>> 0 });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    // Without power the CPE answers none of the collector's challenges; its host's kernel would, and end the connection.
    const off = `OUTPUT -p tcp -s ${cpe} --tcp-flags RST RST`;
    const { forging, dialling } = await stage.whileDropping('cpe', off, async () => {
      const forging = forge();
      await synsAtCollector(cpe, (isns) => isns.length > 5);
      const dialling = stage.dial(cpe, { fromPort: port, initialSequence: BOOT_ISN });
      await synsAtCollector(cpe, (isns) => isns.includes(BOOT_ISN));
      return { forging, dialling };
    });
    expect(await bootedAt(cpe, dialling).finally(() => (isOver = true))).toBe('itms');
    await forging;
  });
});

/** Waits until the SYNs of the CPE's port on the collectors' wire, by their ISNs, are such. */
async function synsAtCollector(cpe: string, areSuch: (isns: number[]) => boolean): Promise<void> {
  await eventually(`SYNs of ${cpe} at its collector`, async () => {
    await stage.wires.catchUp();
    const isns = stage.wires.sights
      .filter(({ wire, source, destination }) => wire === 'server' && source === cpe && destination === COLLECTOR)
      .map(({ sequence }) => sequence);
    return areSuch(isns) || undefined;
  });
}

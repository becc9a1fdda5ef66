/**
 * A forged SYN from a CPE's port to a server's own address does not exempt the answers of a session that runs on that
 * port, undiverted or diverted, whatever forged packets follow. docs/decisions/direct.md
 */
import { REPORT_PORT } from '../../src/lab/world';
import { TcpFlag } from '../../src/packet/tcp';
import { ADDRESSES, street } from './support/family';
import { hexOf } from './support/forge';
import { talk } from './support/tcp-end';
import { TcpStage } from './support/tcp-stage';

jest.setTimeout(120_000);

const [PLAIN, WOKEN] = street(1, 2) as [string, string];
const ROUNDS = 20;
const SEQUENCE = 0x1234_5678;

let stage: TcpStage;
beforeAll(async () => {
  stage = await TcpStage.open({ cpes: [PLAIN, WOKEN] });
});
afterAll(() => stage?.close());

const forge = (
  cpe: string,
  port: number,
  destination: string,
  flags: number,
  sequence: number,
  acknowledgement = 0,
) => {
  const ends = { source: cpe, sourcePort: port, destination, destinationPort: REPORT_PORT };
  return stage.peers.cpe.ask('packet', { hex: hexOf({ ...ends, flags, sequence, acknowledgement, payload: '' }) });
};

/** Sets of direct connections that hold the CPE's port. */
async function exempted(cpe: string, port: number): Promise<string[]> {
  const listed = await stage.world.run('split', ['ipset', 'save']);
  return listed
    .split('\n')
    .filter((line) => line.startsWith('add ACSPLIT-DIRECT') && line.includes(`${cpe},tcp:${port},`));
}

test.each([
  ['an undiverted session', PLAIN, 'itms'],
  ['a diverted session', WOKEN, 'c1'],
] as const)('%s', async (_what, cpe, server) => {
  if (server === 'c1') await stage.wake('c1', cpe);
  const session = await stage.connect(cpe);
  expect(session.server).toBe(server);
  await talk(session);
  const { port } = session.cpe;
  for (let round = 0; round < ROUNDS; round++) {
    for (const address of [ADDRESSES.itms, ADDRESSES.collector]) {
      await forge(cpe, port, address, TcpFlag.Syn, SEQUENCE + round);
      await forge(cpe, port, address, TcpFlag.Ack, SEQUENCE + round + 1, SEQUENCE);
      await forge(cpe, port, address, TcpFlag.Ack | TcpFlag.Psh, SEQUENCE + round + 1, SEQUENCE + 99);
    }
    await talk(session);
  }
  expect(await exempted(cpe, port)).toEqual([]);
});

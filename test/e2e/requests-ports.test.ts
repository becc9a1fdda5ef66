/**
 * `requestPorts` and `requestAddresses` on real kernels: a server's connection to a port of the list is a Connection
 * Request, from whichever of its addresses; one to any other port passes as without us, engine alive or not.
 */
import { writeFileSync } from 'node:fs';
import { cli, configurationText } from '../../src/lab/engine';
import { expand } from './support/direct';
import { ADDRESSES, ANY_ADDRESS, FAMILY, street } from './support/family';
import { hangUp, talk } from './support/tcp-end';
import { answerText, GET, REFUSING_PORT, REQUEST_PORT, SERVER_ADDRESSES, TcpStage } from './support/tcp-stage';
import type { ServerName } from './support/tcp-stage';

/** In the list. */
const LISTED_PORTS = [7170, REFUSING_PORT];
const cpes = street(3, 12);
let used = 0;
const fresh = (): string => cpes[used++] as string;

const options = { twoRequestAddresses: true, requestPorts: LISTED_PORTS };
let stage: TcpStage;
beforeAll(async () => {
  stage = await TcpStage.open({ cpes, ...options });
  for (const port of LISTED_PORTS) await stage.peers.cpe.ask('listen', { address: ANY_ADDRESS, port });
});
afterAll(() => stage?.close());

/** The second collector's address is the first one's other one here. */
const SERVERS: [what: string, server: ServerName][] = [
  ['the ITMS', 'itms'],
  ['the collector’s address', 'c1'],
  ['its further address', 'c2'],
];

/** The line of the router's conntrack about a connection to a CPE's port. */
async function tracked(server: ServerName, cpe: string, port: number): Promise<string | undefined> {
  const table = await stage.world.run('split', ['cat', '/proc/net/nf_conntrack']);
  const ends = `src=${expand(SERVER_ADDRESSES[server])} dst=${expand(cpe)}`;
  return table.split('\n').find((line) => line.includes(ends) && line.includes(` dport=${port} `));
}

const received = async (): Promise<number> => (await stage.status()).packets.received;

test.each(SERVERS)('%s opens a port that is not in the list: nobody asks us', async (_what, server) => {
  const cpe = fresh();
  const before = await received();
  const connection = await stage.reach(server, cpe);
  expect(connection.from).toBe(SERVER_ADDRESSES[server]);
  await stage.ask(connection, 200);
  expect(await tracked(server, cpe, REQUEST_PORT)).toContain('[ASSURED]');
  await stage.whileHeld(() => talk(connection));
  await hangUp(connection, 'far');
  expect(await received()).toBe(before);
  expect(await stage.entries('requests', cpe)).toEqual([]);
  expect(await stage.session(cpe)).toBe('itms');
});

test.each(SERVERS.flatMap(([what, server]) => LISTED_PORTS.map((port) => [what, port, server] as const)))(
  '%s opens port %d of the list: a Connection Request',
  async (_what, toPort, server) => {
    const cpe = fresh();
    const request = await stage.reach(server, cpe, { toPort });
    expect(request.from).toBe(ADDRESSES.acs);
    expect(await stage.entries('requests', cpe)).toHaveLength(1);
    expect(await tracked(server, cpe, toPort)).toBeUndefined();
    await request.far.sendTo(request.cpe, GET);
    await request.cpe.sendTo(request.far, answerText(200));
    await hangUp(request, 'far');
    expect(await stage.session(cpe)).toBe(server === 'itms' ? 'itms' : 'c1');
  },
);

test('rules check names what another list would change, and a rule of the list that is gone', async () => {
  const rules = async (...words: string[]): Promise<string> => {
    try {
      return await stage.world.run('split', cli(stage.world, 'rules', ...words, '-c', stage.engine.configurationFile));
    } catch (error) {
      return `refused: ${(error as { stdout?: string }).stdout ?? (error as Error).message}`;
    }
  };
  const configure = (requestPorts: number[]): void =>
    writeFileSync(
      stage.engine.configurationFile,
      configurationText(stage.world.directory, { ...options, family: FAMILY, requestPorts }),
    );
  expect(await rules('check')).toMatch(/^the rules are installed as configured/);
  configure([7170, 7171]);
  expect(await rules('check')).toMatch(
    /^refused: .*raw ACSPLIT-TO-CPE: found ".*7170,30005 .*", expected ".*7170,7171 /ms,
  );
  configure(LISTED_PORTS);
  expect(await rules('check')).toMatch(/^the rules are installed as configured/);
  const program = FAMILY === 'ipv6' ? 'ip6tables' : 'iptables';
  const saved = await stage.world.run('split', [program, '-S', 'ACSPLIT-TO-CPE', '-t', 'raw']);
  const line = saved
    .split('\n')
    .find((one) => one.includes(`--dports ${LISTED_PORTS.join()} `) && one.includes('SYN'))!;
  await stage.world.run('split', [program, '-w', '-t', 'raw', ...line.replace(/^-A/, '-D').split(' ')]);
  expect(await rules('check')).toMatch(
    /^refused: .*raw ACSPLIT-TO-CPE: missing ".*--dports 7170,30005 .*"; run: acsplit rules install -c \S+$/m,
  );
  await rules('install');
  expect(await rules('check')).toMatch(/^the rules are installed as configured/);
});

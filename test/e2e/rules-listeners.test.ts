/**
 * What a user of the router can swallow who listens there on a port from which servers send Connection Requests: the answers to
 * requests from that very port. Nothing on other ports, and nothing of sessions, though he listens on the report port too.
 * doctor names each such listener. SECURITY.md, "What a user of the router can do"
 */
import { ADDRESSES } from '../../src/lab/world';
import { RulesHost } from './support/rules-host';
import { PYTHON } from '../support/tools';

jest.setTimeout(120_000);

/** One for each server: from a port that is taken already, a request would leave by another. */
const [CPE, OTHER] = ['10.1.1.1', '10.1.1.2'];
const CPE_PORT = 7170;
/** Of the listeners, on every address and on the ACS address alone. */
const [ANY, OWN] = [40_000, 40_001];

/** For each source port: whether a Connection Request from there is answered. */
const REQUESTS = `
import socket, sys
for port in map(int, sys.argv[3:]):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((sys.argv[1], port))
    s.settimeout(4)
    try:
        s.connect((sys.argv[2], ${CPE_PORT}))
        print(port, 'answered')
    except OSError:
        print(port, 'swallowed')
    s.close()
`;

let host: RulesHost;
beforeAll(async () => {
  host = await RulesHost.create('nft', { cpes: [CPE, OTHER] });
  expect(host.rules('install')).toMatchObject({ status: 0 });
  await host.startEngine();
  await host.listen('cpe', '0.0.0.0', CPE_PORT);
  await host.listen('itms', ADDRESSES.itms, 7547);
  await host.listen('split', '0.0.0.0', ANY);
  await host.listen('split', ADDRESSES.acs, OWN);
  await host.listen('split', ADDRESSES.acs, 7547);
});
afterAll(async () => {
  await host?.stopEngine();
  await host?.close();
});

test.each([
  ['collector', ADDRESSES.collector, CPE],
  ['itms', ADDRESSES.itms, OTHER],
] as const)('the %s’s Connection Requests from those ports alone', async (role, address, cpe) => {
  const ports = [ANY - 1, ANY, OWN, OWN + 1].map(String);
  const said = await host.world.run(role, [PYTHON, '-c', REQUESTS, address, cpe, ...ports]);
  expect(said.trim().split('\n')).toEqual([
    `${ANY - 1} answered`,
    `${ANY} swallowed`,
    `${OWN} swallowed`,
    `${OWN + 1} answered`,
  ]);
});

test('sessions are the ITMS’s, whatever listens on the report port here', () =>
  host.talk('cpe', CPE, ADDRESSES.acs, 7547));

test('doctor names each of them', () => {
  const { stdout } = host.acsplit('doctor', '--json');
  const { findings } = JSON.parse(stdout) as { findings: { check: string; message: string }[] };
  const told = findings
    .filter(({ check }) => check === 'listeners')
    .map(({ message }) => /port (\d+)/.exec(message)?.[1]);
  expect(told.sort()).toEqual([ANY, OWN, 7547].map(String).sort());
});

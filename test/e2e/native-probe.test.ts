/**
 * The addon's questions to the network: who has an address, and which size reaches a host; two hosts and a router
 * between them, whose second link is narrower.
 */
import { join } from 'node:path';
import { ACS, CLIENT, ROUTER_MAC, SERVER, TestNetwork } from './support/netns';

const ADDON = join(__dirname, '../../build/Release/acsplit.node');

let network: TestNetwork;
beforeAll(() => {
  network = new TestNetwork();
  network.run('router', 'ip', 'link', 'set', 'itms0', 'mtu', '1400');
});
afterAll(() => network?.remove());

/** What one function of the addon answers on the client. */
function ask(call: string): unknown {
  const program = `const { askMacs, echo } = require(${JSON.stringify(ADDON)});
    let answer;
    try { answer = ${call}; } catch (error) { answer = error.name; }
    process.stdout.write(JSON.stringify(answer));`;
  return JSON.parse(network.run('client', process.execPath, '-e', program));
}

const questions = (...addresses: string[]) =>
  JSON.stringify(addresses.map((address) => ({ interface: 'eth0', address })));

test('ARP: the MAC of a neighbour, nobody for a free address or one of our own', () => {
  expect(ask(`askMacs(${questions(ACS, '10.1.0.99', CLIENT)}, 250)`)).toEqual([[ROUTER_MAC], [], []]);
  expect(
    ask(`askMacs([{ interface: 'none', address: '${ACS}' }, { interface: 'lo', address: '127.0.0.1' }], 10)`),
  ).toEqual([[], []]);
});

test('neighbour discovery: the same in IPv6', () => {
  network.run('router', 'ip', 'address', 'add', 'fd00:1::1/64', 'dev', 'cpe0', 'nodad');
  network.run('client', 'ip', 'address', 'add', 'fd00:1::2/64', 'dev', 'eth0', 'nodad');
  // As if the kernel knew better: it is not asked.
  network.run('client', 'ip', '-6', 'neighbour', 'add', 'fd00:1::1', 'lladdr', '02:00:00:00:00:99', 'dev', 'eth0');
  const known = () => network.run('client', 'ip', '-6', 'neighbour', 'show', 'fd00:1::1', 'dev', 'eth0');
  const before = known();
  expect(ask(`askMacs(${questions('fd00:1::1', 'fd00:1::99', 'fd00:1::2', ACS)}, 250)`)).toEqual([
    [ROUTER_MAC],
    [],
    [],
    [ROUTER_MAC],
  ]);
  expect(before).toMatch(/02:00:00:00:00:99 PERMANENT/);
  expect(known()).toBe(before);
});

test('echo: what fits is answered, and the router names its narrower link', () => {
  const sizes = [
    [SERVER, 1400],
    [SERVER, 1500],
    [ACS, 1500],
    [ACS, 1501],
    ['10.1.0.99', 100],
    ['::1', 1500],
  ].map(([address, bytes]) => ({ address, bytes }));
  const answers = ask(`echo(${JSON.stringify(sizes)}, 500)`) as { isAnswered: boolean; mtu: number }[];
  expect(answers.map(({ isAnswered }) => isAnswered)).toEqual([true, false, true, false, false, true]);
  expect([answers[1]!.mtu, answers[3]!.mtu, answers[4]!.mtu]).toEqual([1400, 1500, 0]);
});

test('wrong arguments', () => {
  for (const call of ['askMacs()', 'askMacs([1], 10)', 'askMacs([], -1)', "askMacs([{ address: 'x' }], 10)"]) {
    expect(ask(call)).toBe('TypeError');
  }
  for (const call of ['echo([], 1e9)', "echo([{ address: '::1' }], 10)", "echo([{ address: '::1', bytes: 1 }], 10)"]) {
    expect(ask(call)).toBe('TypeError');
  }
  expect(ask("echo([{ address: 'x', bytes: 100 }], 10)")).toBe('Error');
});

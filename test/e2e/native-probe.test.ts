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
  const program = `const { askArp, echo } = require(${JSON.stringify(ADDON)});
    let answer;
    try { answer = ${call}; } catch (error) { answer = error.name; }
    process.stdout.write(JSON.stringify(answer));`;
  return JSON.parse(network.run('client', process.execPath, '-e', program));
}

const questions = (...addresses: string[]) =>
  JSON.stringify(addresses.map((address) => ({ interface: 'eth0', address })));

test('ARP: the MAC of a neighbour, nobody for a free address or one of our own', () => {
  expect(ask(`askArp(${questions(ACS, '10.1.0.99', CLIENT)}, 250)`)).toEqual([[ROUTER_MAC], [], []]);
  expect(
    ask(`askArp([{ interface: 'none', address: '${ACS}' }, { interface: 'lo', address: '127.0.0.1' }], 10)`),
  ).toEqual([[], []]);
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
  for (const call of ['askArp()', 'askArp([1], 10)', 'askArp([], -1)', "askArp([{ address: 'x' }], 10)"]) {
    expect(ask(call)).toBe('TypeError');
  }
  for (const call of ['echo([], 1e9)', "echo([{ address: '::1' }], 10)", "echo([{ address: '::1', bytes: 1 }], 10)"]) {
    expect(ask(call)).toBe('TypeError');
  }
  expect(ask("echo([{ address: 'x', bytes: 100 }], 10)")).toBe('Error');
});

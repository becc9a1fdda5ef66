/**
 * The CPEs' interfaces as routers have them: a wildcard whose interfaces come and go while others carry sessions. This
 * kernel has no PPP devices, so veth pairs bear their names.
 */
import { RulesHost } from './support/rules-host';
import { ADDRESSES } from '../../src/lab/world';

jest.setTimeout(120_000);

const CPE = '10.1.1.1';
const COMING = 20;

let host: RulesHost;
beforeAll(async () => {
  host = await RulesHost.create('nft', { cpes: [CPE] });
  // The CPEs' wire gets a name that the wildcard covers.
  host.must(['sh', '-c', 'ip link set eth0 down && ip link set eth0 name ppp0 && ip link set ppp0 up']);
  host.configure(host.configurationText.replace('interface: eth0', 'interface: ppp+'));
  await host.listen('itms', ADDRESSES.itms, 7547);
});
afterAll(() => host?.close());

test(`a session goes on while ${COMING} interfaces of the wildcard come and go, and rules check stays content`, async () => {
  expect(host.rules('install')).toMatchObject({ status: 0, stderr: '' });
  await host.startEngine();
  const session = host.connect('cpe', CPE, ADDRESSES.acs, 7547);
  await session.until('connected');
  for (let number = 1; number <= COMING; number++) {
    host.must(['ip', 'link', 'add', `ppp${number}`, 'type', 'veth', 'peer', 'name', `far${number}`]);
    host.must(['ip', 'link', 'set', `ppp${number}`, 'up']);
    await session.echo(`with ${number}`);
    if (number % 2 === 0) host.must(['ip', 'link', 'delete', `ppp${number - 1}`]);
  }
  await host.talk('cpe', CPE, ADDRESSES.acs, 7547);
  expect(host.rules('check')).toMatchObject({ status: 0, stderr: '' });
  await session.stop();
  await host.stopEngine();
});

test('in and out apart: what comes in elsewhere is not steered', () => {
  host.configure(host.configurationText.replace('interface: ppp+', 'interface: { in: ppp20, out: ppp0 }'));
  expect(host.rules('install')).toMatchObject({ status: 0, stderr: '' });
  expect(host.rules('check')).toMatchObject({ status: 0, stderr: '' });
  const saved = host.savedRules();
  expect(saved).toMatch(/-A ACSPLIT-CPE -i ppp20 .*-g ACSPLIT-FROM-CPE/);
  expect(saved).not.toMatch(/-i ppp0 /);
  expect(saved).toMatch(/-A ACSPLIT-SERVERS -o ppp0 /);
  expect(saved).not.toMatch(/-o ppp20 /);
});

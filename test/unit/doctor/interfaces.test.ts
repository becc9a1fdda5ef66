/** doctor on routers with several interfaces towards the CPEs, and on a host without ip. */
import { CHECKS } from '../../../src/doctor/checks';
import { parseConfiguration } from '../../../src/configuration/configuration';
import { done, plantedHost, type Plants, refused } from './planted-host';
import { findings, link } from './planted-findings';

describe('several interfaces of the CPEs', () => {
  const wanted = (text: string) =>
    parseConfiguration(
      [
        `cpe: { interface: ${text}, address: 10.1.0.1, networks: [10.1.0.0/16] }`,
        'itms: { interface: eth1, address: 10.2.0.2 }',
        'collectors: [{ name: c1, interface: eth2, address: 10.3.0.2 }]',
        'reportPorts: [7547]',
      ].join('\n'),
      '/etc/acsplit/acsplit.yaml',
    );
  const find = (name: string, text: string, plants: Plants) =>
    CHECKS.find((check) => check.name === name)!.find(plantedHost(plants), wanted(text));
  const host = (interfaces: object[], holder = 'eth0') => ({
    programs: {
      'ip -j': done(JSON.stringify(interfaces)),
      'ip -j address': done(JSON.stringify([{ ifname: holder, addr_info: [{ local: '10.1.0.1' }] }])),
    },
  });
  const vmac = link('vrrp.51', { link: 'eth0', linkinfo: { info_kind: 'macvlan' } });

  test('a virtual MAC that the configuration does not name is a failure with the remedy', async () => {
    expect(await find('acs-address', 'eth0', host([link('eth0'), vmac], 'vrrp.51'))).toMatchObject([
      {
        level: 'failure',
        message: expect.stringContaining('configure cpe.interface: { in: vrrp.51, out: eth0 }') as string,
        mend: 'editor /etc/acsplit/acsplit.yaml',
      },
    ]);
  });

  test.each([
    ['named for packets in', '{ in: vrrp.51, out: eth0 }', 'vrrp.51'],
    ['with another address than the ACS address', 'eth0', 'eth0'],
    ['taken in by a wildcard', '[eth0, vrrp+]', 'vrrp.51'],
    ['on an interface that is not ours', 'eth7', 'vrrp.51'],
  ])('a virtual MAC %s is fine', async (_, text, holder) => {
    expect(await find('acs-address', text, host([link('eth0'), vmac], holder))).toMatchObject([{ level: 'ok' }]);
  });

  test('a wildcard: none of its interfaces is a warning, one is enough', async () => {
    const servers = [link('eth1'), link('eth2')];
    expect(await find('interfaces', 'ppp+', host(servers))).toMatchObject([
      { level: 'warning', message: 'no interface is called ppp+ now: rules and engine wait for the first one' },
    ]);
    expect(await find('interfaces', 'ppp+', host([...servers, link('ppp7')]))).toMatchObject([
      { level: 'ok', message: 'eth1, eth2, ppp7 exist and are up' },
    ]);
  });

  const routed = (cpeOut: string) => ({
    programs: {
      'ip -j link': done(JSON.stringify([link('ppp0'), link('ppp1'), link('eth1'), link('eth2')])),
      'ip -j -4 route get 10.2.0.2': done('[{"dev":"eth1"}]'),
      'ip -j -4 route get 10.3.0.2': done('[{"dev":"eth2"}]'),
      'ip -j -4 route get 10.1.128.2': done(`[{"dev":"${cpeOut}"}]`),
      'ip -j -4 route show': done('[]'),
    },
  });

  test('CPEs may be routed through any of their interfaces, and through no other', async () => {
    expect(await find('routes', '[eth0, ppp+]', routed('ppp1'))).toMatchObject([{ level: 'ok' }]);
    expect(await find('routes', '[eth0, ppp+]', routed('eth9'))).toMatchObject([
      { level: 'failure', message: expect.stringContaining('leave through eth9, expected eth0') as string },
    ]);
    expect(await find('routes', '{ in: eth9, out: ppp0 }', routed('eth9'))).toMatchObject([
      { level: 'failure', message: expect.stringContaining('leave through eth9, expected ppp0') as string },
    ]);
  });
});

test('a host without ip: one line, what to install', async () => {
  const error = Object.assign(new Error('spawn ip ENOENT'), { code: 'ENOENT' });
  const plants = { programs: { ip: { ...refused('', 0), error } } };
  await expect(findings('interfaces', plants)).rejects.toThrow(/^doctor: ip cannot be run .*apt-get install iproute2$/);
});

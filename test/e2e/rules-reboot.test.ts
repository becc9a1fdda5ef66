/**
 * Rules that somebody has saved and restored: after a reboot the sets are gone, and iptables-restore refuses what names them,
 * with the host's own rules in the same file. doctor finds such a file; without our lines it is as good as before.
 */
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { RulesHost } from './support/rules-host';

jest.setTimeout(120_000);

const HOST_RULES = `*filter
:INPUT DROP [0:0]
:ACSPLITTER - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACSPLITTER
-A ACSPLITTER -s 10.1.0.0/16 -j ACCEPT
COMMIT
*nat
-A POSTROUTING -o eth3 -j MASQUERADE
COMMIT
`;

let host: RulesHost;
let own: string;
let installed: string;
let file: string;
beforeAll(async () => {
  host = await RulesHost.create('nft', { cpes: ['10.1.1.1'], outside: true });
  host.restore(HOST_RULES);
  own = host.state();
  expect(host.rules('install')).toMatchObject({ status: 0 });
  installed = host.state();
  file = join(host.world.directory, 'rules.v4');
});
afterAll(() => host?.close());

/** What is left of rules and sets by a reboot. */
function reboot(): void {
  const tables = ['filter', 'nat', 'mangle', 'raw'];
  const flush = tables.map((table) => `iptables -t ${table} -F; iptables -t ${table} -X`).join('; ');
  host.must(['sh', '-c', `${flush}; iptables -P INPUT ACCEPT; ipset destroy`]);
}

test('saved with ours, they are refused at boot, all of them', () => {
  writeFileSync(file, host.must(['iptables-save']));
  reboot();
  const { status, stderr } = host.run(['iptables-restore', file]);
  expect([status === 0, stderr]).toEqual([false, expect.stringContaining('ACSPLIT-')]);
  expect(host.state()).not.toContain('--dport 22');
});

test('without our lines, as doctor has them deleted, they are the host’s; then ours are installed as ever', () => {
  host.must(['sed', '-i', '/ACSPLIT[-@]/d', file]);
  host.must(['iptables-restore', file]);
  expect(host.state()).toBe(own);
  expect(host.rules('install')).toMatchObject({ status: 0 });
  expect(host.state()).toBe(installed);
});

test('an old save over running rules: the check names what is stale, and install mends it', () => {
  const stale = host
    .must(['iptables-save'])
    .replace(/--dports 7547/g, '--dports 9090')
    .replace(/^-A ACSPLIT-TO-CPE -s 10\.2\.0\.2.*NFQUEUE.*\n/m, '');
  host.must(['iptables-restore'], stale);
  const { status, stdout } = host.rules('check');
  expect(status).toBe(1);
  expect(stdout).toMatch(/missing "-s 10\.2\.0\.2\/32 -i eth1 -j NFQUEUE --queue-num 1"/);
  expect(stdout).toMatch(/found ".*9090.*", expected ".*7547/);
  expect(host.rules('install')).toMatchObject({ status: 0 });
  expect(host.state()).toBe(installed);
  expect(host.rules('check')).toMatchObject({ status: 0 });
});

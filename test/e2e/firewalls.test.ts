/**
 * Beside ufw, firewalld and Docker, over both families: their rules as the real ones made them (test/e2e/firewalls,
 * recorded on Debian 12 with each one's defaults), once they were there before ours. With ACSPLIT_FIREWALLS=real the
 * programs themselves run, where they are installed: started after us, and told to reload.
 */
import { type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADDRESSES } from '../../src/lab/world';
import { DoctorHost } from './support/doctor-host';
import { until } from './support/rules-host';

jest.setTimeout(300_000);

const RECORDED = join(__dirname, 'firewalls');
const PROGRAM = join(__dirname, 'support/real-firewall.sh');
const FIREWALLS = ['ufw', 'docker', 'firewalld-iptables', 'firewalld-nftables'] as const;
type Firewall = (typeof FIREWALLS)[number];

/** What doctor finds beside it, our rules being first: firewalld's own chains reject what no zone forwards. */
const FOUND: Record<Firewall, string[]> = {
  ufw: [],
  docker: [],
  'firewalld-iptables': [],
  'firewalld-nftables': ['firewalls'],
};

let host: DoctorHost;
beforeAll(async () => {
  host = await DoctorHost.create({ ipv6: true });
});
afterAll(() => host?.close());

/** All rules of iptables, to come back to. */
const saved = (family: 4 | 6) => join(host.router.world.directory, `before.v${family}`);
const save = () => host.shell(`iptables-save > ${saved(4)}; ip6tables-save > ${saved(6)}`);
const bringBack = () =>
  host.shell(
    `nft delete table inet firewalld 2>/dev/null; iptables-restore ${saved(4)}; ip6tables-restore ${saved(6)}`,
  );

const session = () => host.router.talk('cpe', '10.1.1.1', ADDRESSES.acs, 7547);

describe.each(FIREWALLS)('beside %s, as recorded', (name) => {
  const files: [load: string, file: string][] =
    name === 'firewalld-nftables'
      ? [['nft -f', 'firewalld.nft']]
      : [
          ['iptables-restore', `${name}.v4`],
          ...(name === 'docker' ? [] : [['ip6tables-restore', `${name}.v6`] as [string, string]]),
        ];

  beforeAll(() => {
    save();
    host.acsplit('rules remove');
    for (const [load, file] of files) host.shell(`${load} ${join(RECORDED, file)}`);
    host.acsplit('rules install');
  });
  afterAll(() => void bringBack());

  test('doctor finds exactly the obstacles, and a session passes once they are removed', async () => {
    expect(host.router.rules('check')).toMatchObject({ status: 0 });
    const complaints = host.complaints();
    expect(complaints.map(({ check }) => check)).toEqual(FOUND[name]);
    for (const { mend } of complaints) host.shell(mend!);
    if (complaints.length > 0) expect(host.complaints()).toEqual([]);
    await session();
  });
});

if (process.env.ACSPLIT_FIREWALLS === 'real') {
  /** firewalld flushes every table of iptables, including those of others, whenever it starts or reloads. */
  const flushed = (name: Firewall) => (name.startsWith('firewalld') ? ['rules'] : []);

  describe.each(FIREWALLS)('beside the real %s', (name) => {
    let firewall: ChildProcess;
    let said = '';
    const hears = (word: string) =>
      until(() => {
        if (firewall.exitCode !== null) throw new Error(said);
        return new RegExp(`^${word}$`, 'm').test(said);
      }, `${name} to be ${word}`);

    beforeAll(async () => {
      save();
      const scratch = join(host.router.world.directory, name);
      firewall = host.router.world.start('split', ['unshare', '-m', 'sh', PROGRAM, name, scratch]);
      for (const stream of [firewall.stdout!, firewall.stderr!]) {
        stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
      }
      await hears('up');
    });
    afterAll(async () => {
      firewall.stdin!.end();
      await until(() => firewall.exitCode !== null, 'its end');
      bringBack();
    });

    test.each(['started after us', 'reloaded'])('%s', async (when) => {
      if (when === 'reloaded') {
        firewall.stdin!.write('reload\n');
        await hears('reloaded');
      }
      const complaints = host.complaints();
      expect(complaints.map(({ check }) => check)).toEqual([...flushed(name), ...FOUND[name]]);
      for (const { mend } of complaints) host.shell(mend!);
      expect(host.complaints()).toEqual([]);
      await session();
    });

    test('its rules are those that were recorded', () => {
      if (name === 'firewalld-nftables') return;
      const chains = (text: string) =>
        [...new Set([...text.matchAll(/^:((?!ACSPLIT)\S+)/gm)].map(([, c]) => c))].sort();
      const recorded = readFileSync(join(RECORDED, `${name}.v4`), 'utf8');
      expect(chains(host.shell('iptables-save'))).toEqual(expect.arrayContaining(chains(recorded)));
    });
  });
}

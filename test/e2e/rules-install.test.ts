/** `acsplit rules install | remove` on a host with rules of its own, with both back ends of iptables. */

import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BACK_ENDS, RulesHost, systemProgram } from './support/rules-host';

jest.setTimeout(180_000);

/** As hosts have them: policies, chains of their own, marks, a clamp, NAT, and rules with quotes in them. */
const HOST_RULES = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:management - [0:0]
:ACSPLITTER - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -m comment --comment "ssh, also \\"from outside\\" -j DROP" -j management
-A management -s 10.1.0.0/16 -j ACCEPT
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -j ACSPLITTER
-A ACSPLITTER -p icmp -j ACCEPT
COMMIT
*nat
-A POSTROUTING -o eth3 -j MASQUERADE
COMMIT
*mangle
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A PREROUTING -i eth3 -j MARK --set-xmark 0x7/0xffffffff
COMMIT
`;

describe.each(BACK_ENDS)('with iptables-%s', (backEnd) => {
  let host: RulesHost;
  let before = '';
  let configuration: string;

  // A test that leaves other rules behind than it found must not fail the next one.
  beforeEach(async () => {
    if (host?.state() !== before) {
      await host?.close();
      host = await RulesHost.create(backEnd, { cpes: ['10.1.1.1'], outside: true });
      host.restore(HOST_RULES);
      before = host.state();
      configuration = host.configurationText;
    }
    host.configure(configuration);
  });
  afterAll(() => host?.close());

  const installed = expect.stringMatching(/^installed: \d+ IPv4 rules and [56] sets\n$/) as string;
  const removed = expect.stringMatching(/^(removed: (\d+ IPv4 rules and )?\d sets|nothing to remove)\n$/) as string;
  const didInstall = { status: 0, stdout: installed, stderr: '' };
  const didRemove = { status: 0, stdout: removed, stderr: '' };

  it('installed twice, then removed: the host’s rules are as before', () => {
    expect(host.rulesProgram('install')).toMatchObject(didInstall);
    const once = host.state();
    expect(once).not.toBe(before);
    expect(host.rulesProgram('check')).toMatchObject({ status: 0, stderr: '' });

    expect(host.rulesProgram('install')).toMatchObject(didInstall);
    expect(host.state()).toBe(once);

    expect(host.rulesProgram('remove')).toMatchObject(didRemove);
    expect(host.state()).toBe(before);
    expect(host.rulesProgram('remove')).toMatchObject(didRemove);
    expect(host.state()).toBe(before);
  });

  it('while installed, the host’s own rules stay as they were, in their order', () => {
    expect(host.rules('install')).toMatchObject(didInstall);
    const withoutOurs = host
      .state()
      .split('\n')
      .filter((line) => !line.includes('ACSPLIT-'))
      .join('\n');
    expect(withoutOurs.replace(/^\*raw\n(:.*\n)*COMMIT\n/m, '')).toBe(before);
  });

  it('a changed configuration replaces the old rules, and removing needs no configuration', () => {
    expect(host.rules('install')).toMatchObject(didInstall);
    host.configure(host.configurationText.replace('[7547]', '[7547, 9090]').replace('eth2', 'eth1'));
    expect(host.rules('check').status).toBe(1);
    expect(host.rules('install')).toMatchObject(didInstall);
    expect(host.rules('check')).toMatchObject({ status: 0 });
    expect(host.savedRules()).not.toContain('-i eth2');

    host.configure('this is: [no configuration');
    expect(host.rules('install')).toMatchObject({ status: 2 });
    expect(host.rules('remove')).toMatchObject(didRemove);
    expect(host.state()).toBe(before);
  });

  it('what `show` prints is what `install` installs', () => {
    const shown = host.rules('show');
    // The sets that they name, by the commands that the comments among them give.
    for (const [, command] of shown.stdout.matchAll(/^# +(ipset .*)$/gm)) host.must(command.split(' '));
    host.restore(shown.stdout);
    expect(host.rules('check')).toMatchObject({ status: 0 });
    const restored = host.savedRules();
    expect(host.rules('remove')).toMatchObject(didRemove);
    expect(host.rules('install')).toMatchObject(didInstall);
    expect(host.savedRules()).toBe(restored);
  });

  it('`itms` and `hold` replace each other, and leave nothing of each other', () => {
    const hold = host.configurationText.replace('onEngineDown: itms', 'onEngineDown: hold');
    const itms = host.configurationText;
    host.configure(hold);
    expect(host.rules('install')).toMatchObject(didInstall);
    const held = host.state();
    expect(held).not.toMatch(/ACSPLIT-ALIVE|--to-(source|destination)/);
    host.configure(itms);
    expect(host.rules('check')).toMatchObject({ status: 1, stdout: expect.stringContaining('set ACSPLIT-ALIVE4') });
    expect(host.rules('install')).toMatchObject(didInstall);
    expect(host.rules('check')).toMatchObject({ status: 0 });
    host.configure(hold);
    expect(host.rules('check')).toMatchObject({ status: 1, stdout: expect.stringContaining('set ACSPLIT-ALIVE4') });
    expect(host.rules('install')).toMatchObject(didInstall);
    expect(host.rules('check')).toMatchObject({ status: 0 });
    expect(host.state()).toBe(held);
  });

  it('a set of ours that a foreign rule uses stays, and is reported', () => {
    expect(host.rules('install')).toMatchObject(didInstall);
    host.iptables('-A ACSPLITTER -m set --match-set ACSPLIT-ALIVE4 src -j RETURN');
    const { status, stderr } = host.rules('remove');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^acsplit: set ACSPLIT-ALIVE4 stays: [^\n]+\n$/)]);
    host.iptables('-D ACSPLITTER -m set --match-set ACSPLIT-ALIVE4 src -j RETURN');
    expect(host.rules('remove')).toMatchObject(didRemove);
    expect(host.state()).toBe(before);
  });

  it('removes the instance that the file names, and without one never another by mistake', () => {
    const first = host.configurationText;
    const north = first
      .replace('10.1.0.1', '10.1.0.9')
      .replace('10.2.0.2', '10.2.0.9')
      .replace('10.3.0.2', '10.3.0.9')
      .replace(/^queue: \{/m, 'name: north\nqueue: { first: 4,');
    expect(host.rules('install')).toMatchObject(didInstall);
    const one = host.state();
    host.configure(north);
    expect(host.rules('install').stdout).toMatch(/^installed: .* of instance north\n$/);
    const both = host.state();

    // A broken file, or none: whose rules?
    for (const text of ['this is: [no configuration', `${north}reportPort: [1]\n`]) {
      host.configure(text);
      const { status, stderr } = host.rules('remove');
      expect([status, stderr]).toEqual([
        2,
        expect.stringMatching(/; rules of default, north are installed: choose with --instance NAME\n$/),
      ]);
    }
    expect(host.state()).toBe(both);
    expect(host.rules('remove', '--instance', 'north').stdout).toMatch(/^removed: .* of instance north\n$/);
    expect(host.state()).toBe(one);
    host.configure(north);
    expect(host.rules('install')).toMatchObject({ status: 0 });

    // What the check prints mends this instance, not the other.
    host.must(['iptables', '-t', 'mangle', '-F', 'ACSPLIT@north:TO-CPE']);
    expect(host.rules('check').stdout).toContain(`; run: acsplit rules install -c ${host.configuration}\n`);

    expect(host.rules('remove').stdout).toMatch(/^removed: .* of instance north\n$/);
    expect(host.state()).toBe(one);
    expect(host.rules('remove').stdout).toBe(
      'nothing to remove of instance north; rules of default are installed: choose with --instance NAME\n',
    );
    host.configure('this is: [no configuration');
    expect(host.rules('remove')).toMatchObject(didRemove);
    expect(host.state()).toBe(before);
  });

  describe('a failed installation is refused in one line, and leaves nothing behind', () => {
    /** A directory in which one of iptables' programs is replaced by a script. */
    const replaced = (program: string, script: string): string => {
      const directory = mkdtempSync(join(host.world.directory, 'replaced-'));
      writeFileSync(join(directory, program), `#!/bin/sh\n${script}\n`);
      chmodSync(join(directory, program), 0o755);
      return directory;
    };
    const install = (path: string[] = [], wrapper: string[] = []) =>
      host.run(
        [
          ...wrapper,
          process.execPath,
          join(host.world.programs, '..', 'cli', 'main.js'),
          'rules',
          'install',
          '-c',
          host.configuration,
        ],
        '',
        path,
      );

    const refusal = (outcome: { status: number | null; stdout: string; stderr: string }): string => {
      expect(outcome).toMatchObject({ status: 1, stdout: '', stderr: expect.stringMatching(/^acsplit: [^\n]+\n$/) });
      return outcome.stderr;
    };

    it.each([
      ['in the first table', '/^\\*filter/,/^COMMIT/'],
      ['in the last', '/^\\*mangle/,/^COMMIT/'],
    ])('a match that the kernel does not have, %s', (_where, range) => {
      // A real refusal of this kernel: the ipvs match stands in for a missing socket match.
      const real = systemProgram(`iptables-${backEnd}-restore`);
      const directory = replaced(
        'iptables-restore',
        `sed '${range} s/-m socket --nowildcard/-m ipvs --ipvs/' | ${real} "$@"`,
      );
      expect(refusal(install([directory]))).toContain('this kernel lacks what "ipvs" rules need');
      expect(host.state()).toBe(before);
    });

    it('a failure over rules of an older configuration leaves those', () => {
      expect(host.rules('install')).toMatchObject(didInstall);
      const installed = host.savedRules();
      host.configure(host.configurationText.replace('[7547]', '[9090]'));
      const real = systemProgram(`iptables-${backEnd}-restore`);
      const directory = replaced(
        'iptables-restore',
        `sed 's/NFQUEUE --queue-num 1/IDLETIMER --timeout 0 --label x/' | ${real} "$@"`,
      );
      refusal(install([directory]));
      expect(host.savedRules()).toBe(installed);
    });

    it('an interface that does not exist', () => {
      host.configure(host.configurationText.replace('eth2', 'eth7'));
      expect(refusal(host.rules('install'))).toContain('interface eth7 does not exist here (there are: eth0');
      expect(host.state()).toBe(before);
    });

    it('without rights', () => {
      const drop = ['setpriv', '--bounding-set', '-net_admin,-net_raw', '--inh-caps', '-net_admin,-net_raw'];
      expect(refusal(install([], drop))).toMatch(/permission denied; the rules need root/i);
      expect(host.state()).toBe(before);
    });

    it('without iptables', () => {
      const directory = replaced('iptables-restore', 'exit 0');
      const nowhere = [
        'unshare',
        '--mount',
        'sh',
        '-c',
        'for d in /usr/sbin /sbin; do mount -t tmpfs none $d; done; exec env PATH="$0" "$@"',
        directory,
      ];
      expect(refusal(install([], nowhere))).toContain('iptables-save is not installed or not in PATH');
    });

    it('--family 6 where no IPv6 is configured', () => {
      expect(refusal(host.rules('show', '--family', '6'))).toContain('no IPv6 address is configured');
      expect(host.state()).toBe(before);
    });
  });
});

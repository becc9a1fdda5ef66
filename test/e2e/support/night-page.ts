/** The night page of docs/operations.md, walked with a fault planted for each step. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DoctorHost } from './doctor-host';
import { until } from './rules-host';

export function walkNightPage(host: () => DoctorHost): void {
  describe('the night page of docs/operations.md leads to the fault', () => {
    const page = readFileSync(join(__dirname, '../../../docs/operations.md'), 'utf8');
    const section = page.split('\n### CPEs vanish from the ITMS\n')[1]!.split('\n### ')[0]!;
    const commands = [...section.matchAll(/`((?:acsplit|tcpdump) [^`]+)`/g)].map(([, command]) => command!);
    const step = (beginning: string) => {
      const command = commands.find((one) => one.startsWith(beginning))!;
      return command.startsWith('acsplit') ? `${command} -c ${host().router.configuration}` : command;
    };
    /** As `acsplit doctor --quiet` prints it: the checks with a finding, and the commands. */
    function look(): { checks: string[]; mends: string[] } {
      const { stdout } = host().router.run(['sh', '-c', step('acsplit doctor --quiet')]);
      const lines = stdout.split('\n').filter((line) => /^(failure|warning) /.test(line));
      const mends = lines.flatMap((line) => /; fix it: (.*)$/.exec(line)?.[1] ?? []);
      return { checks: lines.map((line) => line.split(/ +/)[1]!), mends };
    }
    /** Twenty CPEs' sessions, and what one interface of the router sees of them. */
    async function watch(device: 'eth0' | 'eth1'): Promise<string> {
      const command = step(`tcpdump -c 20 -nni ${device}`);
      const child = host().router.world.start('split', ['sh', '-c', `timeout 20 ${command} -l`]);
      let seen = '';
      let said = '';
      child.stdout!.on('data', (chunk: Buffer) => (seen += chunk.toString()));
      child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
      await until(() => said.includes('listening on'), 'tcpdump');
      const dial = `for (let i = 0; i < 20; i++) require('net').connect({ host: '10.1.0.1', port: 7547, localAddress: '10.1.1.1' }).on('error', () => {}); setTimeout(() => process.exit(), 1500)`;
      await host().router.world.run('cpe', [process.execPath, '-e', dial]);
      await until(() => child.exitCode !== null, 'its end');
      return seen;
    }

    test('the ITMS refuses: step 1 says that it is not this router', () => {
      host().at('itms', 'iptables-nft -A INPUT -p tcp --dport 7547 -j REJECT --reject-with tcp-reset');
      expect(look()).toEqual({ checks: ['servers'], mends: [] });
      host().at('itms', 'iptables-nft -F INPUT');
      expect(look().checks).toEqual([]);
    });

    test('this router’s rules are gone, and it does not forward: step 1 mends one after the other', () => {
      host().shell('sysctl -qw net.ipv4.ip_forward=0 && iptables -t mangle -F ACSPLIT-FROM-CPE');
      for (let round = 0; round < 3; round++) for (const mend of look().mends) host().shell(mend);
      expect(look().checks).toEqual([]);
    });

    test('a set of another program drops CPEs: step 1 shows its rule, and how to delete it', () => {
      host().shell(
        'ipset create others hash:net && ipset add others 10.1.1.0/24 && iptables -t raw -I PREROUTING -m set --match-set others src -j DROP',
      );
      const { checks, mends } = look();
      expect(checks).toEqual(['foreign-rules']);
      for (const mend of mends) host().shell(mend);
      host().shell('ipset destroy others');
      expect(look().checks).toEqual([]);
    });

    test('somebody has paused it: step 1 says so, and how to resume', () => {
      host().acsplit('pause');
      const { checks, mends } = look();
      expect(checks).toEqual(['engine']);
      for (const mend of mends) host().shell(mend);
      expect(look().checks).toEqual([]);
    });

    test('the ITMS’s firewall drops CPEs, and answers this router: step 3 shows SYNs on both sides and no answer', async () => {
      host().at('itms', 'iptables-nft -A INPUT -s 10.1.1.0/24 -j DROP');
      expect(look().checks).toEqual([]);
      expect(host().shell(step('acsplit status'))).toMatch(/: ready/);
      for (const device of ['eth0', 'eth1'] as const) {
        const seen = await watch(device);
        expect(seen).toMatch(/ 10\.1\.1\.1\.\d+ > \S+: Flags \[S\]/);
        expect(seen).not.toMatch(/Flags \[S\.\]/);
      }
      host().at('itms', 'iptables-nft -F INPUT');
      expect(await watch('eth1')).toMatch(/Flags \[S\.\]/);
    });
  });
}

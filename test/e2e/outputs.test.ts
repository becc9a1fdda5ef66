/**
 * What every command that prints data prints, as text and as JSON, on a router with one CPE's session diverted: the whole
 * of it stands in outputs.golden, with N for every number that another run may change. UPDATE_GOLDENS=1 writes it anew.
 *
 * `trace` (operations.test.ts, trace-packets.test.ts), `status --watch` (watch.test.ts) and `lab` (story-lab.test.ts)
 * print as things happen, and stand there.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADDRESSES } from '../../src/cli/lab/world';
import { DoctorHost } from './support/doctor-host';

jest.setTimeout(180_000);

const GOLDEN = join(__dirname, 'outputs.golden');
const CAPTURE = join(__dirname, '../fixtures/two-connections-are-one-session.pcap');
const CPE = '10.1.1.1';

/** In this order. */
const COMMANDS = [
  `acsplit activate ${CPE} --collector c1`,
  'acsplit tables activated',
  'acsplit tables activated --json',
  'acsplit deactivate 10.1.1.2',
  'SESSION',
  'acsplit tables connections',
  'acsplit tables connections --json',
  'acsplit tables requests',
  'acsplit tables requests --json',
  'acsplit pause',
  'acsplit status',
  'acsplit status --json',
  'acsplit resume',
  'acsplit rules check',
  'acsplit rules check --json',
  'iptables -t mangle -I PREROUTING -i eth0 -p tcp -j ACCEPT; acsplit rules check',
  'acsplit rules check --json',
  'acsplit doctor',
  'acsplit doctor --json',
  'acsplit replay session.pcap',
  'acsplit replay session.pcap --json',
  'acsplit replay session.pcap --transcript - | head -n 3',
];

/** Numbers of this run, its paths, the width of columns and the order of counts, which hang on them. */
function lasting(text: string, directory: string): string {
  return text
    .replaceAll(directory, 'DIRECTORY')
    .replaceAll(/(?<=":|\d\.\d+:)\d+\b/g, 'N')
    .replaceAll(/(?<![\w.:/-])\d+(\.\d+)?(?=s\b|\b(?![.:/]\d|\w))/g, 'N')
    .replaceAll(/(?<=\S) {2,}/g, '  ')
    .replaceAll(
      /^( *N  [a-z-]+\n)+|^([a-z-]+  N\n)+/gm,
      (counts) => `${counts.trimEnd().split('\n').sort().join('\n')}\n`,
    );
}

test('all outputs are as in outputs.golden', async () => {
  const host = await DoctorHost.create();
  try {
    host.edit('activation: off', 'activation: auto');
    host.keepConfiguration();
    await host.router.stopEngine();
    await host.router.startEngine();
    const { directory } = host.router.world;
    copyFileSync(CAPTURE, join(directory, 'session.pcap'));
    await host.router.listen('collector', ADDRESSES.collector, 7547);
    const printed: string[] = [];
    for (const command of COMMANDS) {
      if (command === 'SESSION') {
        await host.router.talk('cpe', CPE, ADDRESSES.acs, 7547);
        continue;
      }
      // A check that finds something exits with 1.
      const text = host.shell(`cd ${directory} && { ${command}; echo "exit:$?"; }`);
      printed.push(`$ ${command}\n${lasting(text, directory)}`);
    }
    const all = printed.join('\n');
    if (process.env.UPDATE_GOLDENS === '1') writeFileSync(GOLDEN, all);
    expect(all).toBe(readFileSync(GOLDEN, 'utf8'));
  } finally {
    await host.close();
  }
});

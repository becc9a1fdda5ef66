/**
 * A newcomer's way along README's table, in its order, with README's configuration: from a router without rules to a
 * session diverted by the collector's Connection Request, and back; and the output of every command that prints data,
 * as text and as JSON. All of it is in outputs.golden, with N for every number that may vary. UPDATE_GOLDENS=1 rewrites
 * it.
 *
 * `trace` (operations.test.ts, trace-packets.test.ts), `status --watch` (watch.test.ts) and `lab` (story-lab.test.ts)
 * print as things happen, and are tested there.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADDRESSES, type Role } from '../../src/lab/world';
import { DoctorHost } from './support/doctor-host';
import { until } from './support/rules-host';

jest.setTimeout(600_000);

const GOLDEN = join(__dirname, 'outputs.golden');
const CAPTURE = join(__dirname, '../fixtures/two-connections-are-one-session.pcap');
const README = readFileSync(join(__dirname, '../../README.md'), 'utf8');
const CPE = '10.1.1.1';
const WAKE_PORT = 30005;

/** Typed in this order; `cpe$` and `collector$` on another host than the router. */
const COMMANDS = [
  'acsplit config check',
  'acsplit rules show | head -n 3',
  'acsplit rules install',
  'acsplit run',
  'acsplit status',
  'acsplit rules check',
  'acsplit rules check --json',
  'acsplit doctor',
  `cpe$ curl -s --interface ${CPE} http://${ADDRESSES.acs}:7547/`,
  `collector$ curl -s http://${CPE}:${WAKE_PORT}/`,
  'acsplit tables activated',
  'acsplit tables activated --json',
  `cpe$ curl -s --interface ${CPE} http://${ADDRESSES.acs}:7547/`,
  'acsplit tables connections',
  'acsplit tables connections --json',
  // ttl.unfinished, in which a session may continue after an answer with a body, is over.
  `cpe$ sleep 2.2 && curl -s --interface ${CPE} http://${ADDRESSES.acs}:7547/`,
  'acsplit tables requests',
  'acsplit tables requests --json',
  'acsplit activate 10.1.1.1 --collector c1',
  'acsplit deactivate 10.1.1.1',
  'acsplit pause',
  'acsplit status',
  'acsplit status --json',
  'acsplit resume',
  'acsplit history',
  'acsplit history --kind operator --json',
  'acsplit replay capture.pcap',
  'acsplit replay capture.pcap --json',
  'acsplit replay capture.pcap -o rewritten.pcap --transcript - | head -n 3',
  'iptables -t mangle -I PREROUTING -i eth0 -p tcp -j ACCEPT',
  'acsplit rules check',
  'acsplit rules check --json',
  'acsplit doctor --json',
  'acsplit rules remove',
];

/** Numbers of this run, its paths, the width of columns and the order of counts, which hang on them. */
function lasting(text: string, directory: string): string {
  return (
    text
      .replaceAll(directory, 'DIRECTORY')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:]{8}Z/g, 'TIME')
      // Whether the engine of before was gone for so long.
      .replaceAll(/^TIME  fallback-ended  cause=engine .*\n/gm, '')
      .replaceAll(/(?<=login=|"login": ")[^\s"]+/g, 'LOGIN')
      // `1m 6s` on a slow machine.
      .replaceAll(/\b\d+m (?=\d+s\b)/g, '')
      .replaceAll(/(?<=":|\d\.\d+:)\d+\b/g, 'N')
      .replaceAll(/(?<![\w.:/-])\d+(\.\d+)?(?=s\b|\b(?![.:/]\d|\w))/g, 'N')
      .replaceAll(/(?<=\S) {2,}/g, '  ')
      .replaceAll(
        /^( *N  [a-z-]+\n)+|^([a-z-]+  N\n)+/gm,
        (counts) => `${counts.trimEnd().split('\n').sort().join('\n')}\n`,
      )
  );
}

/** A server that answers HTTP with its own name. */
async function answer(host: DoctorHost, role: Role, port: number): Promise<void> {
  const { world } = host.router;
  const program = `require('http').createServer((_, r) => r.end('the ${role} answers\\n')).listen(${port})`;
  world.start(role, [process.execPath, '-e', program]);
  const isThere = () => host.shell(`${on(host, role)} ss -Hltn sport = :${port}`) !== '';
  await until(() => isThere(), `the ${role}`);
}

function on(host: DoctorHost, role: string): string {
  return `ip netns exec ${host.router.world.namespace(role as Role)}`;
}

test('the table of README is what a newcomer types, in its order', () => {
  const table = README.split('| step ')[1]?.split('\n\n')[0] ?? '';
  const inReadme = [...table.matchAll(/`(acsplit [^`]+)`/g)].map(([, command]) => command);
  const typed = COMMANDS.map((command) => command.replace(/ \| head.*/, ''));
  const elsewhere = inReadme.filter((command) => /^acsplit (trace|status --watch)/.test(command));
  const firstTyped = typed.filter((command, i) => inReadme.includes(command) && typed.indexOf(command) === i);
  expect(firstTyped).toEqual(inReadme.filter((command) => !elsewhere.includes(command)));
});

test('all outputs are as in outputs.golden', async () => {
  const host = await DoctorHost.create({ hasServers: false });
  try {
    const { directory } = host.router.world;
    await host.router.stopEngine();
    host.acsplit('rules remove');
    const yaml = /```yaml\n(.*?)```/s.exec(README)![1];
    host.router.configure(
      `${yaml}stateDirectory: ${host.stateDirectory}\ntables: { capacity: 65536 }\nttl: { unfinished: 2 }\nfastPath: off\nhistory: { directory: ${directory}/history }\n`,
    );
    host.keepConfiguration();
    copyFileSync(CAPTURE, join(directory, 'capture.pcap'));
    await Promise.all([answer(host, 'itms', 7547), answer(host, 'collector', 7547), answer(host, 'cpe', WAKE_PORT)]);
    const printed: string[] = [];
    for (const command of COMMANDS) {
      if (command === 'acsplit run') {
        host.start(command);
        await host.untilHealthy();
        continue;
      }
      const [, role, words] = /^(?:(\w+)\$ )?(.*)$/.exec(command)!;
      const line = role === undefined ? words : `${on(host, role)} sh -c '${words}'`;
      // A check that finds something exits with 1.
      const text = host.shell(`cd ${directory} && { ${line}; echo "exit:$?"; }`);
      printed.push(`${role ?? 'router'}$ ${words}\n${lasting(text, directory)}`);
    }
    const all = printed.join('\n');
    if (process.env.UPDATE_GOLDENS === '1') writeFileSync(GOLDEN, all);
    expect(all).toBe(readFileSync(GOLDEN, 'utf8'));
  } finally {
    await host.close();
  }
});

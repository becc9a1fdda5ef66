/**
 * Every example of `--help` and every command in README and docs/ is typed into a shell of a router, as printed.
 * Commands that are not are listed by name, with the test that runs them or the reason why none does.
 */

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandsInPrint } from '../support/commands-in-print';
import { DoctorHost } from './support/doctor-host';
import { eventually } from './support/run-host';

jest.setTimeout(180_000);

const ROOT = join(__dirname, '..', '..');
const CAPTURE = join(ROOT, 'test/fixtures/two-connections-are-one-session');

/** In this order on one router, whose configuration is at the default path. The expected standard output. */
const TYPED: [line: string, prints: RegExp][] = [
  ['acsplit --version', /^\d+\.\d+\.\d+$/m],
  ['acsplit config check', /^\S+ is valid: 1 collector$/m],
  ['acsplit config check -c new.yaml', /^new.yaml is valid: 1 collector$/m],
  ['acsplit config init > new.yaml', /^$/],
  ['acsplit config schema', /"title": "acsplit.yaml"/],
  ['acsplit rules show', /^\*filter$/m],
  ['acsplit rules show --family 6', /^\*filter$/m],
  ['acsplit rules show --family 6 | ip6tables-restore --noflush --test', /^$/],
  ['acsplit rules remove', /^removed: \d+ IPv4 and IPv6 rules and \d+ sets$/m],
  ['acsplit rules install', /^installed: \d+ IPv4 and IPv6 rules and \d+ sets$/m],
  ['acsplit rules check', /^the rules are installed as configured/],
  ['acsplit rules check --json | jq length', /^0$/m],
  ['acsplit rules check > /dev/null || acsplit rules install', /^$/],
  ['acsplit doctor', /\n0 failures, 0 warnings\n$/],
  ['acsplit doctor --quiet', /^0 failures, 0 warnings\n$/],
  [`acsplit doctor --json | jq -r '.findings[].mend // empty'`, /^$/],
  ['acsplit config show', /^ {2}established: 7500$/m],
  ['acsplit status', /^acsplit \d.*: ready/],
  ['acsplit status --json | jq .packets.byReason', /^\{\}$/m],
  ['acsplit status --json', /"ready": ?true/],
  ['acsplit status --json > status.json', /^$/],
  ['acsplit activate 10.1.0.5 --collector c1', /./],
  ['acsplit tables activated --cpe 10.1.0.5', /^10\.1\.0\.5 +c1 +armed/m],
  ['acsplit tables requests', /^CPE /],
  ['acsplit tables activated', /^10\.1\.0\.5 +c1 +armed/m],
  ['acsplit deactivate 10.1.0.5', /./],
  ['acsplit activate - --collector c1 < cpes.txt', /^the next session of 10\.1\.0\.5 goes to c1$/m],
  ['acsplit deactivate - < cpes.txt', /^the next session of 10\.1\.0\.6 goes to the ITMS$/m],
  ['acsplit tables connections', /^CPE /],
  ['acsplit tables connections --cpe 10.1.0.5', /^CPE /],
  ['acsplit tables connections --collector c1 --sort idle', /^CPE /],
  ['acsplit pause', /./],
  ['acsplit resume', /./],
  ['acsplit replay day.pcap --transcript -', /diverted/],
  ['acsplit replay cpe.pcapng --activation fin --transcript -', /diverted/],
  ['acsplit replay day.pcap --expect day.transcript', /packets in/],
  ['acsplit replay cpe.pcap itms.pcap col.pcap -o out.pcapng', /packets in/],
  ['acsplit replay capture.pcap -o rewritten.pcap --transcript -', /diverted/],
];

/** Commands that stay: what must be printed while they run, and what makes it so. */
const STAYING: [line: string, prints: RegExp, meanwhile: string][] = [
  ['acsplit status --watch', /\n.*\d.*\n/, 'true'],
  ['acsplit trace', /10\.1\.0\.5/, 'acsplit activate 10.1.0.5 --collector c1 && acsplit deactivate 10.1.0.5'],
  [
    'acsplit trace --collector c1',
    /10\.1\.0\.5/,
    'acsplit activate 10.1.0.5 --collector c1 && acsplit deactivate 10.1.0.5',
  ],
  [
    'acsplit trace --cpe 10.1.0.5',
    /10\.1\.0\.5/,
    'acsplit activate 10.1.0.5 --collector c1 && acsplit deactivate 10.1.0.5',
  ],
];
const ENGINE = ['acsplit run', 'acsplit run -c /etc/acsplit/acsplit.yaml'];

/** Run by another test, whose text holds the second word. */
const ELSEWHERE: Record<string, [file: string, holds: string]> = {
  'acsplit pause --instance north': ['test/e2e/brake.test.ts', "['pause'"],
  'acsplit rules remove --instance north': ['test/e2e/rules-install.test.ts', "'--instance', 'north'"],
  'acsplit history --cpe 10.1.0.5': ['test/e2e/history.test.ts', "'history', '--json', '--cpe'"],
  'acsplit history --kind operator --since 1d': ['test/e2e/who-and-what.test.ts', "'history', '--json', '--kind'"],
  'acsplit history --since 2h --json': ['test/e2e/history.test.ts', "'--since', '2h'"],
  'acsplit lab': ['test/e2e/story-lab.test.ts', 'lab()'],
  'acsplit lab --two-routers': ['test/e2e/lab-routers.test.ts', "'--two-routers'"],
  'acsplit lab --stay': ['test/e2e/story-lab.test.ts', "lab('--stay')"],
  'acsplit status --watch --json': ['test/e2e/watch.test.ts', "['status', '-w', '--json'"],
  'acsplit trace --cpe 10.1.0.5 --write cpe.pcapng': ['test/e2e/trace-packets.test.ts', "'--cpe', ONE, '--write'"],
  'acsplit trace --write evidence.pcapng': ['test/e2e/trace-packets.test.ts', "'--write'"],
  'npm run test:native': ['scripts/test.mjs', 'scripts/native-sanitize.sh'],
};

/** Run by no test. */
const NOT_TYPED: Record<string, string> = {
  'npm start': 'set-up of a machine that is set up already, then `acsplit lab`',
  'npm test': 'is what runs this',
  '[ "$(($(cut -d. -f1 /proc/uptime) - $(cut -d. -f1 /run/acsplit/alive)))" -lt 3 ]':
    'a health check of a router whose stateDirectory is /run/acsplit; that of the tests is another',
  'npm ci --ignore-scripts': 'set-up of a machine that is set up already',
  'npm run test:unit': 'is a part of what runs this',
  'npm run test:unit -- unit/replay': 'is a part of what runs this',
  'npm run test:watch': 'never ends',
  'npm run check': 'npm test makes the same checks',
  'npm run lint:fix': 'changes the checkout',
  'npm run prove carried': 'takes half an hour; `npm test` runs some of its paths, transfer-carried',
  'npm run prove carried-kills': 'takes minutes; `npm test` runs its smallest instance, kills-carried',
  'npm run prove direct': 'takes minutes; `npm test` runs one instance, rules-direct',
  'npm run prove untouched': 'takes minutes; `npm test` runs its smallest instance',
  'npm run prove keepalived': 'takes minutes; `npm test` runs its smallest instance',
  'npm run prove joining': 'takes minutes; a third router joins in cluster.test.ts',
  'npm run prove routers': 'takes an hour; `npm test` plays each switch once, routers.test.ts',
  'npm run prove habits': 'takes minutes; `npm test` runs its smallest instance',
  'npm run prove request-habits': 'writes a page; `npm test` runs its tests',
  'npm run prove faults': 'takes minutes; `npm test` runs its smallest instance',
  'npm run prove doctor': 'takes minutes; `npm test` runs its tests',
  'npm run prove servers': 'takes minutes; `npm test` runs its tests',
  'npm run prove flood': 'takes minutes; `npm test` runs its smallest instance',
  'npm run prove page': 'takes minutes; `npm test` runs its smallest instance',
  'npm run prove history': 'takes minutes; `npm test` runs its smallest instance',
  'npm run prove forgers': 'takes minutes; `npm test` runs its smallest instance',
  'npm run prove boots': 'takes minutes; `npm test` runs its smallest instance',
  'npm run prove hostile-cpe': 'takes minutes; `npm test` runs its smallest instance',
  'npm run prove mutants': 'takes 45 minutes',
  'npm run prove instances': 'takes minutes; `npm test` runs its smallest instance',
  'npm run prove upgrade': 'takes minutes, and the history of the repository',
  'npm run prove NAME': 'a synopsis',
  'npm run prove': 'test/prove/proofs.test.ts lists the proofs',
  'npm version --no-git-tag-version VERSION': 'changes the checkout',
  'npm pack': 'test/e2e/package.test.ts packs',
  'npm test -- PATH': 'a synopsis; is what runs this',
  'install -m 644 "$(npm root --global)"/acsplit/systemd/* /etc/systemd/system/':
    'test/e2e/systemd.test.ts looks at the units, package.test.ts at where they lie',
  'npm run deb': 'takes minutes, mostly to compress Node',
  'npm run deb -- arm64': 'takes minutes, and a cross compiler',
  'sh scripts/try-package.sh deb': 'takes debootstrap and a mirror',
  'sh scripts/try-systemd.sh': 'takes debootstrap, systemd-container and a mirror',
  'npm install --global ./acsplit-*.tgz': 'test/e2e/package.test.ts lays it out and builds it, asking no registry',
  'systemctl daemon-reload': 'no systemd runs here; ACSPLIT_SYSTEMD=real boots one',
  'systemctl enable --now acsplit acsplit-rules.timer': 'no systemd runs here; ACSPLIT_SYSTEMD=real boots one',
  'systemctl enable --now acsplit@north acsplit-rules@north.timer':
    'no systemd runs here; systemd.test.ts compares these units with those of the only instance',
  'systemctl reload acsplit': 'no systemd runs here; ACSPLIT_SYSTEMD=real boots one',
  'systemctl edit acsplit': 'no systemd runs here',
  'systemctl stop acsplit-rules.timer': 'no systemd runs here',
  'npm ci': 'the set-up has run it',
  "journalctl -u acsplit -o cat | jq -R 'fromjson? | .event'": 'no journald runs here',
  'journalctl -u acsplit-rules': 'no journald runs here',
  'groupadd --system acsplit': 'changes the host; systemd.test.ts gives the socket to a group that is there',
  'firewall-cmd --reload': 'no firewalld runs here; ACSPLIT_FIREWALLS=real runs one',
  'apt-get install clang-14 libclang-rt-14-dev': 'fuzzing by hand',
  'apt-get install debootstrap systemd-container': 'for ACSPLIT_SYSTEMD=real',
  'apt-get install ufw firewalld dbus docker.io': 'for ACSPLIT_FIREWALLS=real',
  'npm run sim -- --scale': 'takes minutes on an idle machine, and checks nothing',
  'npm run sim -- --load hourly': 'a part of the one above',
  'npm run sim -- --load polling': 'a part of the one above',
  'npm run sim -- --load storm': 'a part of the one above',
  'npm run sim -- --planted --write': 'takes minutes; test/deep/simulation.test.ts hunts most of these bugs',
  "ACSPLIT_FAMILY=6 npx jest --selectProjects e2e --testPathPatterns 'e2e/(story-(auto|fin|collectors)|requests|tcp|transfer|untouched)'":
    'these tests once more; `npm test` runs a part of them so',
  'acsplit tables requests --cpe ADDRESS': 'a synopsis',
  'acsplit tables connections --cpe ADDRESS': 'a synopsis',
  'acsplit trace --cpe ADDRESS': 'a synopsis',
  'acsplit trace --cpe': 'a synopsis',
  'npm run bench': 'takes minutes on an idle machine, and checks nothing',
  'npm run bench -- carried': 'a section of it',
  'npm run bench -- cluster': 'a section of it',
  'npm run soak': 'takes half an hour',
  'npm run soak -- --minutes 60 --fast-path --rest 20': 'takes an hour',
  "npx jest --selectProjects e2e --testPathPatterns 'e2e/(faults|state-damage|crash-worker)'":
    'these tests once more; `npm test` runs them',
  'npm run mutation': 'takes most of an hour',
  'npm run mutation -- --mutate src/tables/pin-cache.ts': 'takes minutes',
  'npm run test:nodes': 'runs these tests on other versions of Node',
  'npm run prove kills': 'takes ten minutes; `npm test` runs its smallest instance',
  'npm run prove kills -- --smallest': '`npm test` runs it',
  'npm run fixtures': 'test/scenarios/fixtures.test.ts makes them again and compares',
  'node dist/cli/main.js': 'what `acsplit` is in a checkout',
  'npm run prove replay-speed': 'a benchmark: needs an idle machine',
  'acsplit replay IN...': 'a synopsis',
  'acsplit rules': 'a synopsis',
  'npm install': 'a synopsis',
  'npm run fuzz -- --seconds 60': 'by hand, a minute; test/fuzz runs a bounded part of it each time',
  'mkdir -p build/fuzz/corpus': 'fuzzing by hand, needs clang',
  'clang++-14 -std=c++17 -O1 -g -fsanitize=fuzzer,address,undefined -fno-exceptions -o build/fuzz/message test/native/fuzz/message_fuzz.cc native/checksum.cc native/message.cc native/verdicts.cc -lmnl':
    'fuzzing by hand, needs clang',
  'build/fuzz/message -max_total_time=600 build/fuzz/corpus test/native/fuzz/corpus': 'fuzzing by hand, ten minutes',
};

/** Under "Without network": typed by scripts/try-package.sh, as they are printed, in a Debian of its own. */
const OFFLINE = [
  'dpkg -i acsplit*.deb',
  'cp /usr/share/doc/acsplit/examples/sysctl.conf /etc/sysctl.d/acsplit.conf',
  'npm install --global --prefix ./filled --cache ./npm-cache ./acsplit-*.tgz',
  'npm install --global --offline --cache ./npm-cache ./acsplit-*.tgz',
  'mkdir -p /etc/acsplit /etc/sysctl.d',
  'echo net.ipv4.ip_forward=1 > /etc/sysctl.d/acsplit.conf',
  'sysctl -p /etc/sysctl.d/acsplit.conf',
  'acsplit config init > /etc/acsplit/acsplit.yaml',
  'editor /etc/acsplit/acsplit.yaml',
  'acsplit run &',
  'dpkg --purge acsplit acsplit-node',
  'rm /etc/sysctl.d/acsplit.conf',
  'npm uninstall --global acsplit',
  'rm -r /etc/acsplit /run/acsplit* /etc/sysctl.d/acsplit.conf',
];

const printed = commandsInPrint();

describe('printed commands', () => {
  const known = new Set([
    ...[...TYPED, ...STAYING].map(([line]) => line),
    ...ENGINE,
    ...Object.keys(ELSEWHERE),
    ...Object.keys(NOT_TYPED),
    ...OFFLINE,
  ]);

  test('there is something in print', () => expect(printed.length).toBeGreaterThan(40));

  test('each command is typed by a test, or listed with a reason', () => {
    expect(printed.filter(({ line }) => !known.has(line))).toEqual([]);
  });

  test('every listed command is printed', () => {
    expect([...known].filter((line) => !printed.some((command) => command.line === line))).toEqual([]);
  });

  test.each(Object.entries(ELSEWHERE))('%s: run elsewhere', (_, [file, holds]) => {
    expect(readFileSync(join(ROOT, file), 'utf8')).toContain(holds);
  });
});

describe('commands work as printed', () => {
  let host: DoctorHost;

  beforeAll(async () => {
    host = await DoctorHost.create({ ipv6: true });
    await host.untilHealthy();
    for (const name of ['day.pcap', 'cpe.pcap', 'itms.pcap', 'col.pcap', 'capture.pcap', 'cpe.pcapng']) {
      copyFileSync(`${CAPTURE}.pcap`, join(host.router.world.directory, name));
    }
    copyFileSync(`${CAPTURE}.transcript`, join(host.router.world.directory, 'day.transcript'));
    copyFileSync(join(host.router.world.directory, 'acsplit.yaml'), join(host.router.world.directory, 'new.yaml'));
    writeFileSync(join(host.router.world.directory, 'cpes.txt'), '10.1.0.5\n10.1.0.6\n');
    host.keepConfiguration();
  });
  afterAll(() => host?.close());

  const type = (line: string) => host.shell(`cd ${host.router.world.directory} && ${line}`);

  test.each(TYPED)('%s', (line, prints) => {
    expect(type(line)).toMatch(prints);
  });

  test.each(STAYING)('%s', async (line, prints, meanwhile) => {
    const staying = host.start(line);
    let said = '';
    staying.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    // Retry until it is seen: the command does not tell when it has begun to watch.
    await eventually(line, () => {
      host.shell(meanwhile);
      return prints.test(said) || undefined;
    });
    await host.stopStarted();
  });

  test.each(ENGINE)('%s', async (line) => {
    await host.router.stopEngine();
    host.start(line);
    await host.untilHealthy();
    await host.stopStarted();
  });
});

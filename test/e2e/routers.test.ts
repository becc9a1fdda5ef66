/**
 * Two routers with real keepalived and redis-server, both families, under load: each switch once. What must hold in any case holds for
 * each; how long a switch interrupts is measured by `npm run prove routers`.
 */
import { type Finding } from '../../src/doctor/check';
import { cli } from '../../src/lab/engine';
import { bothOf } from '../../src/lab/routers/places';
import { type Router } from '../../src/lab/routers/router';
import { SWITCHES, untilMaster } from '../../src/lab/routers/switches';
import { FAST_PATH } from './support/fast-path';
import { Routers } from './support/routers';
import { HARD_TIMES } from './support/routers-stores';
import { eventually } from './support/run-host';

jest.setTimeout(120_000);

let routers: Routers;
beforeAll(async () => {
  routers = await Routers.open({ cluster: true, more: [`fastPath: ${FAST_PATH}`] });
});
afterAll(() => routers?.close());

const isOfAddress = ({ check }: Finding) => check === 'acs-address' || check === 'neighbours';

/** doctor's, whatever its exit status. */
async function findings(router: Router): Promise<Finding[]> {
  const words = cli(routers.world, 'doctor', '--json', '-c', router.configurationFile);
  const text = await router.shell(`${words.join(' ')} || true`);
  return (JSON.parse(text) as { findings: Finding[] }).findings;
}

test.each(SWITCHES)('%s', async (kind) => {
  const turn = await routers.turn(kind);
  expect(turn).toMatchObject({ twoServers: [], wrongCollector: [], ownBroken: [], divertedBroken: [] });
  expect(turn.probes).toBeGreaterThan(100);
});

/** Packets wait for no store: every probe of the load comes to its end, and nothing diverted breaks. */
test(HARD_TIMES.name, async () => {
  const { during, after } = await routers.suffer(HARD_TIMES);
  for (const turn of [during, after]) {
    expect(turn).toMatchObject({ twoServers: [], wrongCollector: [], ownBroken: [], divertedBroken: [] });
  }
  expect([during.probesFailed, during.probes > 100]).toEqual([0, true]);
});

test('pause, resume, activate and deactivate act on both routers, and with --here on one', async () => {
  const [a, b] = routers.routers as [Router, Router];
  const cpe = '10.1.200.1';
  const paused = async () => [(await a.status()).paused, (await b.status()).paused];
  const armed = (router: Router) => router.acsplit('tables', 'activated', '--cpe', cpe, '--json');
  expect(await a.acsplit('pause', '--here')).not.toContain('so did');
  expect(await paused()).toEqual([true, false]);
  await a.acsplit('resume', '--here');
  expect(await b.acsplit('pause')).toContain('so did a');
  expect(await paused()).toEqual([true, true]);
  expect(await a.acsplit('resume')).toContain('so did b');
  expect(await paused()).toEqual([false, false]);

  await a.acsplit('activate', cpe, '--collector', 'c1', '--here');
  await a.acsplit('activate', '10.1.200.2', '--collector', 'c1');
  await eventually('b to know of the other CPE', async () => {
    return (await b.acsplit('tables', 'activated', '--cpe', '10.1.200.2', '--json')).includes('c1') || undefined;
  });
  expect([JSON.parse(await armed(a)), JSON.parse(await armed(b))]).toEqual([[expect.anything()], []]);
  await b.acsplit('deactivate', '10.1.200.2');
  await eventually('a to know of its end', async () => {
    return !(await a.acsplit('tables', 'activated', '--cpe', '10.1.200.2', '--json')).includes('c1') || undefined;
  });
  await a.acsplit('deactivate', cpe, '--here');
});

test('doctor: one router has the address, and ARP of the other keeps quiet about it', async () => {
  const active = await untilMaster(routers.routers);
  const standby = routers.routers.find((router) => router !== active)!;
  await standby.shell('echo 1 > /proc/sys/net/ipv4/conf/all/arp_announce');
  const [own, other] = await Promise.all([active, standby].map(findings));
  const [acs4, acs6] = bothOf(({ acs }) => acs);
  const here = { level: 'ok', message: `${acs4} and ${acs6} are addresses of this host` };
  expect(own!.filter(isOfAddress)).toMatchObject([here, { level: 'ok' }]);
  const [found, ...more] = other!.filter(isOfAddress);
  expect(found).toMatchObject({ level: 'failure', mend: 'sysctl -w net.ipv4.conf.all.arp_announce=2' });
  expect(more).toMatchObject([{ level: 'ok' }]);
  await standby.shell(found!.mend!);
  const there = { level: 'ok', message: `${acs4} and ${acs6} are another router's now` };
  expect((await findings(standby)).filter(isOfAddress)).toMatchObject([there, { level: 'ok' }]);
});

test('both kernels carry, diverted connections too, where they are asked to', async () => {
  const carried = await Promise.all(
    routers.routers.map(async (router) => {
      const { carries, packets } = (await router.status()).fastPath;
      return [carries, (packets['carried-from-collector'] ?? 0) > 0 && (packets['carried-from-itms'] ?? 0) > 0];
    }),
  );
  const isCarried = FAST_PATH !== 'off';
  expect(carried).toEqual([
    [isCarried, isCarried],
    [isCarried, isCarried],
  ]);
});

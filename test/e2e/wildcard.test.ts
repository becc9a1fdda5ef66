/**
 * `cpe.interface: ppp+`: twenty interfaces by those names (veth: the kernel under test need not have PPP). Rules and engine are
 * there before any of them. Some come and go, again and again, under the load of the others: the others lose nothing, and
 * a CPE that comes back has its sessions at once. ACSPLIT_COMINGS says how often.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cast, settle, startCast } from '../../src/lab/cast';
import { type CpeSettings } from '../../src/lab/cpe';
import { cli, configurationText, Engine } from '../../src/lab/engine';
import { World } from '../../src/lab/world';
import { makeCpes } from './support/cpes';
import { Load, LOAD_CPES } from './support/load';
import { DIST } from './support/stage';

jest.setTimeout(300_000);

const COUNT = 20;
const COMINGS = Number(process.env.ACSPLIT_COMINGS ?? 4);
const CPES = makeCpes(COUNT, { informDelayMs: null });
const FLEETING = CPES.slice(LOAD_CPES.length);
/** On the CPEs' wire of the world, which these rules do not name. */
const ELSEWHERE = '10.1.250.1';

let world: World;
let cast: Cast;
let engine: Engine;

const shell = (role: 'cpe' | 'split', ...lines: string[]) => world.run(role, ['sh', '-e', '-c', lines.join('\n')]);
const nameOf = (cpe: CpeSettings) => `ppp${CPES.indexOf(cpe)}`;

async function come(cpe: CpeSettings): Promise<void> {
  const name = nameOf(cpe);
  const table = 100 + CPES.indexOf(cpe);
  await shell(
    'split',
    `ip link add ${name} type veth peer name far-${name} netns ${world.namespace('cpe')}`,
    `ip link set ${name} up`,
    `ip route add ${cpe.address}/32 dev ${name}`,
  );
  await shell('cpe', `ip link set far-${name} up`, `ip route add default dev far-${name} table ${table}`);
}

const go = (cpe: CpeSettings) => shell('split', `ip link delete ${nameOf(cpe)}`);

beforeAll(async () => {
  world = await World.create({ cpes: [ELSEWHERE], programs: join(DIST, 'lab') });
  const rules = CPES.map(({ address }, index) => `ip rule add from ${address} lookup ${100 + index}`);
  await shell('cpe', ...CPES.map(({ address }) => `ip address add ${address}/32 dev lo`), ...rules);
  await shell('cpe', 'for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > "$file"; done');
  const file = join(world.directory, 'acsplit.yaml');
  writeFileSync(file, configurationText(world.directory, {}).replace('interface: eth0', 'interface: ppp+'));
  expect(readFileSync(file, 'utf8')).toContain('ppp+');
  await world.run('split', cli(world, 'rules', 'install', '-c', file));
  engine = await Engine.run(world, file);
  cast = await startCast(world, CPES);
});
afterAll(() => world?.close());

/** One session of its own accord, one after it was woken; answers who saw them. */
async function sessions(cpe: CpeSettings): Promise<string[]> {
  const servers = [cast.itms, cast.collector];
  const before = servers.map((server) => server.informs.length);
  expect(await cast.cpes.inform(cpe)).toMatchObject({ ok: true });
  expect((await cast.collector.wake(cpe)).statuses.join()).toBe('401,200');
  expect(await cast.cpes.inform(cpe)).toMatchObject({ ok: true });
  await settle(cast);
  return servers.flatMap((server, index) =>
    server.informs
      .slice(before[index])
      .filter(({ peer }) => peer === cpe.address)
      .map(() => server.actor.name),
  );
}

test('interfaces that come and go under the load of others', async () => {
  for (const cpe of CPES) await come(cpe);
  const load = new Load(cast, { bulkBytes: 4 << 20 });
  try {
    for (let round = 0; round < COMINGS; round++) {
      for (const cpe of FLEETING) expect(await sessions(cpe)).toEqual(['ITMS', 'collection server']);
      await Promise.all(FLEETING.map(go));
      await Promise.all(FLEETING.map(come));
    }
    for (const cpe of FLEETING) expect(await sessions(cpe)).toEqual(['ITMS', 'collection server']);
  } finally {
    load.quit();
  }
  const { failures, wrong, itms, collector, transfers } = await load.end();
  // The fleeting ones' sessions are no part of the load's count.
  const told = failures.filter((text) => !/^\d+ sessions were for the \w+, which saw \d+$/.test(text));
  expect({ told, wrong }).toEqual({ told: [], wrong: [] });
  for (const count of [itms, collector, transfers]) expect(count).toBeGreaterThan(0);
  expect(engine.events('worker-died')).toEqual([]);
});

test('an interface goes with packets on their way: the engine and the others continue', async () => {
  const [cpe, other] = FLEETING as [CpeSettings, CpeSettings];
  const cut = cast.cpes.actor.ask('transfer', { cpe: cpe.address, bytes: 64 << 20, seed: 1 }).catch(() => 'cut');
  await new Promise((resolve) => setTimeout(resolve, 100));
  await go(cpe);
  expect(await sessions(other)).toEqual(['ITMS', 'collection server']);
  await come(cpe);
  expect(await sessions(cpe)).toEqual(['ITMS', 'collection server']);
  // Whatever became of the transfer: it is TCP, and may have survived.
  void cut;
});

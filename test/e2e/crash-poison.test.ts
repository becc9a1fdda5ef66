/**
 * A defect hit by every packet: each worker dies of the first packet, or hangs on it. CPEs are no worse off than
 * without an engine: the kernel's rules send new sessions to the ITMS, and the engine returns when it can.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine } from '../../src/lab/engine';
import { delayAfter } from '../../src/engine/supervisor/worker-keeper';
import { street } from './support/family';
import { eventually } from './support/run-host';
import { hangUp, talk } from './support/tcp-end';
import { TcpStage } from './support/tcp-stage';

jest.setTimeout(180_000);

const cpes = street(2, 20);
let used = 0;
const fresh = (): string => cpes[used++] as string;

let stage: TcpStage;
const directory = mkdtempSync(join(tmpdir(), 'acsplit-poison-'));
const poison = join(directory, 'poison');

beforeAll(async () => {
  stage = await TcpStage.open({ cpes, lossy: true });
  await stage.engine.stop();
  const preload = `NODE_OPTIONS=--require ${join(__dirname, 'support', 'poison.js')}`;
  const through = ['env', preload, `ACSPLIT_POISON=${poison}`];
  stage.engine = await Engine.run(stage.world, stage.engine.configurationFile, through);
});
afterAll(async () => {
  await stage?.close();
  rmSync(directory, { recursive: true });
});
afterEach(() => stage?.expectOneServerEach());

const deaths = () => stage.engine.events('worker-died');
const delays = () => deaths().map(({ delayMs }) => Number(delayMs));

/** The engine decides again: a woken CPE's session is the collector's. */
async function untilDiverting(): Promise<void> {
  const cpe = fresh();
  await eventually('the engine', async () => {
    const answer = await stage.control('activate', { cpe, collector: 'c1' }).catch(() => undefined);
    return answer !== undefined && (await stage.session(cpe)) === 'c1' ? true : undefined;
  });
}

test('a worker that dies of every packet is started ever more slowly, and CPEs reach the ITMS meanwhile', async () => {
  expect(await stage.session(fresh())).toBe('itms');
  writeFileSync(poison, 'throw');
  // Their SYNs are what kills it, again and again.
  for (const cpe of [fresh(), fresh(), fresh()]) {
    const connection = await stage.connect(cpe);
    expect(connection.server).toBe('itms');
    await talk(connection);
    await hangUp(connection);
  }
  expect(deaths().every(({ code }) => code !== null)).toBe(true);
  // The first died after good work; from then on each comes to nothing.
  expect(delays()).toEqual(delays().map((_, nth) => delayAfter(nth)));
  expect(Math.max(...delays())).toBeGreaterThanOrEqual(delayAfter(3));

  rmSync(poison);
  await untilDiverting();
  for (const event of ['fallback-began', 'fallback']) expect(stage.engine.events(event).length).toBeGreaterThan(0);
});

test('one that hangs upon a batch, and the next upon the same: each is noticed by the watchdog, at whatever point it hangs', async () => {
  const stuck = () => stage.engine.events('worker-stuck').map(({ msg }) => msg);
  writeFileSync(poison, 'hang');
  const connecting = stage.connect(fresh());
  await eventually('two workers that hang', () => stuck().length >= 2 || undefined);
  rmSync(poison);
  const connection = await connecting;
  expect(connection.server).toBe('itms');
  await hangUp(connection);
  expect(new Set(stuck())).toEqual(new Set(['the worker is killed: packets wait and it does nothing']));
});

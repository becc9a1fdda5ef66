/** A router that has lost power joins while the other one works: how long it takes, what memory, and whether all is right. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { pause } from '../../src/lab/engine';
import { storeAddress } from '../../src/lab/routers/places';
import { GROUP, type Router, USER } from '../../src/lab/routers/router';
import { untilMaster } from '../../src/lab/routers/switches';
import { median, range, table } from '../bench/numbers';
import { Routers } from '../e2e/support/routers';
import { ROOT } from './programs';
import type { Findings, Proof } from './proof';

const ROWS = Number(process.env.JOINING_ROWS ?? 100_000);
const TIMES = 3;
/** Ticks of /proc/PID/stat. proc(5) */
const TICK_SECONDS = 0.01;
const LOOK_MS = 50;
const PATIENCE_MS = 120_000;
const FILLER = ['-r', join(ROOT, 'scripts', 'typescript.js'), join(ROOT, 'test', 'e2e', 'support', 'fill-stores.ts')];

interface Joined {
  seconds: number;
  applied: number;
  /** Of worker and cluster process. */
  cpuSeconds: number;
  workerMb: number;
  clusterMb: number;
}

export const joining: Proof = {
  name: 'joining',
  shows:
    'a router that returns reads 100 000 rows of the other one, which is under load, and has each of them as it is',
  takes: '5 minutes, root, keepalived, redis-server',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'joining' },
  smallest: { tests: ['test/host/engine/cluster.test.ts'] },
  full: prove,
};

async function prove(say: (line: string) => void): Promise<Findings> {
  const stage = await Routers.open({ cluster: true });
  const failures: string[] = [];
  const all: Joined[] = [];
  try {
    await fill(stage.routers[0]!);
    say(`${ROWS} rows are in the stores`);
    for (let time = 0; time < TIMES; time++) {
      const active = await untilMaster(stage.routers);
      const other = stage.routers.find((router) => router !== active)!;
      const joined = await rejoin(other);
      all.push(joined);
      say(JSON.stringify(joined));
      failures.push(...(await differences(active, other)));
      other.startKeeper();
      await stage.untilJoined();
      // The other one has the addresses next time, with all that it was told.
      const turn = await stage.turn('planned');
      failures.push(...[turn.twoServers, turn.wrongCollector, turn.ownBroken, turn.divertedBroken].flat());
    }
  } finally {
    await stage.close();
  }
  const cells = (['seconds', 'cpuSeconds', 'clusterMb', 'workerMb'] as const).map((name) => {
    const some = all.map((joined) => joined[name]);
    return `${median(some).toFixed(1)} (${range(some)})`;
  });
  const text = [
    `Load of the machine at the end: ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores.`,
    '',
    table(
      [
        'rows',
        'times',
        'from its start until it has joined, s',
        'CPU of worker and cluster process, s',
        'cluster process, MB',
        'worker, MB',
        'wrong',
      ],
      [[`${ROWS}`, `${TIMES}`, ...cells, `${failures.length}`]],
    ),
  ].join('\n');
  return { failures, text };
}

/** From the first router's place: its stores are reachable there. */
async function fill(router: Router): Promise<void> {
  const passwordFile = join(router.directory, 'store.password');
  const stores = (['a', 'b'] as const).map((name) => ({ address: storeAddress(name), user: USER, passwordFile }));
  const settings = JSON.stringify({ group: GROUP, name: 'filler', stores });
  await router.world.run(router.name, [process.execPath, ...FILLER, settings, `${ROWS}`]);
}

async function rejoin(router: Router): Promise<Joined> {
  await router.losePower();
  await router.regainPower();
  await router.startStore();
  const startedMs = performance.now();
  await router.startEngine();
  for (;;) {
    const cluster = (await router.status()).cluster as unknown as { ready: boolean; applied: number; pid: number };
    const seconds = (performance.now() - startedMs) / 1000;
    if (cluster.ready && cluster.applied >= ROWS) {
      const workers = childrenOf(router.pid('engine')).filter((pid) => pid !== cluster.pid);
      const cpuSeconds = [...workers, cluster.pid].reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
      const workerMb = Math.max(...workers.map(mostMbOf));
      return { seconds, applied: cluster.applied, cpuSeconds, clusterMb: mostMbOf(cluster.pid), workerMb };
    }
    if (seconds * 1000 > PATIENCE_MS) throw new Error(`not joined: ${JSON.stringify(cluster)}`);
    await pause(LOOK_MS);
  }
}

/** Between what two routers have of the connections that stand. */
async function differences(one: Router, other: Router): Promise<string[]> {
  const [ours, theirs] = await Promise.all([one, other].map(standing));
  const missing = [...ours!].filter((entry) => !theirs!.has(entry)).map((entry) => `${other.name} lacks ${entry}`);
  const few = ours!.size < ROWS ? [`${one.name} has ${ours!.size} of ${ROWS}`] : [];
  return [...few, ...missing.slice(0, 10), ...(missing.length > 10 ? [`and ${missing.length - 10} more`] : [])];
}

/** Those of the filler, which nobody changes. */
async function standing(router: Router): Promise<Set<string>> {
  const found = new Set<string>();
  for (const name of ['requests', 'connections']) {
    const rows = JSON.parse(await router.acsplit('tables', name, '--json', '--limit', `${4 * ROWS}`)) as {
      [cell: string]: unknown;
    }[];
    for (const row of rows) {
      const { cpe, cpePort, port, owner, phase } = row;
      if (Number(/^10\.1\.(\d+)\./.exec(String(cpe))?.[1] ?? 0) >= 128)
        found.add(`${name} ${JSON.stringify({ cpe, cpePort, port, owner, phase })}`);
    }
  }
  return found;
}

function mostMbOf(pid: number): number {
  return Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1000;
}

function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_SECONDS;
}

function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  return children.filter((text) => text !== '').map(Number);
}

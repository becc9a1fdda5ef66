/**
 * Two instances on one router, each with an ACS address, an ITMS, a collector, queues and CPEs of its own, both under
 * load. One of them is reloaded, killed, and removed; what does the other notice? Knows no test framework:
 * test/e2e/instances.test.ts takes seconds, `npm run prove instances` a minute.
 */
import { writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Cast, settle, startCast } from '../../../src/lab/cast';
import { cli, configurationText, Engine, pause } from '../../../src/lab/engine';
import { isAlive } from '../../../src/lab/namespaces';
import { type Places, World } from '../../../src/lab/world';
import { askEngine, controlSocketPath } from '../../../src/engine/control/ask';
import { type Status } from '../../../src/engine/report/status';
import { type BackEnd, linkBackEnd } from './back-end';
import { ADDRESSES, FAMILY } from './family';
import { Load, loadCpes, type LoadOptions, type Outcome } from './load';
import { DIST } from './stage';
import { FAST_PATH } from './fast-path';

export const INSTANCES = ['default', 'north'] as const;
export type InstanceName = (typeof INSTANCES)[number];

export interface InstancesOptions {
  backEnd: BackEnd;
  /** Of load, for each thing that is done to the other instance. */
  seconds: number;
  /** Of both instances; by default as much as the machine can do. */
  load?: Pick<LoadOptions, 'bulkBytes' | 'restMs'>;
}

/** What an instance noticed while something was done to the other. */
export interface Noticed {
  /** To the other one. */
  done: (typeof ACTS)[number];
  by: InstanceName;
  outcome: Outcome;
  /** Packets that it lost, by any cause. */
  packetsLost: number;
  restarts: number;
  /** Its log events, except those of its start. */
  events: string[];
}

const ACTS = ['reloaded', 'killed', 'removed'] as const;
/** Entries of the dead-man's set live 3 s, and a supervisor continues for 1.5 s. */
const TAKEOVER_MS = 5000;
const DIES_WITHIN_MS = 10_000;

/** By family: the second instance's addresses, beside those of the world. */
const NORTH: Partial<Places> =
  FAMILY === 'ipv6'
    ? { acs: '2001:db8:1::fe', itms: '2001:db8:2::3', collector: ADDRESSES.secondCollector }
    : { acs: '10.1.0.254', itms: '10.2.0.3', collector: ADDRESSES.secondCollector };

/** For each pair: what was done to one instance, and its effects on the other. */
export async function measureInstances(
  { backEnd, seconds, load = {} }: InstancesOptions,
  say: (line: string) => void = () => undefined,
): Promise<Noticed[]> {
  const cpes = loadCpes(2);
  const world = await World.create({
    cpes: cpes.map(({ address }) => address),
    family: FAMILY,
    programs: join(DIST, 'lab'),
  });
  try {
    await addAddresses(world);
    linkBackEnd(join(world.directory, 'back-end'), backEnd);
    const [first, north] = [cpes.slice(0, cpes.length / 2), cpes.slice(cpes.length / 2)];
    const view = Object.create(world, { places: { value: { ...world.places, ...NORTH } } }) as World;
    const instances = [
      new Instance(world, 'default', 0, await startCast(world, first), { cpes: first, ...load }),
      new Instance(view, 'north', 4, await startCast(view, north), { cpes: north, ...load }),
    ] as const;
    for (const instance of instances) await instance.begin();
    const all: Noticed[] = [];
    for (const [victim, witness] of [instances, [...instances].reverse() as [Instance, Instance]]) {
      for (const done of ACTS) {
        all.push(await witness.during(done, seconds, () => victim.suffer(done, seconds)));
        say(`${victim.name} ${done}: ${describe(all.at(-1)!)}`);
      }
    }
    return all;
  } finally {
    await world.close();
  }
}

export function describe({ by, outcome, packetsLost, events }: Noticed): string {
  const { itms, collector, transfers, failures, wrong } = outcome;
  const bad = [...failures, ...wrong, ...events, ...(packetsLost > 0 ? [`${packetsLost} packets lost`] : [])];
  const noticed = bad.length === 0 ? 'noticed nothing' : `noticed: ${bad.join('; ')}`;
  return `${by} had ${itms + collector} sessions and ${transfers} transfers, and ${noticed}`;
}

async function addAddresses(world: World): Promise<void> {
  const [wide, narrow] = FAMILY === 'ipv6' ? [64, 64] : [16, 24];
  const add = (role: 'split' | 'itms', address: string, bits: number, device: string) =>
    world.run(role, [
      'ip',
      'address',
      'add',
      `${address}/${bits}`,
      'dev',
      device,
      ...(FAMILY === 'ipv6' ? ['nodad'] : []),
    ]);
  await add('split', NORTH.acs!, wide, 'eth0');
  await add('itms', NORTH.itms!, narrow, 'eth0');
}

class Instance {
  private readonly file: string;
  private engine: Engine | undefined;

  constructor(
    private readonly world: World,
    readonly name: InstanceName,
    first: number,
    private readonly cast: Cast,
    private readonly load: LoadOptions,
  ) {
    this.file = join(world.directory, `${name}.yaml`);
    const { itms, acs, collector } = world.places;
    const text = configurationText(world.directory, { family: FAMILY, fastPath: FAST_PATH })
      .replace(ADDRESSES.acs, acs)
      .replace(ADDRESSES.itms, itms)
      .replace(ADDRESSES.collector, collector)
      .replace('queue: {', `queue: { first: ${first},`)
      .replace(/^stateDirectory: .*$/m, `stateDirectory: ${join(world.directory, name)}`);
    writeFileSync(this.file, `${text}name: ${name}\nmetrics: { listen: "127.0.0.1:${9547 + first}" }\n`);
  }

  private get through(): string[] {
    const path = [join(this.world.directory, 'back-end'), process.env.PATH ?? ''].join(delimiter);
    return ['env', `PATH=${path}`];
  }

  private acsplit(...words: string[]): Promise<string> {
    return this.world.run('split', [...this.through, ...cli(this.world, ...words)]);
  }

  private async status(): Promise<Status> {
    return (await askEngine(controlSocketPath(join(this.world.directory, this.name)), { command: 'status' })) as Status;
  }

  async begin(): Promise<void> {
    await this.acsplit('rules', 'install', '-c', this.file);
    this.engine = await Engine.run(this.world, this.file, this.through);
  }

  /** Under its own load, while `happen` runs. */
  async during(done: Noticed['done'], seconds: number, happen: () => Promise<void>): Promise<Noticed> {
    const before = await this.status();
    const logged = this.log().length;
    const load = new Load(this.cast, this.load);
    try {
      await Promise.all([happen(), pause(seconds * 1000)]);
    } finally {
      load.quit();
    }
    const outcome = await load.end();
    const after = await this.status();
    return {
      ...{ done, by: this.name, outcome, packetsLost: lost(after) - lost(before) },
      restarts: after.workers[0]!.restarts - before.workers[0]!.restarts,
      events: this.log().slice(logged),
    };
  }

  private log(): string[] {
    const names = [
      'fallback',
      'switch',
      'lost',
      'stalled',
      'worker-died',
      'worker-stuck',
      'reload',
      'registry',
      'heartbeat',
    ];
    return names.flatMap((name) => this.engine!.events(name).map(({ msg }) => `${name}: ${String(msg)}`));
  }

  /** Suffers a fault, under its own continuous load, and recovers afterwards. */
  async suffer(done: Noticed['done'], seconds: number): Promise<void> {
    const load = new Load(this.cast, { ...this.load, endures: true });
    try {
      await pause(500);
      if (done === 'reloaded') await this.reload(seconds);
      if (done === 'killed') await this.kill();
      if (done === 'removed') await this.remove();
      await pause(500);
    } finally {
      load.quit();
    }
    // What the load lost is no concern here.
    await load.end();
    await settle(this.cast);
  }

  private async reload(seconds: number): Promise<void> {
    for (let round = 0; round < 2 * seconds; round++) {
      process.kill(this.engine!.pid, 'SIGHUP');
      await pause(250);
    }
  }

  private async kill(): Promise<void> {
    const { pid, workers } = await this.status();
    const pids = [pid, ...workers.map((worker) => worker.pid)];
    for (const one of pids) process.kill(one, 'SIGKILL');
    for (const deadline = Date.now() + DIES_WITHIN_MS; pids.some((one) => isAlive(one)); await pause(10)) {
      if (Date.now() > deadline) throw new Error('killed, and still alive');
    }
    await pause(TAKEOVER_MS);
    this.engine = await Engine.run(this.world, this.file, this.through);
  }

  private async remove(): Promise<void> {
    await this.acsplit('rules', 'remove', '--instance', this.name);
    await this.engine!.stop();
    await pause(1000);
    await this.begin();
  }
}

function lost({ losses }: Status): number {
  return Object.values(losses).reduce((sum, count) => sum + count, 0);
}

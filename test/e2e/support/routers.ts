/**
 * Two or three routers under load, and what each switch between them cost. Knows no test framework: test/e2e/routers.test.ts
 * plays each switch once, `npm run prove routers` a hundred times.
 */
import { join } from 'node:path';
import { Actor } from '../../../src/lab/actor';
import { pause } from '../../../src/lab/engine';
import { type Happening } from '../../../src/lab/lines';
import { bothOf } from '../../../src/lab/routers/places';
import { Router, type RouterOptions } from '../../../src/lab/routers/router';
import { begin, mend, type Switch, untilMaster } from '../../../src/lab/routers/switches';
import { RouterWorld } from '../../../src/lab/routers/world';
import { REPORT_PORT } from '../../../src/lab/world';
import { type StoreFault } from './routers-stores';
import { eventually } from './run-host';
import { DIST } from './stage';
import { PYTHON } from '../../support/tools';

const PROGRAM = join(__dirname, 'routers-load.py');
const PROBE_MS = 10;
/** Of each kind and family. */
const MANY = 6;
/** Between two Connection Requests to a CPE. */
const WAKE_SECONDS = 6;
/** After the addresses have moved, for lost packets to be repeated. Kept connections that are silent for longer are told. */
const CALM_SECONDS = 15;
const BEFORE_MS = 400;
const PATIENCE_MS = 20_000;
const REMEMBERED_MS = 120_000;
const MOST_LAG_MS = 1000;

const cpes = (kind: number, count = MANY): string[] =>
  Array.from({ length: count }, (_, n) => [`10.1.${kind}.${n + 1}`, `2001:db8:1::${kind}:${n + 1}`]).flat();
/** Every other pair is the second collector's. */
const collectorOf = (cpe: string): string => (/[13579]$/.test(cpe) ? 'c1' : 'c2');

/** By what they do: probe, keep a connection to the ITMS, keep a diverted one, be woken again and again. */
const PROBING = cpes(1, 10);
const KEEPING = cpes(2);
const DIVERTED = cpes(3);
const WOKEN = cpes(4, 20);

interface Session {
  cpe: string;
  kind: 'woken' | 'own';
  /** ms since 1970. */
  at: number;
  port: number | null;
  /** Null where it came to no end; then there is an error. */
  server: string | null;
  error: string | null;
}

interface CpeReport {
  probes: number;
  stuck: number;
  failures: number;
  failed: [string, string][];
  strays: [string, string][];
  interruption: { ipv4: number; ipv6: number };
  sessions: Session[];
  broken: [cpe: string, server: string, error: string][];
  mixed: string[][];
  kept: Record<string, string>;
  silence: number;
}

interface ServerReport {
  seen: [server: string, peer: string, port: number, atMs: number][];
  requests: { answered: number; failed: number };
}

/** What a switch cost. */
export interface Turn {
  kind: Switch;
  /** Milliseconds in which no new connection passed; the longer of both families. */
  interruptionMs: number;
  /** The same, while the first router became whole again. */
  returnMs: number;
  /** Probes, whose connections are the ITMS's, and those that came to no end. */
  probes: number;
  probesFailed: number;
  /** Connections that two servers answered, and sessions at a collector that had not woken the CPE: in words. */
  twoServers: string[];
  wrongCollector: string[];
  /** Kept connections, and those that broke. */
  own: number;
  ownBroken: string[];
  diverted: number;
  divertedBroken: string[];
  /** Sessions that CPEs were woken for, those of them at the ITMS; sessions of their own after them; and what came to no end. */
  woken: number;
  wokenAtItms: number;
  ownSessions: number;
  sessionsFailed: number;
  /** The longest a kept connection waited for an answer. */
  silenceMs: number;
  requestsFailed: number;
  /** All that is known of CPEs with a session that came to no end, or ended at a wrong collector. */
  stories: string[];
  /** Switches after which a kept connection had no answer for CALM_SECONDS, or no new one passed. */
  silent: number;
}

export interface RoutersOptions extends RouterOptions {
  routers?: 2 | 3;
  /** Instead of acsplit. */
  rival?: (router: Router) => Promise<void>;
}

export class Routers {
  readonly routers: readonly Router[];
  private cpes!: Actor<Happening>;
  private itms!: Actor<Happening>;
  private collectors!: Actor<Happening>;

  /** Of the last two minutes: what came to no end is told after what led to it. */
  private sessions: Session[] = [];
  private seen: ServerReport['seen'] = [];

  private constructor(
    readonly world: RouterWorld,
    private readonly options: RoutersOptions,
  ) {
    this.routers = world.routers.map((name) => new Router(world, name, options));
  }

  static async open(options: RoutersOptions = {}): Promise<Routers> {
    const world = await RouterWorld.create({
      cpes: [...PROBING, ...KEEPING, ...DIVERTED, ...WOKEN],
      routers: options.routers ?? 2,
      programs: join(DIST, 'lab'),
    });
    const routers = new Routers(world, options);
    try {
      await routers.start();
      return routers;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.world.close();
  }

  private async start(): Promise<void> {
    const launch = (role: 'cpe' | 'itms' | 'collector', settings: object) =>
      Actor.launch(this.world, role, role, [PYTHON, PROGRAM, JSON.stringify({ port: REPORT_PORT, ...settings })]);
    const servers = (settings: object) => ({ role: 'servers', servers: settings });
    const woken = Object.fromEntries([...DIVERTED.map((cpe) => [cpe, 'kept']), ...WOKEN.map((cpe) => [cpe, 'churn'])]);
    const acs = bothOf((places) => places.acs);
    [this.itms, this.collectors, this.cpes] = await Promise.all([
      launch('itms', servers({ itms: bothOf((places) => places.itms) })),
      launch(
        'collector',
        servers({ c1: bothOf((places) => places.collector), c2: bothOf((places) => places.secondCollector) }),
      ),
      launch('cpe', { role: 'cpes', acs, probes: PROBING, woken, probeMs: PROBE_MS }),
      ...this.routers.map((router) => this.boot(router)),
    ]);
    for (const router of this.routers) router.startKeeper();
    await untilMaster(this.routers);
    await this.cpes.ask('probe');
    await this.collectors.ask('keepWaking', {
      pairs: WOKEN.map((cpe) => [collectorOf(cpe), cpe]),
      seconds: WAKE_SECONDS,
    });
    await this.fill();
  }

  /** All but keepalived. The third router has no store. */
  private async boot(router: Router): Promise<void> {
    const { cluster, rival } = this.options;
    if (rival !== undefined) return rival(router);
    if (cluster === true && router.name !== 'c') await router.startStore();
    await router.startEngine();
  }

  /** Opens those kept connections that are not open. */
  private async fill(): Promise<void> {
    await this.cpes.ask('keep', { cpes: KEEPING });
    for (const deadline = Date.now() + PATIENCE_MS; ; await pause(500)) {
      const kept = await this.cpes.ask<Record<string, string>>('kept');
      const missing = DIVERTED.filter((cpe) => kept[cpe] === undefined);
      if (missing.length === 0 && KEEPING.every((cpe) => kept[cpe] !== undefined)) return;
      if (Date.now() > deadline) throw new Error(`no connection of ${missing.join()} within ${PATIENCE_MS} ms`);
      await this.collectors.ask('wake', { pairs: missing.map((cpe) => [collectorOf(cpe), cpe]) });
    }
  }

  private async reports(): Promise<{ cpes: CpeReport; seen: ServerReport['seen']; requestsFailed: number }> {
    const cpes = await this.cpes.ask<CpeReport>('report');
    const [itms, collectors] = await Promise.all(
      [this.itms, this.collectors].map((server) => server.ask<ServerReport>('report')),
    );
    const seen = [...itms!.seen, ...collectors!.seen];
    const sinceMs = Date.now() - REMEMBERED_MS;
    this.sessions = [...this.sessions.filter(({ at }) => at > sinceMs), ...cpes.sessions];
    this.seen = [...this.seen.filter(([, , , atMs]) => atMs > sinceMs), ...seen];
    return { cpes, seen, requestsFailed: collectors!.requests.failed };
  }

  /**
   * Stores fail under load, then are whole again. No switch: nothing may be noticed meanwhile. Afterwards both routers have
   * joined with every store, and a planned switch loses nothing.
   */
  async suffer(fault: StoreFault): Promise<{ during: Omit<Turn, 'kind'>; after: Turn }> {
    await this.fill();
    await this.reports();
    const { seconds, undo } = await fault.begin(this.routers);
    await pause(seconds * 1000);
    const during = this.judge('planned', await this.reports());
    await undo();
    await untilMaster(this.routers);
    await this.untilJoined();
    return { during, after: await this.turn('planned') };
  }

  /** Each router is joined, has every store, and hears the others without delay: what a planned switch asks for. docs/cluster.md */
  async untilJoined(): Promise<void> {
    for (const router of this.routers) {
      await eventually(`router ${router.name} to have joined`, async () => {
        const { state, stores, lagMs } = (await router.status()).cluster;
        const isFollowing = state === 'joined' && lagMs < MOST_LAG_MS;
        return (isFollowing && stores.every((store) => store.state === 'up')) || undefined;
      });
    }
  }

  /** One switch from the router that has the addresses, under load; the other has them afterwards, and both are whole. */
  async turn(kind: Switch): Promise<Turn> {
    await this.fill();
    const from = await untilMaster(this.routers);
    await pause(BEFORE_MS);
    await begin(kind, from);
    if (kind === 'keepalived killed') await mend(kind, from, () => Promise.resolve());
    await untilMaster(this.routers, from);
    const isCalm = await this.cpes.ask<boolean>('calm', { seconds: CALM_SECONDS });
    const turn = this.judge(kind, await this.reports());
    if (!isCalm) turn.silent++;
    if (kind !== 'keepalived killed') await mend(kind, from, () => this.boot(from));
    await eventually(`router ${from.name} to stand by`, () => from.isFit || undefined);
    if (this.options.cluster === true) await this.untilJoined();
    await pause(BEFORE_MS);
    return sum(turn, this.judge(kind, await this.reports()));
  }

  private judge(kind: Switch, { cpes, seen, requestsFailed }: Awaited<ReturnType<Routers['reports']>>): Turn {
    const servers = new Map<string, Set<string>>();
    for (const [server, peer, port] of seen) {
      const key = `${peer} ${port}`;
      servers.set(key, (servers.get(key) ?? new Set()).add(server));
    }
    const twice = [...servers]
      .filter(([, names]) => names.size > 1)
      .map(([key, names]) => `${key}: ${[...names].join()}`);
    const owed = (cpe: string) => (DIVERTED.includes(cpe) || WOKEN.includes(cpe) ? collectorOf(cpe) : 'itms');
    const wrong = seen.filter(([server, peer]) => server !== 'itms' && server !== owed(peer));
    const broken = (some: readonly string[]) =>
      cpes.broken.filter(([cpe]) => some.includes(cpe)).map(([cpe, server, error]) => `${cpe} at ${server}: ${error}`);
    const ended = cpes.sessions.filter(({ server }) => server !== null);
    const [woken, own] = (['woken', 'own'] as const).map((kind) => ended.filter((one) => one.kind === kind));
    const outlived = own!
      .filter(({ server }) => server !== 'itms')
      .map(({ cpe, server }) => `own session of ${cpe} at ${server}`);
    const misled = Object.entries(cpes.kept).filter(([cpe, server]) => server !== owed(cpe) && server !== 'itms');
    return {
      kind,
      interruptionMs: Math.round(Math.max(cpes.interruption.ipv4, cpes.interruption.ipv6) * 1000),
      returnMs: 0,
      probes: cpes.probes,
      probesFailed: cpes.failures,
      twoServers: [...twice, ...cpes.mixed.map((one) => one.join(' '))],
      wrongCollector: [...wrong.map((one) => one.join(' ')), ...misled.map((one) => one.join(' ')), ...outlived],
      own: KEEPING.length,
      ownBroken: broken(KEEPING),
      diverted: DIVERTED.length,
      divertedBroken: broken(DIVERTED),
      woken: woken!.length,
      wokenAtItms: woken!.filter(({ server }) => server === 'itms').length,
      ownSessions: own!.length,
      sessionsFailed: cpes.sessions.length - ended.length,
      silenceMs: Math.round(cpes.silence * 1000),
      requestsFailed,
      stories: [...cpes.failed.map(([cpe, error]) => `probe of ${cpe}: ${error}`), ...this.storiesOf(cpes.sessions)],
      silent: 0,
    };
  }

  private storiesOf(sessions: readonly Session[]): string[] {
    const isOdd = ({ cpe, kind, server }: Session) => server !== (kind === 'own' ? 'itms' : collectorOf(cpe));
    return [...new Set(sessions.filter(isOdd).map(({ cpe }) => cpe))].map((cpe) => {
      const own = this.sessions
        .filter((one) => one.cpe === cpe)
        .map(({ at, kind, port, server, error }) => ({ at, line: `${kind} from ${port}: ${server ?? error}` }));
      const seen = this.seen
        .filter(([, peer]) => peer === cpe)
        .map(([server, , port, at]) => ({ at, line: `${server} sees ${port}` }));
      const lines = [...own, ...seen].sort((one, other) => one.at - other.at);
      return [cpe, ...lines.map(({ at, line }) => `  ${new Date(at).toISOString().slice(11, 23)} ${line}`)].join('\n');
    });
  }
}

/** A switch, and the return of the router that had the addresses. */
function sum(turn: Turn, after: Turn): Turn {
  const total: Turn = { ...turn, returnMs: after.interruptionMs, silenceMs: Math.max(turn.silenceMs, after.silenceMs) };
  for (const count of [
    'probes',
    'probesFailed',
    'woken',
    'wokenAtItms',
    'ownSessions',
    'sessionsFailed',
    'requestsFailed',
  ] as const) {
    total[count] += after[count];
  }
  for (const list of ['twoServers', 'wrongCollector', 'ownBroken', 'divertedBroken', 'stories'] as const) {
    total[list] = [...turn[list], ...after[list]];
  }
  return total;
}

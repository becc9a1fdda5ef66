/**
 * Habits of real servers and real devices, a row each: which of a session's requests reached whom, and whose the session
 * after it is. Servers are Node's own HTTP(S) server as it is, or nginx with its defaults; each row has a report port and
 * a CPE of its own, so that all rows run at once. Knows no test framework.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { Actor } from '../../../src/lab/actor';
import { Engine } from '../../../src/lab/engine';
import { type Happening } from '../../../src/lab/lines';
import { World } from '../../../src/lab/world';
import { ADDRESSES, FAMILY, street } from './family';
import { eventually } from './run-host';
import { DIST } from './stage';
import { FAST_PATH } from './fast-path';

const SERVER = join(__dirname, 'habit-server.js');
const CPE = join(__dirname, 'habit-cpe.js');
const REQUEST_PORT = 7547;
const FIRST_PORT = 7600;

export interface Habit {
  claim: string;
  /** Absent: Node. */
  program?: 'nginx';
  /** What the collector and the ITMS do. */
  kind?: 'plain' | 'empty-200' | 'empty-chunked' | 'asks-login' | 'refuses-login' | 'fails' | 'closes-each';
  /** After which the servers close an idle connection; Node's own 5 s when absent. */
  idleMs?: number;
  tls?: 'TLSv1.2' | 'TLSv1.3';
  /** What the CPE waits before each request. */
  waitsMs: readonly number[];
  closeBy?: 'fin' | 'rst';
  credentials?: boolean;
  /** The CPE opens its session first, and answers the Connection Request afterwards. */
  opensFirst?: boolean;
  /** Before the CPE's next session, after this one. */
  pauseMs?: number;
  /** Who answers each request of the session. */
  session: readonly string[];
  /** Who answers the next session's one request. */
  next: 'itms' | 'c1';
}

export interface Outcome {
  session: string[];
  next: string[];
  /** From the first request to the last answer of the session. */
  sessionMs: number;
}

interface Answered {
  server: string;
  status: number;
  port: number;
}

type Party = Actor<Happening>;

/** Plays all rows at once and says what became of each, in order. */
export async function playHabits(habits: readonly Habit[]): Promise<Outcome[]> {
  const cpes = street(7, habits.length);
  const world = await World.create({ cpes, family: FAMILY, programs: join(DIST, 'lab') });
  try {
    const reportPorts = habits.map((_, row) => FIRST_PORT + row);
    const launch = (role: 'cpe' | 'itms' | 'collector', program: string): Promise<Party> =>
      Actor.launch(world, role, role, [process.execPath, program]);
    const [, itms, collector, cpe] = await Promise.all([
      Engine.start(world, { fastPath: FAST_PATH, reportPorts }),
      launch('itms', SERVER),
      launch('collector', SERVER),
      launch('cpe', CPE),
    ]);
    const identity = makeIdentity(world.directory);
    await startNginx(world, habits);
    for (const [row, { program, kind, idleMs, tls }] of habits.entries()) {
      if (program === 'nginx') continue;
      const habit = { port: FIRST_PORT + row, kind, idleMs, tls, ...identity };
      await itms.ask('serve', { ...habit, address: ADDRESSES.itms, name: 'itms' });
      await collector.ask('serve', { ...habit, address: ADDRESSES.collector, name: 'c1' });
    }
    return await Promise.all(
      habits.map((habit, row) => play(habit, FIRST_PORT + row, cpes[row] as string, cpe, collector)),
    );
  } finally {
    await world.close();
  }
}

async function play(habit: Habit, port: number, from: string, cpe: Party, collector: Party): Promise<Outcome> {
  const { waitsMs, tls, closeBy, credentials, opensFirst = false, pauseMs = 0 } = habit;
  const session = (waits: readonly number[]) =>
    cpe.ask<Answered[]>('session', { from, to: ADDRESSES.acs, port, waitsMs: waits, tls, closeBy, credentials });
  await cpe.ask('wakeable', { address: from, port: REQUEST_PORT, answerAfterSession: opensFirst });
  const woken = collector.ask('wake', { from: ADDRESSES.collector, to: from, port: REQUEST_PORT });
  if (!opensFirst) await woken;
  else await cpe.until((event) => event.event === 'woken' && (event as { cpe?: string }).cpe === from, 'to be asked');
  const begunMs = Date.now();
  const first = await session(waitsMs);
  const sessionMs = Date.now() - begunMs;
  if (opensFirst) await cpe.ask('release', { address: from });
  await woken;
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
  const second = await session([0]);
  return { session: first.map(({ server }) => server), next: second.map(({ server }) => server), sessionMs };
}

/** One nginx as the ITMS and one as the collector, each with a `server` for each row that wants it. */
async function startNginx(world: World, habits: readonly Habit[]): Promise<void> {
  if (!habits.some(({ program }) => program === 'nginx')) return;
  for (const [role, name, address] of [
    ['itms', 'itms', ADDRESSES.itms],
    ['collector', 'c1', ADDRESSES.collector],
  ] as const) {
    const files = join(world.directory, `nginx-${role}`);
    mkdirSync(files);
    const host = isIPv6(address) ? `[${address}]` : address;
    const servers = habits.flatMap(({ program, tls }, row) => {
      if (program !== 'nginx') return [];
      const listen = `listen ${host}:${FIRST_PORT + row}${tls === undefined ? '' : ' ssl'};`;
      const protocol = tls === undefined ? '' : `ssl_protocols ${tls};`;
      const last = 'if ($http_x_last) { return 204; }';
      return [`server { ${listen} ${protocol} location / { ${last} return 200 "<InformResponse/>"; } }`];
    });
    const lines = [
      `daemon off; master_process off; pid ${files}/pid; error_log stderr crit;`,
      'events {} http { access_log off;',
      ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${files}/${kind};`),
      `ssl_certificate ${join(world.directory, 'cert.pem')}; ssl_certificate_key ${join(world.directory, 'key.pem')};`,
      `add_header X-Server ${name};`,
      ...servers,
      '}',
    ];
    writeFileSync(join(files, 'nginx.conf'), lines.join('\n'));
    world.start(role, ['nginx', '-c', join(files, 'nginx.conf')]);
    const row = habits.findIndex(({ program }) => program === 'nginx');
    const listening = ['ss', '-Hltn', `sport = :${FIRST_PORT + row}`];
    await eventually(`nginx in ${role}`, async () => (await world.run(role, listening)) || undefined);
  }
}

/** A certificate that nobody checks. */
function makeIdentity(directory: string): { key: string; cert: string } {
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', [...words, '-subj', '/CN=acs', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

/** The page with an engine behind it that says whatever a test wants. */
import { join } from 'node:path';
import { parseAddress } from '../../src/packet/address';
import { type TraceEvent } from '../../src/engine/control/operations';
import { readFiles } from '../../src/engine/page/files';
import { Page, type PageParts } from '../../src/engine/page/page';
import { type HourSample } from '../../src/engine/report/last-hour';
import { type MetricsServer, serveMetrics } from '../../src/engine/report/metrics-server';
import { RecentLog } from '../../src/engine/report/recent-log';
import { type Status } from '../../src/engine/report/status';
import { SIDES } from '../../src/packet/batch';
import { Splitter } from '../../src/splitter/splitter';
import { QUIET } from './quiet-status';
import { TOPOLOGY } from './rig';
import { serverStatus } from './server-status';

export const FILES = readFiles(join(__dirname, '..', '..', 'dist', 'page'));
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

export function statusOf(more: Partial<Status> = {}): Status {
  const table = { count: 1200, capacity: 65_536, full: 0 };
  return {
    ...{
      version: '0.0.0',
      name: 'default',
      pid: 1,
      ready: true,
      paused: false,
      activation: 'auto',
      uptimeMs: 3_700_000,
    },
    workers: [{ pid: 2, restarts: 0 }],
    tables: { connectionRequests: table, activatedCpes: { ...table, count: 60_000 }, reportConnections: table },
    packets: { received: 9e6, rewritten: 8e6, accepted: 9e6, dropped: 2, byReason: { diverted: 4321 } },
    events: {},
    queues: SIDES.map((side, number) => ({
      ...{ number, side, received: 1000, waiting: 0, queueDropped: 0, userDropped: 0, lost: 0 },
    })),
    losses: { queueDropped: 0, userDropped: 0, verdictsLate: 0, unparsed: 0, givenUp: 0 },
    ...QUIET,
    fastPath: {
      mode: 'auto',
      loaded: true,
      carries: true,
      interfaces: ['eth0', 'eth1'],
      reason: null,
      flows: 40,
      packets: { 'carried-cpe': 5000 },
    },
    history: { state: 'off' },
    cluster: { state: 'off' },
    servers: {
      itms: serverStatus({ opened: 900, answered: 900, answerMs: 2 }),
      c1: serverStatus({ opened: 90, answered: 88, unanswered: 2, answerMs: 4 }),
    },
    ...more,
  };
}

export function samples(count: number, nowMs = Date.now()): HourSample[] {
  return Array.from({ length: count }, (_, i) => {
    const wave = 1 + Math.sin(i / 20) / 2;
    return {
      timeMs: nowMs - (count - 1 - i) * 10_000,
      packets: { cpe: 3400 * wave, itms: 2900 * wave, collector: 700 * wave, host: 0 },
      ...{ dropped: i % 50 === 0 ? 1 : 0, diverted: 60 * wave, waiting: i % 7 },
      tables: { connectionRequests: 400 * wave, activatedCpes: 300 * wave, reportConnections: 9000 * wave },
    };
  });
}

export function event(n: number, more: Partial<TraceEvent> = {}): TraceEvent {
  const cpe = `10.1.${(n >> 8) & 255}.${n & 255}`;
  const name = ['armed-by-response', 'diverted', 'closed'][n % 3];
  return { timeMs: n, event: name, cpe, cpePort: 40_000 + (n % 1000), port: 7547, owner: 'c1', ...more };
}

export interface Stand {
  /** `http://127.0.0.1:PORT` */
  url: string;
  splitter: Splitter;
  log: RecentLog;
  /** What the engine has told so far. */
  events: TraceEvent[];
  /** May be changed at any time. */
  parts: PageParts;
  close(): Promise<void>;
}

export async function openStand(more: Partial<PageParts> = {}, listen = '127.0.0.1:0'): Promise<Stand> {
  const splitter = new Splitter({ topology: TOPOLOGY, activation: 'auto', capacityEntries: 1024, seed: 1 });
  const log = new RecentLog(SILENT);
  const events: TraceEvent[] = [];
  const status = statusOf();
  const parts: PageParts = {
    files: FILES,
    token: undefined,
    status: () => status,
    hour: () => ({ intervalMs: 10_000, samples: samples(360) }),
    log: () => log.lines,
    events: (since = events.length) => {
      const from = Math.max(since, events.length - 4096);
      const answer = { engine: '1', run: '1', restarts: 0, nowMs: Date.now(), next: events.length };
      return { ...answer, missed: from - since, events: events.slice(from) };
    },
    look: () => splitter,
    onCollectorDown: () => 'itms',
    history: { isKept: false, find: () => Promise.reject(new Error('none')) },
    ...more,
  };
  const page = new Page(parts);
  const metrics = { contentType: 'text/plain', render: () => Promise.resolve('') };
  const server: MetricsServer = await serveMetrics({ listen, isReady: () => true, metrics, page, log: SILENT });
  if (server.address === undefined) throw new Error(`cannot listen at ${listen}`);
  return { url: `http://${server.address}`, splitter, log, events, parts, close: () => server.close() };
}

/** Arms a CPE by hand. */
export function arm({ splitter }: Stand, cpe: string, collector = 'c1'): void {
  splitter.activate(parseAddress(cpe)!, collector, 0);
}

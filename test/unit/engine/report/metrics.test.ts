/** A scrape of a snapshot, and the server's bounds. */
import { eventually } from '../../../e2e/support/run-host';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { PacketBatch, Verdict } from '../../../../src/packet/batch';
import { Reason } from '../../../../src/splitter/reasons';
import { METRIC_NAMES } from '../../../../src/engine/report/metric-list';
import { makeMetrics } from '../../../../src/engine/report/metrics';
import { type MetricsServer, serveMetrics } from '../../../../src/engine/report/metrics-server';
import { Observation } from '../../../../src/engine/shared/observation';
import { observe } from '../../../../src/engine/worker/observe';
import { serverStatus } from '../../../support/server-status';
import { type Status } from '../../../../src/engine/report/status';

const table = { count: 3, capacity: 64, full: 2 };
const STATUS: Status = {
  ...{ version: '1.2.3', name: 'north', pid: 7, ready: true, paused: false, activation: 'auto', uptimeMs: 1500 },
  workers: [{ pid: 77, restarts: 4 }],
  tables: { connectionRequests: table, activatedCpes: table, reportConnections: table },
  packets: { received: 3, rewritten: 3, accepted: 3, dropped: 0, byReason: {} },
  events: { diverted: 9 },
  queues: [
    { number: 0, side: 'cpe', received: 3, waiting: 5, queueDropped: 1, userDropped: 6, lost: 8 },
    { number: 1, side: 'itms', received: 0, waiting: null, queueDropped: null, userDropped: null, lost: 0 },
  ],
  losses: { queueDropped: 1, userDropped: 0, verdictsLate: 3, unparsed: 0, givenUp: 0 },
  fastPath: {
    mode: 'on',
    loaded: true,
    carries: true,
    interfaces: ['eth0'],
    reason: null,
    flows: 3,
    packets: { 'carried-to-itms': 12 },
  },
  configuration: {
    ...{ file: '/a.yaml', differs: ['activation', 'ttl.armed'], error: 'unknown key' },
    ...{ reloads: { done: 0, refused: 1 }, refused: true, upgraded: true },
  },
  fallback: { active: true, times: 2, totalMs: 7500, sessions: 14 },
  rules: { differences: 2, checks: 5, checkedMs: 900 },
  cluster: {
    ...{ state: 'joined', ready: true, group: 'g', name: 'a', pid: 9, restarts: 1, lagMs: 4, rows: 5, published: 6 },
    peers: [{ name: 'b', ready: true, lagMs: 4, seenMs: 300, version: '1.2.3' }],
    stores: [{ address: '192.0.2.1:6379', state: 'up', offsetMs: 1500, error: null, advice: null }],
    ...{ refused: 7, applied: 8, overtaken: 9, conflicts: 10, lost: 11, loads: 12 },
  },
  history: {
    ...{
      state: 'failing',
      directory: '/h',
      pid: 8,
      restarts: 2,
      sessions: 12,
      open: 1,
      waiting: 9,
      events: 3,
      bytes: 4096,
    },
    lost: { changes: 5, connections: 6, sessions: 0, events: 3 },
  },
  servers: {},
};
const DOWN = { state: 'down', opened: 9, answered: 3, refused: 5, unanswered: 1, slow: 2, resets: 4 } as const;
const SERVERS = {
  itms: serverStatus({ ...DOWN, answerSumMs: 1500 }),
  c1: serverStatus({ address: '2001:db8::2', armed: 7, finished: 4, unfinished: 3, loginsRefused: 1 }),
};
STATUS.servers = SERVERS;
const LOOP = {
  ...{ batches: 1, received: 3, receiveCalls: 1, sendCalls: 1, verdictErrors: 2, verdictsLate: 3, truncated: 0 },
  ...{ unparsed: 9, lost: 0, recovered: 1, givenUp: 10 },
};

const SNAPSHOT = {
  ...{ status: STATUS, loop: LOOP, queueLength: 1024 },
  fastPathOutcomes: ['carried-to-itms', 'carried-from-itms'],
};

function observed(): Observation {
  const observation = new Observation(new ArrayBuffer(Observation.BYTES));
  const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(4)), 4);
  let clock = 0;
  const decide = (all: PacketBatch) => {
    all.verdict.fill(Verdict.AcceptRewritten, 0, all.count);
    all.reason.fill(Reason.ToItms, 0, all.count);
    clock += 0.03;
  };
  const decider = observe({ decide, sweep: () => undefined }, observation, () => clock);
  for (let i = 0; i < 3; i++) batch.push(0, new Uint8Array(40));
  decider.decide(batch, 1);
  return observation;
}

test('every line of a scrape', async () => {
  const observation = observed();
  const { contentType, render } = makeMetrics(() => ({ ...SNAPSHOT, observation }));
  expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  const first = await render();
  const lines = first.split('\n');
  const expected = [
    'acsplit_ready 1',
    'acsplit_info{version="1.2.3",name="north",activation="auto"} 1',
    'acsplit_uptime_seconds 1.5',
    'acsplit_queue_capacity_packets{side="cpe",queue="0"} 1024',
    'acsplit_fallback_active 1',
    'acsplit_rules_differences 2',
    'acsplit_rules_checks_total 5',
    'acsplit_fallbacks_total 2',
    'acsplit_fallback_seconds_total 7.5',
    'acsplit_fallback_sessions_total 14',
    'acsplit_configuration_reload_successful 0',
    'acsplit_configuration_reloads_total{result="refused"} 1',
    'acsplit_configuration_differing_keys 2',
    'acsplit_configuration_unusable 1',
    'acsplit_upgrade_pending 1',
    'acsplit_history_waiting_changes 9',
    'acsplit_history_lost_events_total 3',
    'acsplit_history_failing 1',
    'acsplit_history_bytes 4096',
    'acsplit_history_sessions_total 12',
    'acsplit_history_lost_connections_total 6',
    'acsplit_cluster_ready 1',
    'acsplit_cluster_peers 1',
    'acsplit_cluster_lag_seconds 0.004',
    'acsplit_cluster_rows 5',
    'acsplit_cluster_store_up{store="192.0.2.1:6379"} 1',
    'acsplit_cluster_published_rows_total 6',
    'acsplit_cluster_applied_rows_total 8',
    'acsplit_cluster_refused_rows_total 7',
    'acsplit_cluster_lost_changes_total 11',
    'acsplit_cluster_overtaken_total 9',
    'acsplit_cluster_conflicts_total 10',
    'acsplit_cluster_loads_total 12',
    'acsplit_cluster_restarts_total 1',
    'acsplit_recorder_restarts_total 2',
    'acsplit_packets_total{side="cpe",verdict="rewrite",reason="to-itms"} 3',
    'acsplit_events_total{event="diverted"} 9',
    'acsplit_table_entries{table="activated_cpes"} 3',
    'acsplit_table_full_total{table="report_connections"} 2',
    'acsplit_queue_waiting_packets{side="cpe",queue="0"} 5',
    'acsplit_worker_restarts_total 4',
    'acsplit_verdicts_late_total 3',
    'acsplit_batch_packets_bucket{le="2"} 0',
    'acsplit_batch_packets_bucket{le="4"} 1',
    'acsplit_batch_packets_bucket{le="+Inf"} 1',
    'acsplit_batch_packets_sum 3',
    'acsplit_batch_decide_seconds_bucket{le="0.000025"} 0',
    'acsplit_batch_decide_seconds_bucket{le="0.00005"} 1',
    'acsplit_batch_decide_seconds_count 1',
    'acsplit_paused 0',
    'acsplit_table_capacity_entries{table="connection_requests"} 64',
    'acsplit_queue_dropped_packets_total{side="cpe",queue="0"} 1',
    'acsplit_queue_user_dropped_packets_total{side="cpe",queue="0"} 6',
    'acsplit_queue_lost_packets_total{side="cpe",queue="0"} 8',
    'acsplit_verdict_errors_total 2',
    'acsplit_unparsed_messages_total 9',
    'acsplit_recovered_packets_total 1',
    'acsplit_given_up_packets_total 10',
    'acsplit_fast_path_carries 1',
    'acsplit_fast_path_flows 3',
    'acsplit_fast_path_packets_total{outcome="carried-to-itms"} 12',
    'acsplit_server_state{server="itms",family="ipv4",state="down"} 1',
    'acsplit_server_state{server="itms",family="ipv4",state="up"} 0',
    'acsplit_server_state{server="c1",family="ipv6",state="up"} 1',
    'acsplit_server_opened_connections_total{server="itms",family="ipv4"} 9',
    'acsplit_server_connections_total{server="itms",family="ipv4",outcome="answered"} 3',
    'acsplit_server_connections_total{server="itms",family="ipv4",outcome="refused"} 5',
    'acsplit_server_connections_total{server="itms",family="ipv4",outcome="unanswered"} 1',
    'acsplit_server_connections_total{server="c1",family="ipv6",outcome="refused"} 0',
    'acsplit_server_slow_answers_total{server="itms",family="ipv4"} 2',
    'acsplit_server_resets_total{server="itms",family="ipv4"} 4',
    'acsplit_server_answer_seconds_total{server="itms",family="ipv4"} 1.5',
    'acsplit_collector_sessions_total{collector="c1",outcome="armed"} 7',
    'acsplit_collector_sessions_total{collector="c1",outcome="finished"} 4',
    'acsplit_collector_sessions_total{collector="c1",outcome="unfinished"} 3',
    'acsplit_collector_sessions_total{collector="c1",outcome="login-refused"} 1',
  ];
  for (const line of expected) expect(lines).toContain(line);
  // A metric without a line here could show anything.
  const nameOf = (line: string) => line.replace(/(_bucket|_sum|_count)?[{ ].*$/, '');
  expect([...new Set(expected.map(nameOf))].sort()).toEqual([...METRIC_NAMES].sort());
  // What the kernel does not tell is absent, and not 0.
  expect(first).not.toContain('acsplit_queue_waiting_packets{side="itms"');
  // What has not happened yet is 0, so that its first time is an increase.
  expect(lines).toContain('acsplit_packets_total{side="host",verdict="drop",reason="not-owner"} 0');
  expect(lines).toContain('acsplit_events_total{event="contended"} 0');
  expect(lines).toContain('acsplit_fast_path_packets_total{outcome="carried-from-itms"} 0');
  expect(lines).toContain('acsplit_configuration_reloads_total{result="done"} 0');
  // The process as prom-client sees it.
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_seconds']) {
    expect(first).toMatch(new RegExp(`^${name} `, 'm'));
  }
  // Counters are the engine's own sums: a second scrape adds nothing.
  const own = (text: string) => text.split('\n').filter((line) => line.includes('acsplit_'));
  expect(own(await render())).toEqual(own(first));
});

test('without a history its metrics are 0; an unknown number of sessions is absent', async () => {
  const fallback = { ...STATUS.fallback, sessions: null };
  const status: Status = { ...STATUS, history: { state: 'off' }, fallback };
  const text = await makeMetrics(() => ({ ...SNAPSHOT, status, observation: observed() })).render();
  const histories = text.split('\n').filter((line) => /^acsplit_(history|recorder)/.test(line));
  expect(histories.length).toBeGreaterThan(5);
  for (const line of histories) expect(line).toMatch(/ 0$/);
  expect(text).not.toMatch(/^acsplit_fallback_sessions_total /m);
});

test('names follow the conventions: a prefix, base units, _total for counters alone', async () => {
  const text = await makeMetrics(() => ({ ...SNAPSHOT, observation: observed() })).render();
  for (const name of METRIC_NAMES) {
    expect(name).toMatch(/^acsplit_[a-z]+(_[a-z]+)*$/);
    const type = new RegExp(`^# TYPE ${name} (\\w+)$`, 'm').exec(text)?.[1];
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
    expect(name).not.toMatch(/_(ms|milliseconds|microseconds|kb|percent)\b/);
  }
});

describe('the server', () => {
  const said: { event: string }[] = [];
  const log = {
    info: () => undefined,
    warn: (fields: object) => said.push(fields as { event: string }),
    error: () => undefined,
  };
  let server: MetricsServer | undefined;
  let isReady = true;
  const metrics = { contentType: 'text/plain', render: () => Promise.resolve('x 1\n') };
  const serve = async (listen = '127.0.0.1:0') =>
    (server = await serveMetrics({ listen, isReady: () => isReady, metrics, log }));
  afterEach(() => server?.close());

  function ask(path: string, method = 'GET', body = ''): Promise<{ status: number; text: string }> {
    const [host, port] = (server?.address ?? '').split(':');
    return new Promise((resolve, reject) => {
      const asking = httpRequest({ host, port, path, method, agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      asking.on('error', reject);
      asking.end(body);
    });
  }

  test('alive is not ready', async () => {
    await serve();
    expect(await ask('/metrics')).toEqual({ status: 200, text: 'x 1\n' });
    expect(await ask('/healthz?x')).toEqual({ status: 200, text: 'ok\n' });
    isReady = false;
    expect(await ask('/readyz')).toEqual({ status: 503, text: 'no verdicts flow\n' });
    expect((await ask('/healthz')).status).toBe(200);
    isReady = true;
  });

  test.each(['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'])('%s is refused: only GET', async (method) => {
    await serve();
    expect((await ask('/metrics', method, method === 'POST' ? 'x'.repeat(100_000) : '')).status).toBe(405);
  });

  test('a header beyond 8 KiB is refused', async () => {
    await serve();
    const [host, port] = (server?.address ?? '').split(':');
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(Number(port), host, () =>
        socket.write(`GET / HTTP/1.1\r\nx: ${'y'.repeat(10_000)}\r\n\r\n`),
      );
      socket.on('data', (chunk) => (text += chunk.toString()));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });

  /** As many idle connections, one after the other. */
  async function idle(count: number): Promise<Socket[]> {
    const [host, port] = (server?.address ?? '').split(':');
    const sockets: Socket[] = [];
    for (let i = 0; i < count; i++) {
      const socket = connect(Number(port), host)
        .on('error', () => undefined)
        .resume();
      await new Promise((resolve) => socket.once('connect', resolve));
      sockets.push(socket);
    }
    return sockets;
  }

  test('of more than 128 connections the oldest are closed', async () => {
    await serve();
    const sockets = await idle(132);
    await eventually('four to be closed', () => sockets.slice(0, 4).every(({ destroyed }) => destroyed) || undefined);
    expect(sockets.slice(4).every(({ destroyed }) => !destroyed)).toBe(true);
    for (const socket of sockets) socket.destroy();
  });

  test('idle connections without end, each opened again when it is closed, do not keep a scrape out', async () => {
    await serve();
    const [host, port] = (server?.address ?? '').split(':');
    let isOver = false;
    let opened = 0;
    const hog = (): void => {
      if (isOver) return;
      opened++;
      connect(Number(port), host)
        .on('error', () => undefined)
        .on('close', hog)
        .resume();
    };
    for (let i = 0; i < 160; i++) hog();
    for (let scrape = 0; scrape < 20; scrape++) {
      expect(await ask('/metrics')).toEqual({ status: 200, text: 'x 1\n' });
    }
    isOver = true;
    expect(opened).toBeGreaterThan(160);
    await server?.close();
  });

  test('an address that is taken is one warning, and no failure', async () => {
    await serve();
    const other = await serveMetrics({ listen: server?.address ?? '', isReady: () => true, metrics, log });
    expect(other.address).toBeUndefined();
    expect(said.at(-1)).toMatchObject({ event: 'metrics-unavailable', code: 'EADDRINUSE' });
    await other.close();
  });
});

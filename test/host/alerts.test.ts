/**
 * docs/alerts.yaml in Prometheus' own judgement, promtool: each alert fires upon what it is for, and is silent upon what
 * looks much like it. Scrapes are a minute apart; `0x60` is 0 for an hour, `0+5x60` five more each minute.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ALERT_RULES, ALERTS_FILE } from '../support/alert-rules';
import { PROMTOOL } from '../support/promtool';

const OF = { job: 'acsplit', instance: 'r1:9547' };

type Labels = Record<string, string>;
interface Row {
  /** Series by which it fires, and by which it is silent: `name{label="…"} values`. Each gets job and instance. */
  fires: string[];
  quiet: string[];
  /** When it is looked at, minutes. */
  at: number;
  /** Labels that the alert has, besides those of its instance. */
  labels?: Labels;
}

const ofCpes = 'side="cpe",queue="0"';
const drop = 'side="cpe",verdict="drop",reason="not-owner"';

const ROWS: Record<string, Row> = {
  AcsplitDown: { fires: ['up 1x5 0x20'], quiet: ['up 1x10 0 1x10'], at: 12 },
  AcsplitAbsent: { fires: [], quiet: ['up 0x20'], at: 12 },
  AcsplitNotReady: { fires: ['acsplit_ready 1x5 0x10'], quiet: ['acsplit_ready 1x15'], at: 8 },
  AcsplitFallback: {
    fires: ['acsplit_fallback_active 0x20', 'acsplit_fallbacks_total 0x5 1x15'],
    quiet: ['acsplit_fallback_active 0x20', 'acsplit_fallbacks_total 3x20'],
    at: 10,
  },
  AcsplitNoCpePackets: {
    fires: [
      'acsplit_ready 1x30',
      'acsplit_packets_total{side="cpe"} 9x30',
      'acsplit_packets_total{side="itms"} 0+60x30',
    ],
    quiet: ['acsplit_ready 1x30', 'acsplit_packets_total{side="cpe"} 0+60x30'],
    at: 25,
  },
  AcsplitItmsDown: {
    fires: ['acsplit_server_state{server="itms",family="ipv4",state="down"} 0x5 1x5'],
    quiet: [
      'acsplit_server_state{server="itms",family="ipv4",state="down"} 0x10',
      'acsplit_server_state{server="itms",family="ipv4",state="degraded"} 1x10',
      'acsplit_server_state{server="c1",family="ipv4",state="down"} 1x10',
    ],
    labels: { server: 'itms', family: 'ipv4', state: 'down' },
    at: 7,
  },
  AcsplitCollectorDown: {
    fires: ['acsplit_server_state{server="c1",family="ipv6",state="down"} 0x5 1x5'],
    quiet: [
      'acsplit_server_state{server="c1",family="ipv6",state="up"} 1x10',
      'acsplit_server_state{server="itms",family="ipv4",state="down"} 1x10',
    ],
    labels: { server: 'c1', family: 'ipv6', state: 'down' },
    at: 7,
  },
  AcsplitServerDegraded: {
    fires: ['acsplit_server_state{server="c1",family="ipv6",state="degraded"} 0x5 1x10'],
    quiet: ['acsplit_server_state{server="c1",family="ipv6",state="degraded"} 0x7 1 0x10'],
    labels: { server: 'c1', family: 'ipv6', state: 'degraded' },
    at: 9,
  },
  AcsplitDrops: {
    fires: [`acsplit_packets_total{${drop}} 0+120x40`],
    quiet: [`acsplit_packets_total{${drop}} 0+30x40`],
    labels: { reason: 'not-owner' },
    at: 30,
  },
  AcsplitLosesPackets: {
    fires: [`acsplit_queue_lost_packets_total{${ofCpes}} 0+1x30`],
    quiet: [`acsplit_queue_lost_packets_total{${ofCpes}} 7x30`],
    labels: { side: 'cpe', queue: '0' },
    at: 15,
  },
  AcsplitQueueFills: {
    fires: [`acsplit_queue_waiting_packets{${ofCpes}} 600x10`, `acsplit_queue_capacity_packets{${ofCpes}} 1024x10`],
    quiet: [`acsplit_queue_waiting_packets{${ofCpes}} 600x10`, `acsplit_queue_capacity_packets{${ofCpes}} 16384x10`],
    labels: { side: 'cpe', queue: '0' },
    at: 5,
  },
  AcsplitTableNearlyFull: {
    fires: ['acsplit_table_entries{table="t"} 95x10', 'acsplit_table_capacity_entries{table="t"} 100x10'],
    quiet: ['acsplit_table_entries{table="t"} 85x10', 'acsplit_table_capacity_entries{table="t"} 100x10'],
    labels: { table: 't' },
    at: 8,
  },
  AcsplitTableRefuses: {
    fires: ['acsplit_table_full_total{table="t"} 0x5 1x5'],
    quiet: ['acsplit_table_full_total{table="t"} 1x10'],
    labels: { table: 't' },
    at: 7,
  },
  AcsplitWorkerDies: {
    fires: ['acsplit_worker_restarts_total 0x10 3x10'],
    quiet: ['acsplit_worker_restarts_total 0x20'],
    at: 15,
  },
  AcsplitGivesUpPackets: {
    fires: ['acsplit_given_up_packets_total 0x10 64x10'],
    quiet: ['acsplit_given_up_packets_total 64x20'],
    at: 15,
  },
  AcsplitVerdictsRefused: {
    fires: ['acsplit_verdict_errors_total 0x10 1x10'],
    quiet: ['acsplit_verdict_errors_total 1x20', 'acsplit_verdicts_late_total 1x20'],
    at: 12,
  },
  AcsplitSlow: {
    fires: [
      'acsplit_batch_decide_seconds_bucket{le="0.005"} 0+90x40',
      'acsplit_batch_decide_seconds_bucket{le="0.01"} 0+100x40',
      'acsplit_batch_decide_seconds_bucket{le="+Inf"} 0+100x40',
    ],
    quiet: [
      'acsplit_batch_decide_seconds_bucket{le="0.005"} 0+100x40',
      'acsplit_batch_decide_seconds_bucket{le="0.01"} 0+100x40',
      'acsplit_batch_decide_seconds_bucket{le="+Inf"} 0+100x40',
    ],
    at: 30,
  },
  AcsplitCollectorBusy: {
    fires: ['acsplit_packets_total{side="cpe",reason="collector-busy"} 0+5x30'],
    quiet: ['acsplit_packets_total{side="cpe",reason="collector-busy"} 5x30'],
    at: 15,
  },
  AcsplitReloadRefused: {
    fires: ['acsplit_configuration_reload_successful 1x5 0x5'],
    quiet: ['acsplit_configuration_reload_successful 1x10'],
    at: 7,
  },
  AcsplitWouldNotStart: {
    fires: ['acsplit_configuration_unusable 1x30'],
    quiet: ['acsplit_configuration_unusable 1x5 0x30'],
    at: 20,
  },
  AcsplitDrifts: {
    fires: ['acsplit_configuration_differing_keys 2x60'],
    quiet: ['acsplit_configuration_differing_keys 2x20 0 2x20'],
    at: 40,
  },
  AcsplitRulesDiffer: {
    fires: ['acsplit_rules_differences 0x5 2 0 2 0 2 0 2 0 2 0x10'],
    quiet: ['acsplit_rules_differences 0x5 2 0x20'],
    at: 13,
  },
  AcsplitRulesUnchecked: {
    fires: ['acsplit_rules_checks_total 7x60'],
    quiet: ['acsplit_rules_checks_total 0+2x60'],
    at: 40,
  },
  AcsplitUpgradePending: {
    fires: ['acsplit_upgrade_pending 1x150'],
    quiet: ['acsplit_upgrade_pending 1x90 0x60'],
    at: 130,
  },
  AcsplitHistoryFails: { fires: ['acsplit_history_failing 1x10'], quiet: ['acsplit_history_failing 0x10'], at: 8 },
  AcsplitHistoryBehind: {
    fires: ['acsplit_history_lost_connections_total 0x5 4x10', 'acsplit_history_waiting_changes 0x15'],
    quiet: ['acsplit_history_lost_connections_total 4x15', 'acsplit_history_waiting_changes 20000x15'],
    at: 8,
  },
  AcsplitClusterStoreDown: {
    fires: ['acsplit_cluster_store_up{store="192.0.2.1:6379"} 1x5 0x10'],
    quiet: ['acsplit_cluster_store_up{store="192.0.2.1:6379"} 1x5 0x1 1x10'],
    labels: { store: '192.0.2.1:6379' },
    at: 9,
  },
  AcsplitClusterAlone: {
    fires: ['acsplit_cluster_peers 1x5 0x10', 'acsplit_cluster_store_up{store="s"} 1x15'],
    quiet: ['acsplit_cluster_peers 0x15'],
    at: 9,
  },
  AcsplitClusterNotReady: {
    fires: ['acsplit_cluster_ready 0x10', 'acsplit_cluster_store_up{store="s"} 1x10'],
    quiet: ['acsplit_cluster_ready 0x10'],
    at: 5,
  },
  AcsplitClusterLags: {
    fires: ['acsplit_cluster_lag_seconds 3x20'],
    quiet: ['acsplit_cluster_lag_seconds 0.01x3 9 0.01x15'],
    at: 10,
  },
  AcsplitClusterRefuses: {
    fires: ['acsplit_cluster_refused_rows_total 0x10 5x10'],
    quiet: ['acsplit_cluster_refused_rows_total 5x20'],
    at: 15,
  },
  AcsplitPaused: { fires: ['acsplit_paused 1x90'], quiet: ['acsplit_paused 1x50 0 1x40'], at: 70 },
};

/** `name{a="b"} values` with the labels of the instance. */
function seriesOf(text: string): { series: string; values: string } {
  const [, name, labels, values] = /^(\w+)(?:\{(.*)\})? (.*)$/.exec(text)!;
  const all = [labels, ...Object.entries(OF).map(([key, value]) => `${key}="${value}"`)].filter(Boolean).join();
  return { series: `${name}{${all}}`, values: values! };
}

/** @param docs external label of the Prometheus */
function testsOf(alert: string, docs?: string): object[] {
  const { fires, quiet, at, labels } = ROWS[alert]!;
  const rule = ALERT_RULES.find((one) => one.alert === alert)!;
  const [named] = fires.map((one) => /^(\w+)/.exec(one)![1]);
  // Labels that the expression leaves, and promtool expects them all.
  const isSummed = named === undefined || /absent\(/.test(rule.expr);
  const found: Labels = { ...(isSummed ? { job: OF.job } : OF), ...labels };
  const fill = (text: string) =>
    text.replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => found[label] ?? `no ${label}`);
  const { summary, summary_zh: chinese, runbook_url: url } = rule.annotations;
  const base = docs ?? 'file:///usr/share/doc/acsplit/docs';
  const expected = {
    exp_labels: { ...rule.labels, ...found },
    exp_annotations: {
      ...{ summary: fill(summary), summary_zh: fill(chinese) },
      runbook_url: url.replace(/\{\{ or .*? \}\}/, base),
    },
  };
  const one = (name: string, series: string[], alerts: object[]) => ({
    name: `${alert} ${name}`,
    interval: '1m',
    ...(docs !== undefined && { external_labels: { acsplit_docs: docs } }),
    input_series: series.map(seriesOf),
    alert_rule_test: [{ eval_time: `${at}m`, alertname: alert, exp_alerts: alerts }],
  });
  return [one('fires', fires, [expected]), one('is quiet', quiet, [])];
}

let directory: string;
beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'acsplit-alerts-'))));
afterAll(() => rmSync(directory, { recursive: true }));

/** What promtool says of a file of tests; empty when they pass. */
function judge(alerts: readonly string[], docs?: string): string {
  const file = join(directory, 'alerts.test.yaml');
  const tests = alerts.flatMap((alert) => testsOf(alert, docs));
  writeFileSync(file, stringify({ rule_files: [ALERTS_FILE], evaluation_interval: '1m', tests }));
  try {
    execFileSync(PROMTOOL, ['test', 'rules', file], { encoding: 'utf8', stdio: 'pipe' });
    return '';
  } catch (error) {
    const { stdout, stderr, message } = error as { stdout?: string; stderr?: string; message: string };
    return `${stdout ?? ''}${stderr ?? ''}` || message;
  }
}

test('promtool takes the rules', () => {
  expect(execFileSync(PROMTOOL, ['check', 'rules', ALERTS_FILE], { encoding: 'utf8' })).toContain('SUCCESS');
});

test('every alert has its rows', () => {
  expect(Object.keys(ROWS).sort()).toEqual(ALERT_RULES.map(({ alert }) => alert).sort());
});

test('each alert fires, and is silent where it should be', () => {
  expect(judge(Object.keys(ROWS))).toBe('');
});

test('runbook_url follows an external label', () => {
  expect(judge(['AcsplitNotReady'], 'https://wiki.example/acsplit')).toBe('');
});

test('an expectation that does not come true is noticed', () => {
  const { fires, quiet } = ROWS.AcsplitPaused!;
  Object.assign(ROWS.AcsplitPaused!, { fires: quiet, quiet: fires });
  const said = judge(['AcsplitPaused']);
  Object.assign(ROWS.AcsplitPaused!, { fires, quiet });
  expect(said).toMatch(/FAILED/);
});

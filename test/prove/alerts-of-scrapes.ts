/**
 * Which of docs/alerts.yaml's alerts fire, in Prometheus' own judgement, if what two scrapes show goes on: gauges stay,
 * counters grow as fast as between the two. Before, for half an hour, CPEs call and nothing is wrong.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ALERT_RULES, ALERTS_FILE } from '../support/alert-rules';
import { PROMTOOL } from '../support/promtool';

/** Two texts of /metrics, empty where nobody answered. */
export interface Scrapes {
  before: string;
  after: string;
  seconds: number;
}

export interface Fired {
  alert: string;
  /** From the fault on, as far as looked: 1, 2, 5, 10, … */
  minutes: number;
}

const HEALTHY_MINUTES = 30;
const LOOKED_AT = [1, 2, 5, 10, 15, 30, 60, 90, 150];
const OF = 'job="acsplit",instance="r1:9547"';
/** What CPEs' calls add to the counter of their packets in a minute. */
const CALLS = 1200;

export function whichFire({ before, after, seconds }: Scrapes): Fired[] {
  const isUp = after !== '';
  const last = Math.max(...LOOKED_AT);
  const earlier = seriesOf(before);
  const series = [...(isUp ? seriesOf(after) : earlier)].map(([name, value]) => {
    const isCounter = /_(total|bucket|count|sum)[{ ]?/.test(name);
    const grown = isCounter ? value - (earlier.get(name) ?? value) : 0;
    const slope = Math.max(0, (grown / seconds) * 60);
    return {
      series: withInstance(name),
      values: `${healthyOf(name, value)} ${isUp ? `${value}+${slope}x${last}` : `_x${last}`}`,
    };
  });
  const directory = mkdtempSync(join(tmpdir(), 'acsplit-alerts-'));
  try {
    const file = join(directory, 'fault.yaml');
    const tests = [
      {
        interval: '1m',
        input_series: [...series, { series: `up{${OF}}`, values: `1x${HEALTHY_MINUTES} ${isUp ? 1 : 0}x${last}` }],
        alert_rule_test: ALERT_RULES.flatMap(({ alert }) =>
          LOOKED_AT.map((minutes) => ({
            eval_time: `${HEALTHY_MINUTES + minutes}m`,
            alertname: alert,
            exp_alerts: [],
          })),
        ),
      },
    ];
    writeFileSync(file, stringify({ rule_files: [ALERTS_FILE], evaluation_interval: '1m', tests }));
    return firedIn(judge(file));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What promtool says of a file of tests that expect silence. */
function judge(file: string): string {
  try {
    return execFileSync(PROMTOOL, ['test', 'rules', file], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    if (!/FAILED/.test(stdout + stderr)) throw error;
    return stdout + stderr;
  }
}

function firedIn(said: string): Fired[] {
  const first = new Map<string, number>();
  for (const [, alert, hours = '0', minutes = '0'] of said.matchAll(
    /alertname: (\w+), time: (?:(\d+)h)?(?:(\d+)m)?/g,
  )) {
    const after = Number(hours) * 60 + Number(minutes) - HEALTHY_MINUTES;
    first.set(alert!, Math.min(first.get(alert!) ?? Infinity, after));
  }
  return [...first].map(([alert, minutes]) => ({ alert, minutes }));
}

/** Series of a text of /metrics with their values, those that the rules name. */
function seriesOf(text: string): Map<string, number> {
  const named = ALERT_RULES.map(({ expr }) => expr).join(' ');
  const lines = text.split('\n').filter((line) => line.startsWith('acsplit_'));
  const pairs = lines.map((line): [string, number] => {
    const at = line.lastIndexOf(' ');
    return [line.slice(0, at), Number(line.slice(at + 1))];
  });
  return new Map(pairs.filter(([name]) => named.includes(/^\w+/.exec(name)![0])));
}

function withInstance(name: string): string {
  return name.endsWith('}') ? `${name.slice(0, -1)},${OF}}` : `${name}{${OF}}`;
}

/** Half an hour's values before the fault. */
function healthyOf(name: string, value: number): string {
  const steady = (healthy: number) => `${healthy}x${HEALTHY_MINUTES}`;
  if (name.startsWith('acsplit_server_state')) return steady(name.includes('state="up"') ? 1 : 0);
  if (name === 'acsplit_ready' || name === 'acsplit_configuration_reload_successful') return steady(1);
  if (/^acsplit_(table|queue_capacity)/.test(name)) return steady(value);
  if (/^acsplit_packets_total\{.*side="cpe".*reason="to-itms"/.test(name)) {
    return `${value - CALLS * HEALTHY_MINUTES}+${CALLS}x${HEALTHY_MINUTES - 1}`;
  }
  return steady(/_(total|bucket|count|sum)[{ ]?/.test(name) ? value : 0);
}

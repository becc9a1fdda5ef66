/** docs/alerts.yaml as data. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export interface AlertRule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; summary_zh: string; runbook_url: string };
}

export const ALERTS_FILE = join(__dirname, '../../docs/alerts.yaml');
export const ALERT_RULES = (
  parse(readFileSync(ALERTS_FILE, 'utf8')) as { groups: { rules: AlertRule[] }[] }
).groups.flatMap(({ rules }) => rules);

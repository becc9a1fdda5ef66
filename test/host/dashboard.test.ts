/**
 * docs/grafana.json against the model that it claims, Grafana's dashboard JSON of schemaVersion 41 (its published types):
 * no key that Grafana does not know, panels that do not overlap, metrics and labels that the engine has, and expressions
 * that Prometheus can parse.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import * as v from 'valibot';
import { stringify } from 'yaml';
import { labelsOf, METRIC_NAMES } from '../../src/engine/report/metric-list';
import { PROMTOOL } from '../support/promtool';

const number = v.pipe(v.number(), v.integer(), v.minValue(0));
const datasource = v.strictObject({ type: v.literal('prometheus'), uid: v.literal('${datasource}') });
const gridPos = v.strictObject({ h: number, w: v.pipe(number, v.maxValue(24)), x: number, y: number });
const legend = v.strictObject({
  displayMode: v.literal('list'),
  placement: v.picklist(['bottom', 'right']),
  showLegend: v.boolean(),
  calcs: v.optional(v.array(v.string())),
});
const tooltip = v.strictObject({
  mode: v.picklist(['single', 'multi', 'none']),
  sort: v.picklist(['asc', 'desc', 'none']),
});
const colour = v.picklist(['green', 'orange', 'red', 'blue']);
const mapping = v.strictObject({
  type: v.literal('value'),
  options: v.record(
    v.pipe(v.string(), v.regex(/^\d+$/)),
    v.strictObject({ text: v.string(), index: number, color: v.optional(colour) }),
  ),
});
const steps = v.pipe(
  v.array(v.strictObject({ color: colour, value: v.nullable(v.number()) })),
  v.check((all) => all[0]?.value === null, 'the first step begins at minus infinity: null'),
);
const fieldConfig = v.strictObject({
  defaults: v.strictObject({
    unit: v.optional(v.picklist(['none', 'short', 's', 'bytes', 'pps', 'cps', 'percentunit'])),
    min: v.optional(v.number()),
    max: v.optional(v.number()),
    mappings: v.optional(v.array(mapping)),
    thresholds: v.optional(v.strictObject({ mode: v.literal('absolute'), steps })),
    color: v.strictObject({ mode: v.picklist(['thresholds', 'palette-classic']) }),
    custom: v.optional(v.record(v.string(), v.unknown())),
  }),
  overrides: v.tuple([]),
});
const target = v.strictObject({
  refId: v.pipe(v.string(), v.regex(/^[A-Z]$/)),
  datasource,
  expr: v.pipe(v.string(), v.minLength(1)),
  legendFormat: v.string(),
  range: v.boolean(),
  instant: v.boolean(),
});
const common = { id: number, title: v.pipe(v.string(), v.minLength(1)), gridPos };
const drawn = { ...common, description: v.pipe(v.string(), v.minLength(1)), datasource, fieldConfig };
const targets = v.pipe(v.array(target), v.minLength(1));
const panel = v.variant('type', [
  v.strictObject({ ...common, type: v.literal('row'), collapsed: v.literal(false), panels: v.tuple([]) }),
  v.strictObject({
    ...{ ...drawn, type: v.literal('stat'), targets },
    options: v.strictObject({
      reduceOptions: v.strictObject({ calcs: v.array(v.string()), fields: v.string(), values: v.boolean() }),
      colorMode: v.picklist(['background', 'value', 'none']),
      graphMode: v.picklist(['none', 'area']),
      textMode: v.picklist(['auto', 'value', 'value_and_name', 'name', 'none']),
      justifyMode: v.picklist(['auto', 'center']),
      orientation: v.picklist(['auto', 'vertical', 'horizontal']),
    }),
  }),
  v.strictObject({
    ...{ ...drawn, type: v.literal('timeseries'), targets },
    options: v.strictObject({ legend, tooltip }),
  }),
  v.strictObject({
    ...{ ...drawn, type: v.literal('state-timeline'), targets },
    options: v.strictObject({
      ...{ legend, tooltip, mergeValues: v.boolean(), rowHeight: v.number() },
      ...{ showValue: v.picklist(['auto', 'always', 'never']), alignValue: v.picklist(['left', 'center', 'right']) },
    }),
  }),
]);
const variable = {
  ...{ name: v.string(), label: v.string(), hide: number, includeAll: v.boolean() },
  ...{ multi: v.boolean(), options: v.tuple([]), refresh: number, regex: v.string(), skipUrlSync: v.boolean() },
};
const DASHBOARD = v.strictObject({
  ...{
    title: v.string(),
    uid: v.pipe(v.string(), v.maxLength(40)),
    description: v.string(),
    tags: v.array(v.string()),
  },
  ...{ schemaVersion: v.literal(41), version: number, editable: v.boolean(), graphTooltip: v.picklist([0, 1, 2]) },
  ...{ timezone: v.picklist(['browser', 'utc', '']), refresh: v.string(), fiscalYearStartMonth: number },
  ...{ weekStart: v.string(), links: v.tuple([]), timepicker: v.strictObject({}) },
  time: v.strictObject({ from: v.string(), to: v.string() }),
  annotations: v.strictObject({ list: v.tuple([]) }),
  templating: v.strictObject({
    list: v.array(
      v.variant('type', [
        v.strictObject({ ...variable, type: v.literal('datasource'), query: v.literal('prometheus') }),
        v.strictObject({
          ...{ ...variable, type: v.literal('query'), datasource, sort: number },
          query: v.strictObject({ query: v.string(), refId: v.string() }),
        }),
      ]),
    ),
  }),
  panels: v.array(panel),
});

const FILE = join(__dirname, '../../docs/grafana.json');
const dashboard = v.parse(DASHBOARD, JSON.parse(readFileSync(FILE, 'utf8')));
const TARGETS = dashboard.panels.flatMap((one) => (one.type === 'row' ? [] : one.targets));
const EXPRESSIONS = TARGETS.map(({ expr }) => expr);

test('the model refuses what Grafana does not know', () => {
  expect(v.safeParse(DASHBOARD, { ...dashboard, panles: [] }).success).toBe(false);
  expect(v.safeParse(DASHBOARD, { ...dashboard, schemaVersion: 16 }).success).toBe(false);
});

test('panels have ids of their own, and do not overlap', () => {
  const { panels } = dashboard;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    expect(x + w).toBeLessThanOrEqual(24);
    return Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`);
  });
  expect(new Set(cells).size).toBe(cells.length);
  for (const one of panels)
    if (one.type !== 'row') expect(one.targets.map(({ refId }) => refId).join('')).toMatch(/^A(B(C(DE?)?)?)?$/);
});

test('each metric that it names exists, with the labels that it asks for', () => {
  const queries = dashboard.templating.list.flatMap((one) => (one.type === 'query' ? [one.query.query] : []));
  const suffixes = ['', '_bucket', '_sum', '_count'];
  const own = new Set(METRIC_NAMES.flatMap((name) => suffixes.map((suffix) => name + suffix)));
  // Of prom-client's own.
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const others = registry.getMetricsAsArray().map(({ name }) => name);
  for (const text of [...EXPRESSIONS, ...queries]) {
    for (const [name] of text.matchAll(/\b(?:acsplit|process|nodejs)_\w+/g))
      expect([...own, ...others]).toContain(name);
  }
  for (const { expr, legendFormat } of TARGETS) {
    const names = expr.match(/\bacsplit_\w+/g) ?? [];
    const labels = [
      'job',
      'instance',
      'le',
      ...names.flatMap((name) => labelsOf(name.replace(/_(bucket|sum|count)$/, ''))),
    ];
    for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(labels).toContain(label);
    for (const [, label] of expr.matchAll(/(\w+)(?:=|=~|!=)"/g)) expect(labels).toContain(label);
    expect(expr).toContain('job=~"$job",instance=~"$instance"');
  }
});

test('Prometheus can parse each expression', () => {
  const directory = mkdtempSync(join(tmpdir(), 'acsplit-dashboard-'));
  const file = join(directory, 'rules.yaml');
  const rules = EXPRESSIONS.map((expr, i) => ({ record: `one:${i}`, expr: expr.replaceAll('$__rate_interval', '5m') }));
  writeFileSync(file, stringify({ groups: [{ name: 'dashboard', rules }] }));
  try {
    expect(execFileSync(PROMTOOL, ['check', 'rules', file], { encoding: 'utf8' })).toContain(
      `${rules.length} rules found`,
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

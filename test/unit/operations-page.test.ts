/** docs/operations.md and docs/alerts.yaml name exactly the existing log events, metrics and reasons. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { parse } from 'yaml';
import { described, type Described } from '../../src/configuration/described';
import { configurationSchema } from '../../src/configuration/schema';
import { Verdict } from '../../src/packet/batch';
import { labelsOf, METRIC_NAMES } from '../../src/engine/report/metric-list';
import { SIDES } from '../../src/packet/batch';
import { REASONS } from '../../src/splitter/reasons';
import { ALERT_RULES, type AlertRule } from '../support/alert-rules';

const ROOT = join(__dirname, '..', '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const PAGE = read('docs/operations.md');
const ENGINE_SOURCES = [
  ...readdirSync(join(ROOT, 'src/engine'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src/engine', name)),
  'src/cli/commands/run.ts',
];

/** First cells of the table below a heading. */
function namesBelow(heading: string): string[] {
  const section = PAGE.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `([\w-]+)`/gm)].map(([, name]) => name);
}

test('the page has every event that the engine logs, and no other', () => {
  const logged = ENGINE_SOURCES.flatMap((file) =>
    [...read(file).matchAll(/\bevent: '([a-z-]+)'/g)].map(([, name]) => name),
  );
  expect(logged.length).toBeGreaterThan(8);
  expect(namesBelow('The log').sort()).toEqual([...new Set(logged)].sort());
});

test('a line of the log is an event with a name: nothing is logged without one', () => {
  for (const file of ENGINE_SOURCES) {
    for (const [call] of read(file).matchAll(/\blog\.(?:info|warn|error)\(\s*\S+\s+\S+/g)) {
      expect(call).toMatch(/\(\s*\{\s+event:$/);
    }
  }
});

describe('the configuration', () => {
  const section = PAGE.split('\n### The configuration\n')[1]?.split('\n### ')[0] ?? '';
  type Row = [key: string, value: string | undefined];
  const own = [...section.matchAll(/^\| `([\w.[\]]+)` +\| (?:`([^`]*)`|–) +\|/gm)].map(([, key, value]): Row => [
    key!,
    value,
  ]);
  // The lives have one table, which the section links to.
  const lives = read('docs/architecture.md').split('\n## Lives\n')[1]?.split('\n## ')[0] ?? '';
  const ofTtl = [...lives.matchAll(/^\| `(\w+)` +\| (\d+) +\|/gm)].map(([, key, value]): Row => [`ttl.${key}`, value]);
  const rows = own.flatMap((row) => (row[0] === 'ttl' ? ofTtl : [row]));
  const sentence = /A restart is needed for (.*?); SIGHUP\s+applies all other keys\./s.exec(section)?.[1] ?? '';
  const needRestart = [...sentence.matchAll(/`([\w.]+)`/g)].map(([, key]) => key);

  /** `cpe.interface`, `collectors[].name`, … with what each means. */
  function keysOf({ entries = {} }: Described): [key: string, means: string][] {
    return Object.entries(entries).flatMap(([key, entry]): [string, string][] => {
      const inner = entry.entries ? entry : entry.item?.entries ? entry.item : undefined;
      if (!inner) return [[key, entry.means]];
      return keysOf(inner).map(([name, means]) => [`${key}${inner === entry ? '' : '[]'}.${name}`, means]);
    });
  }
  const known = keysOf(described(configurationSchema));

  test('the page has every key, and no other', () => {
    expect(rows.map(([key]) => key).sort()).toEqual(known.map(([key]) => key).sort());
  });

  test('in the words of the schema, and links beside them', () => {
    const written = [...`${section}${lives}`.matchAll(/^\| `([\w.[\]]+)` +\| [^|]* \| ([^|]+?) +\|/gm)].map(
      ([, key, words]) => [
        key!,
        words!
          .replaceAll(/ \(\[[^\]]*\]\([^)]*\)\)|: \[[^\]]*\]\([^)]*\)/g, '')
          .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1'),
      ],
    );
    const wanted = known.map(([key, means]) => [key.replace(/^ttl\./, ''), means]);
    expect(written.filter(([key]) => key !== 'ttl').sort()).toEqual(wanted.sort());
  });

  test('with its default', () => {
    const yaml = /```yaml\n(.*?)```/s.exec(read('README.md'))![1];
    const defaults = v.parse(configurationSchema, { ...(parse(yaml!) as object), history: {}, probe: {} }) as Record<
      string,
      unknown
    >;
    for (const [key, value] of rows) {
      if (value === undefined) continue;
      const found = key.split('.').reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], defaults);
      expect([key, found]).toEqual([key, parse(value)]);
    }
  });

  test('and whether a reload takes it', () => {
    const source = read('src/engine/supervisor/reload.ts');
    for (const [key] of rows) {
      if (key.startsWith('collectors') || key === 'onEngineDown') continue;
      const isRefused = source.includes(`'${key}'`) || source.includes(`    ${key}: `);
      expect([key, needRestart.includes(key)]).toEqual([key, isRefused]);
    }
    expect(rows.map(([key]) => key)).toEqual(expect.arrayContaining(needRestart));
  });
});

test('every message that the page explains is one that a command says', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(join('src', name)))
    .join('\n');
  const section = PAGE.split('\n### What the commands say\n')[1]?.split('\n#')[0] ?? '';
  const messages = [...section.matchAll(/^\| `([^`]+)`/gm)].map(([, message]) => message);
  expect(messages.length).toBeGreaterThan(5);
  for (const message of messages) expect(sources).toContain(message);
});

test('the page has every metric, and no other', () => {
  expect(namesBelow('Metrics').sort()).toEqual([...METRIC_NAMES].sort());
});

test('the page has every reason that drops', () => {
  const section = PAGE.split('\n### Reasons that drop\n')[1]?.split('\n### ')[0] ?? '';
  const told = [...section.matchAll(/^\| ([^|]+)\|/gm)].flatMap(([, cell]) => [...cell.matchAll(/`([a-z-]+)`/g)]);
  const dropping = REASONS.filter(([, verdict]) => verdict === Verdict.Drop).map(([name]) => name);
  expect(told.map(([, name]) => name).sort()).toEqual([...dropping].sort());
});

describe('alert rules', () => {
  const suffixes = ['', '_bucket', '_sum', '_count'];
  test.each(ALERT_RULES.map((rule): [string, AlertRule] => [rule.alert, rule]))(
    '%s asks for metrics that there are',
    (_, rule) => {
      const names = rule.expr.match(/\bacsplit_\w+/g) ?? [];
      // `up` is Prometheus' own.
      if (!/\bup\{/.test(rule.expr)) expect(names.length).toBeGreaterThan(0);
      for (const name of names) {
        expect(METRIC_NAMES.flatMap((one) => suffixes.map((suffix) => one + suffix))).toContain(name);
      }
      const labels = [
        'job',
        'instance',
        ...names.flatMap((name) => labelsOf(name.replace(/_(bucket|sum|count)$/, ''))),
      ];
      const asked = [...rule.expr.matchAll(/(\w+)="(\w+)"/g)];
      for (const [, label, value] of asked) {
        expect(labels).toContain(label);
        if (label === 'side') expect(SIDES).toContain(value);
      }
      for (const [, label] of rule.annotations.summary.matchAll(/\$labels\.(\w+)/g)) expect(labels).toContain(label);
      // What is true or false is compared with one or the other.
      expect(rule.expr).not.toMatch(/acsplit_(ready|paused) [=!]= (?![01]\b)/);
      expect(['critical', 'warning', 'info']).toContain(rule.labels.severity);
      expect(rule.annotations.summary).toMatch(/[.?]$/);
    },
  );

  test.each(ALERT_RULES.map((rule): [string, AlertRule] => [rule.alert, rule]))(
    '%s has its section on the page',
    (_, rule) => {
      const anchors = [...PAGE.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
        title
          .toLowerCase()
          .replace(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      );
      const [, anchor] =
        /^\{\{ or \$externalLabels\.acsplit_docs "file:\/\/\/usr\/share\/doc\/acsplit\/docs" \}\}\/operations\.md#([\w-]+)$/.exec(
          rule.annotations.runbook_url,
        ) ?? [];
      expect(anchors).toContain(anchor);
    },
  );

  test('it is where runbook_url says once the Debian package is installed', () => {
    const debian = (name: string) => readFileSync(join(__dirname, '../../debian', name), 'utf8');
    expect(debian('acsplit.docs').split('\n')).toContain('docs');
    expect(debian('rules')).toMatch(/^override_dh_compress:\n\tdh_compress -X\.md$/m);
  });

  test('links within the page lead somewhere', () => {
    const anchors = [...PAGE.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
      title
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    );
    for (const [, anchor] of PAGE.matchAll(/\]\(#([\w-]+)\)/g)) expect(anchors).toContain(anchor);
  });
});

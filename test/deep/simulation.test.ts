/**
 * The simulation, short, with a fresh seed each time; a failure names the command that repeats it. And the simulation
 * judged: it repeats itself, its checkers know nothing of the core, and bugs planted in the core are found.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as ts from 'typescript';
import { commandOf, DEFAULTS, type SimOptions, TROUBLES } from '../sim/options';
import { broken, call } from '../sim/breaking';
import { Scratch } from '../sim/planted-bugs';
import { PLANTS } from '../sim/plants';
import { summaryOf } from '../sim/report';
import { shrink } from '../sim/shrink';
import { variedOptions } from '../sim/varied';
import { readOrder } from '../sim/words';
import { type SimResult, World } from '../sim/world';

const ROOT = resolve(__dirname, '..', '..');
const LOADER = ['-r', join(ROOT, 'scripts', 'typescript.js')];
const SIM = join(ROOT, 'test', 'sim');
const MAIN = join(SIM, 'main.ts');

jest.setTimeout(300_000);

/** Runs, and on a failure looks for the shortest run that shows it. */
function mustHold(options: SimOptions): SimResult {
  const result = new World(options).run();
  if (result.failure === undefined) return result;
  const shortest = shrink(result);
  throw new Error(`${shortest.failure!.message}\nrepeat: ${commandOf(shortest.options)}\n${summaryOf(result)}`);
}

describe('with a fresh seed', () => {
  const seed = randomInt(0x7fffff00);

  test(`a town in which everybody gets sessions (npm run sim -- --seed ${seed})`, () => {
    const { sessions, sessionsAt } = mustHold({ ...DEFAULTS, cpes: 60, hours: 0.5, seed });
    expect(sessions).toBeGreaterThan(250);
    expect(Math.min(...sessionsAt)).toBeGreaterThan(10);
  });

  test('an attacker and misbehaving CPEs alone break no honest session, and every collector gets its own', () => {
    const without = TROUBLES.filter((trouble) => trouble !== 'attacker' && trouble !== 'hostile');
    const { cpe, sessionsAt } = mustHold({ ...DEFAULTS, cpes: 25, hours: 0.5, pollSeconds: 200, without, seed });
    expect(cpe.completed).toBeGreaterThan(0.85 * cpe.sessions);
    expect(Math.min(...sessionsAt)).toBeGreaterThan(10);
  });

  test('over IPv6', () => {
    expect(mustHold({ ...DEFAULTS, cpes: 40, hours: 0.5, family: 'ipv6', seed }).sessions).toBeGreaterThan(50);
  });

  // A long run is `npm run sim -- --runs N`.
  test.each([1, 2, 3])('a run of any kind, drawn from the seed and %i', (nth) => {
    expect(mustHold(variedOptions(seed + nth, 10)).packets).toBeGreaterThan(0);
  });
});

describe('the same seed gives the same run', () => {
  const words = ['--seed', '42', '--cpes', '40', '--hours', '0.2'];
  const output = () => execFileSync(process.execPath, [...LOADER, MAIN, ...words], { encoding: 'utf8', stdio: 'pipe' });

  test('to the last packet, and the last line of the output says so', () => {
    const first = output();
    expect(first).toBe(output());
    expect(first.trimEnd().split('\n').at(-1)).toMatch(/^transcript sha256 [0-9a-f]{64}$/);
  });

  test('another seed gives another', () => {
    const transcript = (seed: number) => new World({ ...DEFAULTS, cpes: 10, hours: 0.1, seed }).run().transcript;
    expect(transcript(1)).toBe(transcript(1));
    expect(transcript(1)).not.toBe(transcript(2));
  });
});

test.each([
  [['--without', 'sense'], "no trouble is named 'sense'"],
  [['--cpes', 'many'], '--cpes is no number'],
  [['--family', 'ipv5'], "--family is 'ipv5', and must be one of ipv4, ipv6"],
  [['--load', 'heavy'], "--load is 'heavy', and must be one of hourly, polling, storm"],
  [['--sed', '1'], "Unknown option '--sed'"],
])('wrong words are named: %j', (words, message) => {
  expect(() => readOrder(words)).toThrow(message);
});

describe('checkers and hosts are strangers to the core', () => {
  const files = readdirSync(SIM).filter((name) => name.endsWith('.ts'));
  /** The one that drives the core. */
  const DRIVER = 'splitter-box.ts';
  /** Beside the driver's column layout, only the simulation's own files and Node's modules. */
  const importsOf = (name: string): string[] => {
    const found: string[] = [];
    const source = readFileSync(join(SIM, name), 'utf8');
    const visit = (node: ts.Node): void => {
      const parent = node.parent as ts.Node | undefined;
      const isCall =
        parent !== undefined &&
        ts.isCallExpression(parent) &&
        /^(require|import|load)$/.test(parent.expression.getText());
      const isImport = parent !== undefined && (ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent));
      if (ts.isStringLiteral(node) && (isImport || isCall)) found.push(node.text);
      node.forEachChild(visit);
    };
    visit(ts.createSourceFile(name, source, ts.ScriptTarget.ES2022, true));
    return found;
  };

  test.each(files.filter((name) => name !== DRIVER))('%s imports nothing of src', (name) => {
    expect(importsOf(name).filter((path) => /(^|\/)src(\/|$)/.test(path))).toEqual([]);
  });

  test('the driver does, and is seen to', () => {
    expect(importsOf(DRIVER)).toEqual(
      expect.arrayContaining(['../../src/splitter/splitter', '../../src/packet/batch']),
    );
  });
});

describe('planted bugs', () => {
  test.each(PLANTS.map((plant) => [plant.what, plant] as const))('its place still exists: %s', (_what, plant) => {
    const source = readFileSync(join(ROOT, 'src', plant.file), 'utf8');
    expect(broken(source, plant)).not.toBe(source);
  });

  test('a missing or ambiguous place is an error; reformatted code is not', () => {
    const of = (body: string) => `class Rows { open(): void { ${body} } }`;
    const plant = { within: 'Rows.open', place: call('find'), becomes: '-1' };
    expect(broken(of('const slot = this.table\n.find( key );'), plant)).toBe(of('const slot = -1;'));
    expect(() => broken(of('this.findOwned();'), plant)).toThrow('Rows.open: found 0 times: call of find');
    expect(() => broken(of('find(); find();'), plant)).toThrow('found 2 times: call of find');
    expect(() => broken('class Rows {}', plant)).toThrow('found 0 times: Rows.open');
  });

  // In a process of its own, which loads a broken core again and again. The late ones: npm run sim -- --planted.
  test('each of more than fifteen that are found soon is found, with a fresh seed', () => {
    const seed = String(randomInt(0x7fffff00));
    const words = [...LOADER, MAIN, '--planted', '--soon', '--seed', seed];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    const missed = stdout.split('\n').filter((line) => line.includes('**missed**'));
    expect([...missed, stderr]).toEqual(['']);
    expect(Number(/^(\d+) of \d+ found/m.exec(stdout)![1])).toBeGreaterThan(15);
    expect(status).toBe(0);
  });

  test('a failure is shrunk to a shorter run that fails alike', () => {
    const scratch = new Scratch();
    try {
      const plant = PLANTS.find(({ what }) => what === 'a 401 arms')!;
      const simulation = scratch.load(plant);
      // Chosen once: a run of some length before the bug shows.
      const failed = new simulation.World({ ...DEFAULTS, cpes: 20, seed: 3 }).run();
      expect(failed.packets).toBeGreaterThan(100);
      const shortest = simulation.shrink(failed);
      expect(shortest.failure!.check).toBe(failed.failure!.check);
      expect(shortest.packets).toBeLessThan(failed.packets);
      const again = new simulation.World(shortest.options).run();
      expect(again.failure!.message).toBe(shortest.failure!.message);
    } finally {
      scratch.remove();
    }
  });
});

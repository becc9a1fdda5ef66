/** docs/library.md: its example prints the output shown, and the page names exactly what src/index.ts exports. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import * as library from '../../src';
import { PacketBatch, PacketFlag, Side, SIDES, Verdict } from '../../src';

const ROOT = join(__dirname, '..', '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const PAGE = read('docs/library.md');
const EXAMPLE = /^```ts\n(.*?)^```/ms.exec(PAGE)?.[1] ?? '';
const { toJavaScript } = jest.requireActual<{ toJavaScript: (text: string, file: string) => string }>(
  '../../scripts/typescript.js',
);

/** What the program prints, a line a call. `acsplit` is src/index.ts, and there is nothing else to require. */
function run(program: string): string[] {
  const printed: string[] = [];
  runInNewContext(toJavaScript(program, 'library-page-example.ts'), {
    exports: {},
    module: {},
    console: { log: (...words: unknown[]) => printed.push(words.join(' ')) },
    require: (name: string) => {
      if (name !== 'acsplit') throw new Error(`the example requires ${name}`);
      return library;
    },
    // Those of the library's own realm: its arrays are views of this memory.
    ArrayBuffer,
  });
  return printed;
}

test('the example prints what its comments say', () => {
  const expected = [...EXAMPLE.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
  expect(expected.length).toBeGreaterThan(5);
  expect(expected).toHaveLength(EXAMPLE.split('console.log').length - 1);
  expect(run(EXAMPLE)).toEqual(expected);
});

test('the table has every export, and no other', () => {
  const exported = [...read('src/index.ts').matchAll(/^export \{(.*?)\} from/gms)].flatMap(([, names]) =>
    names
      .split(',')
      .map((name) => name.trim().replace(/^type /, ''))
      .filter((name) => name !== ''),
  );
  expect(exported).toEqual(expect.arrayContaining(Object.keys(library)));
  const section = PAGE.split('\n## What is exported\n')[1]?.split('\n## ')[0] ?? '';
  const told = [...section.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  expect(told.sort()).toEqual(exported.sort());
});

test('the shapes are as the page has them', () => {
  const enumeration = (name: string) => {
    const row = new RegExp(`^\\| \`${name}\` +\\|(.*)\\|$`, 'm').exec(PAGE)?.[1] ?? '';
    return Object.fromEntries([...row.matchAll(/`(\w+)` (-?\d+)/g)].map(([, key, value]) => [key, Number(value)]));
  };
  expect(enumeration('Side')).toEqual({ Cpe: Side.Cpe, Itms: Side.Itms, Collector: Side.Collector, Host: Side.Host });
  expect(Object.keys(enumeration('Side'))).toHaveLength(SIDES.length);
  expect(enumeration('Verdict')).toEqual({
    Undecided: Verdict.Undecided,
    Drop: Verdict.Drop,
    Accept: Verdict.Accept,
    AcceptRewritten: Verdict.AcceptRewritten,
  });
  expect(enumeration('PacketFlag')).toEqual({
    ChecksumNotReady: PacketFlag.ChecksumNotReady,
    Gso: PacketFlag.Gso,
    Truncated: PacketFlag.Truncated,
    Snapped: PacketFlag.Snapped,
  });
  // 64 bytes of header, 7 columns, slots of 69 632 bytes.
  expect(PAGE).toMatch(/^\| header +\| 64 .*\n\| columns +\| 7 × 4 × capacity .*\n\| slots +\| 69 632 × capacity /m);
  expect(PacketBatch.regionBytes(64)).toBe(64 + 7 * 4 * 64 + 69_632 * 64);
  expect(PacketBatch.slotsOffset(64)).toBe(64 + 7 * 4 * 64);
});

test.each([
  [1024, 2 ** 20],
  [1_048_576, 2 ** 20],
])('the memory for %d entries is about what the page says', (capacityEntries, fixedBytes) => {
  const topology = { cpe: { interfaces: [], address: { ipv4: '10.1.0.1' }, networks: [] } };
  const bytes = library.Splitter.bufferBytes(capacityEntries, topology as unknown as library.Topology);
  expect(PAGE).toContain('about 227 bytes for each entry of\ncapacity and family, plus 1 MiB');
  expect(Math.abs(bytes - capacityEntries * 227 - fixedBytes) / bytes).toBeLessThan(0.15);
});

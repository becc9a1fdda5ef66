/** The folders are the architecture: imports go strictly downwards, and the core knows no system (docs/architecture.md). */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import * as ts from 'typescript';
import * as library from '../../src';

const SRC = resolve(__dirname, '../../src');
const RANKS: Record<string, number> = {
  packet: 0,
  tables: 1,
  splitter: 2,
  cluster: 2,
  configuration: 3,
  engine: 3,
  replay: 3,
  steering: 3,
  doctor: 4,
  lab: 4,
  cli: 5,
};
/** Rooms of the engine that run in, or speak for, one process: what each may import of the others. */
const ENGINE_ROOMS: Record<string, readonly string[]> = {
  shared: [],
  worker: ['shared'],
  control: ['shared'],
  report: ['shared'],
  page: ['shared', 'control', 'report'],
  recorder: ['shared'],
  cluster: ['shared'],
  supervisor: ['shared', 'control', 'report', 'page'],
};
/** Folders with a face, and how many words its path has: others import that, never a file inside. */
const FACES: Record<string, number> = { engine: 1, steering: 2 };
/** src/index.ts, the library's entry, is one rank above the core. */
const LIBRARY = { name: 'index.ts', rank: 3 };
const CORE_RANK = 2;
const BANNED = new Set([
  'Date',
  'process',
  'performance',
  'console',
  'globalThis',
  'crypto',
  'setTimeout',
  'setInterval',
]);

interface SourceFile {
  name: string;
  folder: string;
  rank: number;
  tree: ts.SourceFile;
}

const files: SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => {
    const folder = name.split(sep)[0];
    const rank = folder === LIBRARY.name ? LIBRARY.rank : RANKS[folder];
    const text = readFileSync(join(SRC, name), 'utf8');
    return { name, folder, rank, tree: ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true) };
  });

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  node.forEachChild((child) => visit(child, see));
}

/** What a file imports, however it does. */
function importsOf({ tree }: SourceFile): string[] {
  const found: string[] = [];
  visit(tree, (node) => {
    const parent = node.parent as ts.Node | undefined;
    if (!ts.isStringLiteral(node) || !parent) return;
    const isCall = ts.isCallExpression(parent) && /^(require|import)$/.test(parent.expression.getText());
    const isImport = ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent);
    if (isImport || isCall || ts.isExternalModuleReference(parent)) found.push(node.text);
  });
  return found;
}

/** Why this import may not be; undefined when it may. */
function objection(file: SourceFile, imported: string): string | undefined {
  if (!imported.startsWith('.')) {
    return file.rank <= CORE_RANK ? `${file.name}: the core imports no package, found ${imported}` : undefined;
  }
  const path = relative(SRC, resolve(SRC, file.name, '..', imported)).split(sep);
  const [target, room] = path;
  if (target === file.folder) return target === 'engine' ? objectionInEngine(file, room) : undefined;
  const isLower = RANKS[target] < file.rank && (file.folder !== LIBRARY.name || RANKS[target] <= CORE_RANK);
  if (!isLower) return `${file.name} (${file.folder}) may not import ${imported}`;
  if (path.length > (FACES[target] ?? Infinity)) return `${file.name} reaches into ${target}: ${imported}`;
  return undefined;
}

/** Within the engine: no file of one process imports the other's, and only the face sees all rooms. */
function objectionInEngine({ name }: SourceFile, target: string): string | undefined {
  const room = name.split(sep)[1];
  if (room === 'index.ts' || target === room) return undefined;
  return ENGINE_ROOMS[room]?.includes(target) ? undefined : `${name} (engine/${room}) may not import engine/${target}`;
}

test('every file lies in a folder that has a rank', () => {
  expect(files.filter(({ rank }) => rank === undefined).map(({ name }) => name)).toEqual([]);
  expect(files.length).toBeGreaterThan(20);
});

test('imports go strictly downwards; folders of one rank do not know each other; the library is the core', () => {
  const objections = files.flatMap((file) => importsOf(file).map((imported) => objection(file, imported)));
  expect(objections.filter(Boolean)).toEqual([]);
  expect(objections.length).toBeGreaterThan(50);
});

test.each([
  ['engine/worker/main.ts', '../supervisor/supervisor', /engine\/worker\) may not import engine\/supervisor/],
  ['engine/control/operations.ts', '../supervisor/held-state', /engine\/control\) may not import engine\/supervisor/],
  ['engine/supervisor/supervisor.ts', '../worker/main', /may not import engine\/worker/],
  ['engine/shared/binding.ts', '../worker/main', /may not import engine\/worker/],
  ['cli/ask.ts', '../engine/control/ask', /reaches into engine/],
  ['doctor/rules.ts', '../steering/iptables/check', /reaches into steering/],
  ['splitter/splitter.ts', '../engine', /may not import/],
  ['configuration/schema.ts', '../steering/iptables', /may not import/],
  ['tables/ttl-table.ts', 'node:fs', /imports no package/],
])('%s importing %s is objected to', (name, imported, complaint) => {
  const file = files.find((one) => one.name === name);
  expect(file && objection(file, imported)).toMatch(complaint);
});

test('packet, tables and splitter have no clock, no chance, no output, no system', () => {
  const found: string[] = [];
  for (const file of files.filter(({ rank }) => rank <= CORE_RANK)) {
    visit(file.tree, (node) => {
      const isBanned = ts.isIdentifier(node) && BANNED.has(node.text);
      const isChance = ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random';
      if (isBanned || isChance) found.push(`${file.name}: ${node.getText()}`);
    });
  }
  expect(found).toEqual([]);
});

test('the library offers the splitter', () => {
  expect(Object.keys(library)).toEqual(expect.arrayContaining(['Splitter', 'PacketBatch', 'REASONS', 'reasonName']));
});

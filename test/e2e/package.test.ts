/**
 * What `npm pack` ships: exactly what it must, from a clean build; and that it works where it is installed, with nothing beside it
 * but the packages it depends on, and builds its addons where the shipped ones do not load.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

jest.setTimeout(300_000);

const ROOT = join(__dirname, '..', '..');
/** Everything that a package is made from; a stale dist/ of this checkout is not among it. */
const SOURCES = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'SECURITY.md',
  'binding.gyp',
  'cluster',
  'docs',
  'iptables',
  'native',
  'src',
  'systemd',
];
const ADDONS = ['build/Release/acsplit.node', 'build/Release/fast_path.node'];
/** What stands beside them in a checkout, and what building takes. */
const MORE = [
  ...['package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts', 'test/support', 'jest.config.js'],
  'page',
];

/** The optimizer would take most of the addon's build, and no packet passes this one. */
const UNOPTIMIZED = { CXXFLAGS: '-O0' };

let scratch: string;
let files: string[];
let tarball: string;
/** Where npm would have put it. */
let installed: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'acsplit-package-'));
  const checkout = join(scratch, 'checkout');
  // With their times, so that addons that are up to date are not built again.
  for (const name of [...SOURCES, ...MORE, ...ADDONS])
    cpSync(join(ROOT, name), join(checkout, name), { recursive: true, preserveTimestamps: true });
  // What an earlier build may have left behind.
  mkdirSync(join(checkout, 'dist'));
  writeFileSync(join(checkout, 'dist', 'stale.js'), '');
  symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'));
  const said = run('npm', ['pack', '--json', '--pack-destination', scratch], checkout);
  const [packed] = JSON.parse(said.slice(said.indexOf('['))) as [{ filename: string; files: { path: string }[] }];
  files = packed.files.map(({ path }) => path).sort();
  tarball = join(scratch, packed.filename);
  installed = install();
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function run(program: string, words: string[], cwd: string, more: NodeJS.ProcessEnv = {}): string {
  const env = { ...environment(), ...more };
  return execFileSync(program, words, { cwd, encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Node's own headers where they came with it, so that nothing is downloaded; as in scripts/setup.sh. */
function environment(): NodeJS.ProcessEnv {
  const prefix = dirname(dirname(process.execPath));
  const hasHeaders = existsSync(join(prefix, 'include', 'node', 'node_api.h'));
  return { ...process.env, ...(hasHeaders ? { npm_package_config_node_gyp_nodedir: prefix } : {}) };
}

/** As `npm install` lays it out, without asking a registry: the package itself, its dependencies as links. */
function install(): string {
  const modules = join(scratch, 'elsewhere', 'node_modules');
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  for (const [path, { dev, devOptional }] of Object.entries(lock.packages)) {
    if (dev === true || devOptional === true || !/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path)) continue;
    const link = join(scratch, 'elsewhere', path);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, path), link);
  }
  run('tar', ['-xzf', tarball, '-C', modules], scratch);
  const target = join(modules, 'acsplit');
  cpSync(join(modules, 'package'), target, { recursive: true });
  rmSync(join(modules, 'package'), { recursive: true });
  return target;
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1));
}

describe('npm pack', () => {
  test('its top level', () => {
    expect([...new Set(files.map((path) => path.split('/')[0]))]).toEqual(
      [...SOURCES.filter((name) => name !== 'src'), 'build', 'dist', 'package.json'].sort(),
    );
  });

  test('dist/ is src/ and page/, compiled, and nothing else', () => {
    const compiled = filesBelow('src').flatMap((path) =>
      ['.js', '.d.ts'].map((extension) => path.replace(/^src/, 'dist').replace(/\.ts$/, extension)),
    );
    // And the JSON Schema of the configuration, which comes of it, and the page.
    const more = [
      'acsplit.schema.json',
      ...['icon.svg', 'index.html', 'page.css', 'page.js'].map((name) => `page/${name}`),
    ];
    const expected = [...compiled, ...more.map((name) => `dist/${name}`)];
    expect(files.filter((path) => path.startsWith('dist/'))).toEqual(expected.sort());
  });

  test.each(['native', 'iptables', 'docs', 'systemd', 'cluster'])('%s/ is whole', (folder) => {
    expect(files.filter((path) => path.startsWith(`${folder}/`))).toEqual(filesBelow(folder).sort());
  });

  test('no test, no capture, no key, nothing built natively but the addons and the BPF programs', () => {
    // The BPF programs are for every machine alike, the addons for this architecture: users need neither clang nor g++.
    expect(files.filter((path) => /\.(test\.\w+|pcap(ng)?|pem|key|node|o|map|env)$/.test(path))).toEqual([
      ...ADDONS,
      'native/fast-path/carry.bpf.o',
      'native/fast-path/probe.bpf.o',
    ]);
  });

  test('what package.json points to is there', () => {
    const { main, types, bin, exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      main: string;
      types: string;
      bin: { acsplit: string };
      exports: Record<string, unknown>;
    };
    for (const path of [main, types, bin.acsplit]) expect(files).toContain(path);
    // Old tools read `main` and `types`, new ones `exports`: both lead to the same files.
    expect(exports).toEqual({
      '.': { types: `./${types}`, default: `./${main}` },
      './package.json': './package.json',
    });
    expect(readFileSync(join(installed, bin.acsplit), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });
});

describe('installed elsewhere', () => {
  const acsplit = (...words: string[]) =>
    spawnSync(process.execPath, [join(installed, 'dist/cli/main.js'), ...words], { encoding: 'utf8', cwd: scratch });
  const addonFinding = (configuration: string) => {
    const { stdout } = acsplit('doctor', '--json', '-c', configuration);
    const { findings } = JSON.parse(stdout) as { findings: { check: string; level: string; mend: string }[] };
    return findings.filter(({ check }) => check === 'addon');
  };

  test('the command line and the library work, the library without the addon', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(acsplit('--version')).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' });
    const program = `console.log(typeof require('acsplit').Splitter)`;
    expect(run(process.execPath, ['-e', program], dirname(dirname(installed)))).toBe('function\n');
  });

  describe('a user of the library', () => {
    const PROGRAM = [
      `import { buildTcp, PacketBatch, Reason, TcpFlag, Verdict, VERDICTS } from 'acsplit';`,
      `const ends = { source: '10.1.2.3', destination: '10.1.0.1', sourcePort: 1, destinationPort: 7547 };`,
      `const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);`,
      `batch.push(0, buildTcp({ ...ends, flags: TcpFlag.Syn }));`,
      `console.log(VERDICTS[Reason.ToItms] === Verdict.AcceptRewritten, batch.count);`,
    ].join('\n');
    const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
    const elsewhere = () => dirname(dirname(installed));
    const NOT_EXPORTED = ['dist/index.js', 'dist/splitter/splitter', 'dist/splitter/splitter.js', 'dist/cli/main.js'];
    let example: string;
    /** What the compiler prints about each file: nothing, or the errors. */
    const complaints = new Map<string, string[]>();

    /** No types of Node's, file by file; all files of one way to resolve modules at once. */
    function compile(sources: Record<string, string>, options: object): void {
      for (const [name, text] of Object.entries(sources)) writeFileSync(join(elsewhere(), name), text);
      const given = { isolatedModules: true, strict: true, target: 'es2022', types: [], skipDefaultLibCheck: true };
      const compilerOptions = { ...given, ...options };
      const files = Object.keys(sources);
      writeFileSync(join(elsewhere(), 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
      const lines = spawnSync(process.execPath, [TSC], { encoding: 'utf8', cwd: elsewhere() }).stdout.split('\n');
      const isAbout = (line: string, name: string) => line.startsWith(`${name}(`);
      // What is about no file of ours is about all of them, such as an error in a declaration of the package.
      const others = lines.filter((line) => line !== '' && !files.some((name) => isAbout(line, name)));
      for (const name of files) complaints.set(name, [...lines.filter((line) => isAbout(line, name)), ...others]);
    }

    beforeAll(() => {
      example = /^```ts\n(.*?)^```/ms.exec(readFileSync(join(installed, 'docs/library.md'), 'utf8'))![1];
      const deep = NOT_EXPORTED.map((path, n) => [
        `deep-${n}.ts`,
        `import 'acsplit/${path}';\nexport * from 'acsplit/${path}';`,
      ]);
      const ofToday = { 'use.ts': PROGRAM, 'use.mts': PROGRAM, 'example.ts': example };
      compile({ ...ofToday, ...(Object.fromEntries(deep) as Record<string, string>) }, { module: 'node16' });
      compile({ 'old.ts': PROGRAM }, { module: 'commonjs', moduleResolution: 'node10' });
      compile({ 'bundled.ts': PROGRAM }, { module: 'esnext', moduleResolution: 'bundler', noEmit: true });
    });

    test.each([
      ['CommonJS', 'use.ts', 'use.js'],
      ['ES modules', 'use.mts', 'use.mjs'],
      ['an older resolution, which knows no exports', 'old.ts', 'old.js'],
    ])('compiles and runs: %s', (_, source, compiled) => {
      expect(complaints.get(source)).toEqual([]);
      expect(run(process.execPath, [compiled], elsewhere())).toBe('true 1\n');
    });

    test('compiles and runs the example of docs/library.md', () => {
      expect(complaints.get('example.ts')).toEqual([]);
      const printed = [...example.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => `${text}\n`);
      expect(run(process.execPath, ['example.js'], elsewhere())).toBe(printed.join(''));
      writeFileSync(join(elsewhere(), 'plain.mjs'), example);
      expect(run(process.execPath, ['plain.mjs'], elsewhere())).toBe(printed.join(''));
    });

    test('compiles for a bundler', () => {
      expect(complaints.get('bundled.ts')).toEqual([]);
    });

    test.each(NOT_EXPORTED.map((path, n) => [path, `deep-${n}.ts`]))(
      'does not get at acsplit/%s, which is no part of the library',
      (path, source) => {
        expect(existsSync(join(installed, path.endsWith('.js') ? path : `${path}.js`))).toBe(true);
        for (const program of [`require('acsplit/${path}')`, `import('acsplit/${path}')`]) {
          const { status, stderr } = spawnSync(process.execPath, ['-e', program], {
            encoding: 'utf8',
            cwd: elsewhere(),
          });
          expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
          expect(status).not.toBe(0);
        }
        const cannotFind = expect.stringContaining('TS2307: Cannot find module') as string;
        expect(complaints.get(source)).toEqual([cannotFind]);
      },
    );

    test('reads the version from acsplit/package.json', () => {
      const program = `console.log(require('acsplit/package.json').name)`;
      expect(run(process.execPath, ['-e', program], elsewhere())).toBe('acsplit\n');
    });
  });

  test('replay is one file that needs no package, and carries the licences of those in it', () => {
    const file = join(installed, 'dist/cli/replay-alone.js');
    const text = readFileSync(file, 'utf8');
    const wanted = [...text.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name]) => name);
    expect(wanted.filter((name) => !isBuiltin(name))).toEqual([]);
    for (const name of ['valibot', 'yaml', 'yargs'])
      expect(text).toMatch(new RegExp(`^${name}\\n\\n.*Copyright`, 'ms'));
    const fixtures = join(ROOT, 'test', 'fixtures');
    const words = [
      'replay',
      join(fixtures, 'cpe-syn-before-collector-fin.pcap'),
      '-c',
      join(fixtures, 'topology.yaml'),
    ];
    expect(acsplit(...words)).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(/ diverted$/m) as string,
    });
  });

  describe('its addon', () => {
    /** As npm runs it, where there is no compiler. */
    const installation = (npm_command: string) => {
      const env = { PATH: '/nowhere', npm_command };
      const { status, stdout, stderr } = spawnSync(process.execPath, ['native/install.js'], {
        encoding: 'utf8',
        cwd: installed,
        env,
      });
      return { status, said: (stdout + stderr).replace(/^.*node-gyp.*\n/m, '') };
    };
    let configuration: string;
    beforeAll(() => {
      configuration = join(scratch, 'acsplit.yaml');
      const example = /```yaml\n(.*?)```/s.exec(readFileSync(join(installed, 'README.md'), 'utf8'))![1];
      writeFileSync(configuration, example);
    });

    test('loads as it is shipped: nothing is built', () => {
      expect(installation('install')).toEqual({ status: 0, said: '' });
      expect(addonFinding(configuration)).toMatchObject([{ level: 'ok' }]);
    });

    test('asks for no newer system than docs/operations.md says', () => {
      const [, floor] = /glibc (2\.\d+) or newer/.exec(readFileSync(join(installed, 'docs/operations.md'), 'utf8'))!;
      const symbols = ADDONS.map((name) => readFileSync(join(installed, name), 'latin1')).join('');
      const asked = [...symbols.matchAll(/GLIBC_2\.(\d+)\b/g)].map(([, minor]) => Number(minor));
      expect(`2.${Math.max(...asked)}`).toBe(floor);
    });

    test('that is not there, and cannot be built, does not keep the rest from being installed', () => {
      rmSync(join(installed, 'build'), { recursive: true });
      const said = `acsplit: no prebuilt addon for this linux-${process.arch}, and it could not be built (docs/operations.md says what building takes). \`acsplit run\` needs the addon; the library and \`acsplit replay\` do not.\n`;
      expect(installation('install')).toEqual({ status: 0, said });
      expect(installation('run')).toEqual({ status: 1, said });
    });

    test('is missed by doctor, whose command builds it', () => {
      const [found, ...others] = addonFinding(configuration);
      expect(others).toEqual([]);
      expect(found).toMatchObject({ level: 'failure', mend: `npm --prefix ${installed} run install` });
      run('sh', ['-c', found.mend], scratch, UNOPTIMIZED);
      expect(addonFinding(configuration)).toMatchObject([{ level: 'ok' }]);
    });
  });
});

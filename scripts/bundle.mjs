/**
 * Bundles dist/cli/replay-alone.js, the program behind `acsplit replay`, with the libraries it needs into one file. A
 * replay in CI is short, and finding its libraries would take most of the time (docs/replay.md, "Speed"). Bundles the
 * page (page/) for browsers into dist/page. Each bundle ends with its libraries' licences. Also turns const enums in the type declarations into plain ones. Everything else in dist/ stays as tsc wrote it. Run after tsc,
 * in the checkout: node scripts/bundle.mjs
 */

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';

const OUTPUT = 'dist/cli/replay-alone.js';

const options = {
  entryPoints: ['src/cli/replay-alone.ts'],
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  // The variant of yargs that `require` finds; the other one wants a file name of its own.
  alias: { yargs: createRequire(import.meta.url).resolve('yargs') },
};

/** `node_modules/NAME` of everything that went into the bundle. */
function packagesOf(inputs) {
  const folders = inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return [...new Set(folders)].filter((folder) => folder !== undefined).sort();
}

/** The licence that must accompany the package's code. */
function licenceOf(folder) {
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  if (file === undefined) throw new Error(`${folder} has no licence file, so it cannot be bundled`);
  const name = folder.replace(/^.*node_modules\//, '');
  return `${name}\n\n${readFileSync(join(folder, file), 'utf8').trim()}`.replaceAll('*/', '* /');
}

/**
 * tsc inlines their values in our own code, and they exist at run time (`preserveConstEnums`). But users who compile
 * file by file (`isolatedModules`) must not use another package's const enums.
 */
function makeEnumsPlain(folder) {
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.d.ts'));
  for (const path of names.map((name) => join(folder, name))) {
    const text = readFileSync(path, 'utf8');
    const plain = text.replaceAll(/^export declare const enum /gm, 'export declare enum ');
    if (plain !== text) writeFileSync(path, plain);
  }
}

/** Builds, and puts the licences of what went in at the end. */
async function bundle(options, outfile) {
  const { metafile } = await build({ ...options, metafile: true, write: false });
  const licences = packagesOf(Object.keys(metafile.inputs)).map(licenceOf);
  const footer = `/*\nThis file holds code of the packages below.\n\n${licences.join('\n\n')}\n*/`;
  const key = outfile.endsWith('.css') ? 'css' : 'js';
  await build({ ...options, outfile, footer: { [key]: footer } });
}

await bundle(options, OUTPUT);

const PAGE = 'dist/page';
const forBrowsers = {
  bundle: true,
  minify: true,
  target: ['chrome109', 'firefox115', 'safari16'],
  legalComments: 'none',
};
mkdirSync(PAGE, { recursive: true });
const jsx = { jsx: 'automatic', jsxImportSource: 'preact', format: 'iife', charset: 'utf8' };
await bundle({ ...forBrowsers, ...jsx, entryPoints: ['page/main.tsx'] }, `${PAGE}/page.js`);
await bundle({ ...forBrowsers, entryPoints: ['page/page.css'] }, `${PAGE}/page.css`);
for (const name of ['index.html', 'icon.svg']) copyFileSync(`page/${name}`, `${PAGE}/${name}`);

makeEnumsPlain('dist');

/** For editors; `acsplit config init` names it. */
const { schemaText } = createRequire(import.meta.url)('../dist/configuration/schema-text.js');
writeFileSync('dist/acsplit.schema.json', schemaText());

/**
 * The worker's and the recorder's program as they were when the supervisor started: its modules and the addon, kept in memory. Every worker
 * starts from there, so an upgrade, even a half-finished one, changes nothing under a running engine.
 * docs/decisions/crash-only.md
 */
import { closeSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ADDON_FILE, loadAddon } from '../shared/binding';
import { EngineError } from '../shared/engine-error';
import { FD } from '../shared/worker-protocol';

const ENGINE = dirname(__dirname);
export const WORKER_MAIN = join(ENGINE, 'worker', 'main.js');
export const RECORDER_MAIN = join(ENGINE, 'recorder', 'main.js');
export const SEARCH_MAIN = join(ENGINE, 'recorder', 'search.js');
export const CLUSTER_MAIN = join(ENGINE, 'cluster', 'main.js');
const PACKAGE = join(ENGINE, '..', '..', 'package.json');
/** How tsc compiles the import of one of our own modules. */
const OWN_IMPORT = /\brequire\("(\.[^"]+)"\)/g;

/** Descriptors of memory; they stay open as long as workers are started. */
export interface WorkerProgram {
  modules: number;
  addon: number;
}

/**
 * Reads the program into memory.
 * @param version the supervisor's own
 * @throws EngineError when another version is being installed at this moment
 */
export function readWorkerProgram(version: string): WorkerProgram {
  const sources: Record<string, string> = {};
  collect(WORKER_MAIN, sources);
  collect(RECORDER_MAIN, sources);
  collect(SEARCH_MAIN, sources);
  collect(CLUSTER_MAIN, sources);
  const program = JSON.stringify({ addon: ADDON_FILE, sources });
  const addon = readFileSync(ADDON_FILE);
  // Everything read before this check is of this version or an earlier one, and the supervisor is of the earliest.
  const found = installedVersion();
  if (found !== version) {
    throw new EngineError(`version ${found} was installed while ${version} was starting: start the engine again`);
  }
  return { modules: remember(Buffer.from(program)), addon: remember(addon) };
}

export function closeProgram({ modules, addon }: WorkerProgram): void {
  closeSync(modules);
  closeSync(addon);
}

/** The installed version; undefined while there is none. */
export function installedVersion(): string | undefined {
  try {
    return (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}

function collect(path: string, sources: Record<string, string>): void {
  if (Object.hasOwn(sources, path)) return;
  const source = readFileSync(path, 'utf8');
  sources[path] = source;
  for (const [, request] of source.matchAll(OWN_IMPORT)) collect(`${join(dirname(path), request)}.js`, sources);
}

function remember(bytes: Buffer): number {
  const fd = loadAddon().createMemory(bytes.length);
  writeSync(fd, bytes, 0, bytes.length, 0);
  return fd;
}

/**
 * What the worker's Node evaluates: our modules come from memory, all others from Node. Paths are those of the original
 * files, so that stacks name them.
 */
export const WORKER_BOOT = `'use strict';
const Module = require('node:module');
const { dirname, join } = require('node:path');
const { addon, sources } = JSON.parse(require('node:fs').readFileSync('/proc/self/fd/${FD.modules}', 'utf8'));
const { _resolveFilename: resolve, _extensions: extensions } = Module;
const { '.js': compile, '.node': open } = extensions;
const own = (path) => [path, path + '.js'].find((name) => name === addon || Object.hasOwn(sources, name));
Module._resolveFilename = function (request, parent, ...rest) {
  const path = request.startsWith('.') && parent?.filename ? join(dirname(parent.filename), request) : request;
  return own(path) ?? resolve.call(this, request, parent, ...rest);
};
extensions['.js'] = (module, name) =>
  Object.hasOwn(sources, name) ? module._compile(sources[name], name) : compile(module, name);
extensions['.node'] = (module, name) =>
  name === addon ? process.dlopen(module, '/proc/self/fd/${FD.addon}') : open(module, name);
require(process.argv[1]);
`;

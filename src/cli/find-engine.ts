/**
 * Finds the running engine that a command speaks to: by --socket, by --instance, else by the configuration file. An
 * emergency command must work when that file is broken or gone, so then the engine that was started with this very file
 * is asked. If no engine fits, or several do, the command is refused and names the engines that run, so that nobody
 * pauses the wrong one.
 */

import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Configuration, loadConfiguration } from '../configuration/configuration';
import { Failure, UsageError } from '../configuration/errors';
import { controlSocketPath, listEngines, type RunningEngine } from '../engine';
import { type EngineOptions } from './options';

/** What is known of an engine that runs. */
export type KnownEngine = Pick<RunningEngine, 'pid' | 'name' | 'file' | 'socket'>;

export interface FoundEngine {
  /** Path of its control socket. */
  socket: string;
  /** Why another engine than the configured one is asked; for stderr. */
  note?: string;
  /** The configuration file, if it could be read. */
  configuration?: Configuration;
}

/**
 * @throws UsageError or Failure that lists the running engines
 */
export function findEngine(options: EngineOptions, list: () => KnownEngine[] = listEngines): FoundEngine {
  const { config, socket, instance } = options;
  if (socket !== undefined && instance !== undefined) {
    throw new UsageError('use either --socket or --instance, not both');
  }
  if (socket !== undefined) return { socket };
  if (instance !== undefined) return { socket: byName(instance, list()).socket };
  let configuration: Configuration;
  try {
    configuration = loadConfiguration(config);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return byFile(config, error.message, list());
  }
  const found = { socket: controlSocketPath(configuration.stateDirectory), configuration };
  refuseAnothersFile(config, found.socket, list());
  return found;
}

/**
 * A file that was replaced by another instance's: the engine that was started with it is one, the engine at the place that it
 * names another, and nobody can tell which was meant. @throws UsageError
 */
function refuseAnothersFile(config: string, socket: string, engines: KnownEngine[]): void {
  const started = startedWith(config, engines);
  const named = engines.find((one) => one.socket === socket);
  if (named === undefined || started.length === 0 || started.some((one) => one.socket === socket)) return;
  const what = `${config} names the state directory of ${named.name} (pid ${named.pid}), which was started with another file`;
  throw new UsageError(`${what}; choose one with --socket PATH or --instance NAME; ${running(engines)}`);
}

/**
 * When no engine listens where the configuration says: the one that was started with this file, before somebody changed
 * the file. @throws Failure with the engines that run
 */
export function findByFile(config: string, cause: Error, list: () => KnownEngine[] = listEngines): FoundEngine {
  const engines = list();
  const [engine, ...others] = startedWith(config, engines);
  if (engine === undefined || others.length > 0) {
    const message = engines.length === 0 ? cause.message : `${cause.message}; ${running(engines)}`;
    throw new Failure(message, { cause });
  }
  return { socket: engine.socket, note: `${cause.message}; asking the engine ${started(engine)}` };
}

function byName(name: string, engines: KnownEngine[]): KnownEngine {
  const [engine, ...others] = engines.filter((one) => one.name === name);
  if (engine === undefined) throw new Failure(`no engine named "${name}" runs on this host; ${running(engines)}`);
  if (others.length > 0) {
    throw new Failure(`several engines are named "${name}"; choose one with --socket PATH; ${running(engines)}`);
  }
  return engine;
}

function byFile(config: string, complaint: string, engines: KnownEngine[]): FoundEngine {
  const [engine, ...others] = startedWith(config, engines);
  if (engine !== undefined && others.length === 0) {
    return { socket: engine.socket, note: `${complaint}; asking the engine ${started(engine)}` };
  }
  const count = engine === undefined ? 'no running engine was' : 'several running engines were';
  const hint = engines.length === 0 ? '' : '; choose one with --socket PATH or --instance NAME';
  throw new UsageError(`${complaint}; ${count} started with this file; ${running(engines)}${hint}`);
}

function started({ name, pid }: KnownEngine): string {
  return `that was started with this file (${name}, pid ${pid})`;
}

/** The engines that were started with this very file, under whatever name. */
export function startedWith<T extends KnownEngine>(config: string, engines: T[]): T[] {
  const wanted = [resolve(config), realPath(config)];
  return engines.filter(({ file }) => wanted.includes(file) || wanted.includes(realPath(file)));
}

/** The path without links; as it is if it leads nowhere. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

function running(engines: KnownEngine[]): string {
  if (engines.length === 0) return 'no engine runs on this host';
  const rows = engines.map(({ name, pid, socket, file }) => `${name} (pid ${pid}, socket ${socket}, file ${file})`);
  return `running: ${rows.join(', ')}`;
}

/** The splitter of a lab world: its configuration, the rules installed, `acsplit run` in its namespace. */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfiguration } from '../configuration/configuration';
import { askEngine, controlSocketPath } from '../engine';
import type { Family } from '../packet/address';
import { type OnEngineDown } from '../splitter/topology';
import type { TableName } from '../splitter/table-list';
import type { ActivationMode } from '../splitter/topology';
import { type Launcher } from './rooms';
import { end, PLACES, REPORT_PORT, type World } from './world';

export interface EngineOptions {
  activation?: ActivationMode;
  gso?: boolean;
  secondCollector?: boolean;
  /** The first collector sends its Connection Requests from the second one's address too; then there is no second. */
  twoRequestAddresses?: boolean;
  onEngineDown?: OnEngineDown;
  fastPath?: 'off' | 'auto' | 'on';
  /** Family of the addresses; default IPv4. */
  family?: Family;
  reportPorts?: readonly number[];
  /** Default: any. */
  requestPorts?: readonly number[];
  /** Seconds; lives that differ from the defaults. */
  ttl?: Record<string, number>;
  /** Where sessions are kept; nowhere if absent. */
  history?: { directory: string; maxMiB?: number };
}

/** The keys of the control socket's `status` that we read. (docs/control-socket.md) */
export interface Status {
  ready: boolean;
  tables: Record<TableName, { count: number }>;
  packets: { received: number; rewritten: number; dropped: number; byReason: Record<string, number> };
  fastPath: { carries: boolean; interfaces: string[]; reason: string | null; packets: Record<string, number> };
}

/** Limit for a start, which takes about a second. */
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
/** Characters of the log to keep. */
const MOST_SAID = 65_536;
/** Plenty for a few CPEs. */
const CAPACITY_ENTRIES = 65_536;

export class Engine {
  private said = '';
  private readonly controlSocket: string;

  private constructor(
    readonly configurationFile: string,
    private readonly child: ChildProcess,
  ) {
    const listen = (chunk: Buffer): void => {
      this.said = (this.said + chunk.toString()).slice(-MOST_SAID);
    };
    this.controlSocket = controlSocketPath(loadConfiguration(configurationFile).stateDirectory);
    child.stdout!.on('data', listen);
    child.stderr!.on('data', listen);
  }

  /** Installs the rules, starts the engine and waits until verdicts flow. */
  static async start(world: World, options: EngineOptions = {}): Promise<Engine> {
    const file = join(world.directory, 'acsplit.yaml');
    writeFileSync(file, configurationText(world.directory, { family: world.family, ...options }));
    await world.run('split', cli(world, 'rules', 'install', '-c', file));
    return Engine.run(world, file);
  }

  /**
   * Starts only the engine, leaves the rules as they are, and waits until verdicts flow.
   * @param through a command that runs another, such as env(1)
   */
  static async run(world: World, file: string, through: readonly string[] = []): Promise<Engine> {
    const engine = new Engine(file, world.start('split', [...through, ...cli(world, 'run', '-c', file)]));
    await engine.untilReady();
    return engine;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Events of this name in the recent log. */
  events(name: string): Record<string, unknown>[] {
    const lines = this.said.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ event }) => event === name);
  }

  /** Asks the control socket, which any namespace reaches: a program started for each look would load the machine. */
  async status(): Promise<Status> {
    return (await askEngine(this.controlSocket, { command: 'status' })) as Status;
  }

  /** Polls the status until `fits`. The engine counts a packet before it arrives anywhere. */
  async untilStatus(fits: (status: Status) => boolean, what: string): Promise<Status> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for (;;) {
      const status = await this.status();
      if (fits(status)) return status;
      if (Date.now() > deadline) throw new Error(`engine: waited ${READY_TIMEOUT_MS} ms for ${what}`);
      await pause(POLL_MS);
    }
  }

  /** Stops the engine with SIGTERM, as systemd would; resolves with its exit code. */
  async stop(): Promise<number | null> {
    await end(this.child);
    return this.child.exitCode;
  }

  private async untilReady(): Promise<void> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for (;;) {
      const { exitCode, signalCode } = this.child;
      if (exitCode !== null || signalCode !== null) {
        throw new Error(`the engine ended (${signalCode ?? exitCode}): ${this.said.trim()}`);
      }
      if (this.events('ready').length > 0) return;
      if (Date.now() > deadline)
        throw new Error(`the engine was not ready within ${READY_TIMEOUT_MS} ms: ${this.said.slice(-4000)}`);
      await pause(POLL_MS);
    }
  }
}

/** The command line of an acsplit command, from the same build as this file. */
export function cli(world: Pick<Launcher, 'programs'>, ...argv: string[]): string[] {
  return [process.execPath, join(world.programs, '..', 'cli', 'main.js'), ...argv];
}

/** @param directory of the run; the engine's state goes into a subdirectory */
export function configurationText(directory: string, options: EngineOptions): string {
  const places = PLACES[options.family ?? 'ipv4'];
  const more = options.twoRequestAddresses === true ? `, requestAddresses: ['${places.secondCollector}']` : '';
  const collectors = [`  - { name: c1, interface: eth2, address: ${places.collector}${more} }`];
  if (options.secondCollector === true && more === '') {
    collectors.push(`  - { name: c2, interface: eth2, address: ${places.secondCollector} }`);
  }
  return [
    `cpe: { interface: eth0, address: ${places.acs}, networks: [${places.cpeNetwork}] }`,
    `itms: { interface: eth1, address: ${places.itms} }`,
    'collectors:',
    ...collectors,
    `reportPorts: [${(options.reportPorts ?? [REPORT_PORT]).join(', ')}]`,
    ...(options.requestPorts === undefined ? [] : [`requestPorts: [${options.requestPorts.join(', ')}]`]),
    `activation: ${options.activation ?? 'auto'}`,
    `ttl: ${JSON.stringify(options.ttl ?? {})}`,
    `tables: { capacity: ${CAPACITY_ENTRIES} }`,
    `queue: { gso: ${options.gso ?? true} }`,
    `onEngineDown: ${options.onEngineDown ?? 'itms'}`,
    `fastPath: ${options.fastPath ?? 'off'}`,
    `stateDirectory: ${join(directory, 'state')}`,
    ...(options.history ? [`history: ${JSON.stringify(options.history)}`] : []),
    '',
  ].join('\n');
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

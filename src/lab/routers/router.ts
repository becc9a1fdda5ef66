/** One router of the world: acsplit, keepalived and a store, configured by the files that the package ships. */
import { type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askEngine, controlSocketPath } from '../../engine';
import { cli, pause } from '../engine';
import { end } from '../rooms';
import { REPORT_PORT } from '../world';
import { bothOf, LINKS, type RouterName, storeAddress } from './places';
import { pathOf } from './programs';
import { type RouterWorld } from './world';

export interface RouterOptions {
  /** Absent: each router remembers alone. */
  cluster?: boolean;
  /** Configuration lines to add. */
  more?: readonly string[];
  onEngineDown?: 'itms' | 'hold';
  /** Changes the shipped configuration of keepalived. */
  editKeepalived?: (router: Router, text: string) => string;
}

/** What `status --json` says of the cluster. docs/control-socket.md */
export interface ClusterStatus {
  state: string;
  ready: boolean;
  peers: { name: string; ready: boolean; lagMs: number }[];
  stores: { address: string; state: string }[];
  lagMs: number;
  overtaken: number;
  [counter: string]: unknown;
}

export interface RouterStatus {
  ready: boolean;
  paused: boolean;
  cluster: ClusterStatus;
  tables: Record<string, { count: number }>;
  packets: { received: number; byReason: Record<string, number> };
  fastPath: { carries: boolean; packets: Record<string, number> };
}

export const GROUP = 'north';
export const USER = 'acsplit';
export const PASSWORD = 'lab';
const PATIENCE_MS = 30_000;
/** Of a program's output. */
const MOST_SAID = 65_536;

type Part = 'store' | 'engine' | 'keeper';

export class Router {
  readonly directory: string;
  private readonly parts = new Map<Part, ChildProcess>();
  private readonly said: Record<Part, string> = { store: '', engine: '', keeper: '' };

  constructor(
    readonly world: RouterWorld,
    readonly name: RouterName,
    private readonly options: RouterOptions = {},
  ) {
    this.directory = join(world.directory, name);
    mkdirSync(this.directory);
    this.configure();
  }

  get configurationFile(): string {
    return join(this.directory, 'acsplit.yaml');
  }

  /** Writing 1 there asks this router to hand over. */
  get standbyFile(): string {
    return join(this.directory, 'standby');
  }

  /** keepalived would give this router the addresses: it has them, or stands by with its check passed. */
  get isFit(): boolean {
    const states = [...this.said.keeper.matchAll(/\(cpe4\) Entering (\w+) STATE/g)];
    const checks = [...this.said.keeper.matchAll(/VRRP_Script\(acsplit\) (succeeded|failed)/g)];
    return ['MASTER', 'BACKUP'].includes(states.at(-1)?.[1] ?? '') && checks.at(-1)?.[1] !== 'failed';
  }

  log(part: Part): string {
    return this.said[part];
  }

  pid(part: Part): number {
    return this.parts.get(part)?.pid ?? 0;
  }

  isRunning(part: Part): boolean {
    const child = this.parts.get(part);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  acsplit(...words: string[]): Promise<string> {
    return this.world.run(this.name, cli(this.world, ...words, '-c', this.configurationFile));
  }

  async status(): Promise<RouterStatus> {
    return (await askEngine(controlSocketPath(join(this.directory, 'state')), { command: 'status' })) as RouterStatus;
  }

  shell(...lines: string[]): Promise<string> {
    return this.world.run(this.name, ['sh', '-c', lines.join('\n')]);
  }

  async startStore(...words: string[]): Promise<void> {
    this.run('store', [pathOf('redis-server'), join(this.directory, 'redis.conf'), '--dir', this.directory, ...words]);
    await this.until(() => this.said.store.includes('Ready to accept connections'), 'store');
  }

  /** @param installs whether the rules are installed first */
  async startEngine(installs = true): Promise<void> {
    if (installs) await this.acsplit('rules', 'install');
    this.run('engine', cli(this.world, 'run', '-c', this.configurationFile));
    await this.until(() => this.said.engine.includes('"event":"ready"'), 'engine');
  }

  /** keepalived keeps its process ids in files whose paths are given. */
  startKeeper(): void {
    const at = (name: string) => join(this.directory, name);
    const files = ['-f', at('keepalived.conf'), '-p', at('main.pid'), '-r', at('vrrp.pid'), '-c', at('checkers.pid')];
    this.run('keeper', [pathOf('keepalived'), '-n', '-l', '-D', '-P', ...files]);
  }

  signal(part: Part, signal: NodeJS.Signals): void {
    this.parts.get(part)?.kill(signal);
  }

  async stop(part: Part, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.parts.get(part);
    if (child !== undefined) await end(child, signal);
  }

  /** All programs end at once, without a word to anybody, and the cables are dead. */
  async losePower(): Promise<void> {
    await this.world.cable(this.name, Object.keys(LINKS).map(Number), 'down');
    await Promise.all((['engine', 'keeper', 'store'] as const).map((part) => this.stop(part, 'SIGKILL')));
  }

  /** Boots after `losePower`: a reboot leaves no address that moved, no state, no rule. */
  async regainPower(): Promise<void> {
    const moved = this.movingAddresses().map(([address, link]) => `ip address delete ${address} dev eth${link}`);
    await this.shell(...moved.map((line) => `${line} 2>/dev/null`), 'true');
    rmSync(join(this.directory, 'state'), { recursive: true, force: true });
    await this.world.cable(this.name, Object.keys(LINKS).map(Number), 'up');
  }

  /** Whether this router has the ACS address. */
  async hasAddress(): Promise<boolean> {
    return (await this.shell('ip -o -4 address show dev eth0')).includes(` ${bothOf(({ acs }) => acs)[0]}/`);
  }

  private movingAddresses(): [string, number][] {
    const text = readFileSync(join(this.directory, 'keepalived.conf'), 'utf8');
    return [...text.matchAll(/interface eth(\d)[^}]*virtual_ipaddress \{([^}]*)\}/g)].flatMap(([, link, block]) =>
      [...block!.matchAll(/^\s+(\S+\/\d+)/gm)].map(([, address]): [string, number] => [address!, Number(link)]),
    );
  }

  /** Starts a program as a part of this router. */
  run(part: Part, argv: readonly string[]): void {
    this.said[part] = '';
    const child = this.world.start(this.name, argv);
    const listen = (chunk: Buffer): void => {
      this.said[part] = (this.said[part] + chunk.toString()).slice(-MOST_SAID);
    };
    child.stdout!.on('data', listen);
    child.stderr!.on('data', listen);
    this.parts.set(part, child);
  }

  private async until(condition: () => boolean, part: Part): Promise<void> {
    for (const deadline = Date.now() + PATIENCE_MS; !condition(); await pause(20)) {
      if (!this.isRunning(part)) throw new Error(`${part} of ${this.name} ended: ${this.said[part].trim()}`);
      if (Date.now() > deadline)
        throw new Error(`${part} of ${this.name} is not ready: ${this.said[part].slice(-2000)}`);
    }
  }

  private configure(): void {
    const shipped = (name: string) => readFileSync(join(this.world.programs, '..', '..', 'cluster', name), 'utf8');
    const write = (name: string, text: string) => writeFileSync(join(this.directory, name), text);
    const state = join(this.directory, 'state');
    // The packages' places for each router: the files are as shipped, otherwise.
    const keepalived = shipped('keepalived.conf')
      .replace('/usr/lib/acsplit/cluster/', join(this.world.programs, '..', '..', 'cluster') + '/')
      .replace('/run/acsplit', state)
      .replace('file "/etc/keepalived/standby"', `file "${this.standbyFile}"`);
    write('keepalived.conf', this.options.editKeepalived?.(this, keepalived) ?? keepalived);
    const acl = join(this.directory, 'acsplit.acl');
    write(
      'redis.conf',
      shipped('redis.conf')
        .replace('10.9.0.2', storeAddress(this.name).split(':')[0]!)
        .replace(/^aclfile .*$/m, `aclfile ${acl}`),
    );
    writeFileSync(acl, shipped('acsplit.acl').replace('PASSWORD', PASSWORD));
    writeFileSync(join(this.directory, 'store.password'), PASSWORD, { mode: 0o600 });
    writeFileSync(this.configurationFile, this.configurationText(state));
  }

  private configurationText(state: string): string {
    const list = (addresses: readonly string[]) => `[${addresses.map((one) => `"${one}"`).join(', ')}]`;
    const server = (link: number, pick: Parameters<typeof bothOf>[0]) =>
      `interface: eth${link}, address: ${list(bothOf(pick))}`;
    return [
      `cpe: { ${server(0, ({ acs }) => acs)}, networks: ${list(bothOf(({ cpeNetwork }) => cpeNetwork))} }`,
      `itms: { ${server(1, ({ itms }) => itms)} }`,
      'collectors:',
      `  - { name: c1, ${server(2, ({ collector }) => collector)} }`,
      `  - { name: c2, ${server(2, ({ secondCollector }) => secondCollector)} }`,
      `reportPorts: [${REPORT_PORT}]`,
      `onEngineDown: ${this.options.onEngineDown ?? 'itms'}`,
      'tables: { capacity: 262144 }',
      `stateDirectory: ${state}`,
      ...(this.options.cluster === true ? [clusterText(this.world, this.directory, this.name)] : []),
      ...(this.options.more ?? []),
      '',
    ].join('\n');
  }
}

/** The stores are on the first two routers. */
function clusterText(world: RouterWorld, directory: string, name: RouterName): string {
  const passwordFile = join(directory, 'store.password');
  const stores = world.routers
    .slice(0, 2)
    .map((router) => `{ address: "${storeAddress(router)}", user: ${USER}, passwordFile: ${passwordFile} }`);
  return `cluster: { group: ${GROUP}, name: ${name}, stores: [${stores.join(', ')}] }`;
}

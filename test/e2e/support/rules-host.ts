/**
 * A router for tests of the rules, with either back end of iptables behind the plain names, as a distribution's
 * alternatives would have it; and peers that a test talks to line by line.
 */

import { type ChildProcess, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import * as readline from 'node:readline';
import { cli, configurationText } from '../../../src/lab/engine';
import { FAST_PATH } from './fast-path';
import { end, type Role, World, type WorldOptions } from '../../../src/lab/world';
import { type Outcome } from '../../../src/steering/iptables/iptables';
import { type System } from '../../../src/steering/iptables';
import { type BackEnd, linkBackEnd, withoutEmptyTables } from './back-end';
import { WarmCli } from './warm-cli';

export { BACK_ENDS, type BackEnd, systemProgram } from './back-end';

const PROGRAMS = join(__dirname, '..', '..', '..', process.env.ACSPLIT_DIST ?? 'dist', 'lab');
const PEER = join(__dirname, 'line-peer.js');

/** Bounds a failure; whatever is waited for comes within seconds. */
const PATIENCE_MS = 60_000;
const POLL_MS = 25;
/** A condition that runs programs is looked at less often: looking must not keep the cores busy. */
const SLOWEST_POLL_MS = 250;

export class RulesHost {
  readonly binaries: string;
  readonly configuration: string;
  private readonly warm: WarmCli;
  private engine: ChildProcess | undefined;
  private said = '';

  private constructor(
    readonly world: World,
    readonly backEnd: BackEnd,
  ) {
    this.binaries = join(world.directory, 'bin');
    linkBackEnd(this.binaries, backEnd);
    this.warm = new WarmCli(world, this.entering());
    this.configuration = join(world.directory, 'acsplit.yaml');
    // The rules do not depend on who gets which session: all go to the ITMS.
    this.configure(configurationText(world.directory, { activation: 'off', fastPath: FAST_PATH }));
  }

  static async create(backEnd: BackEnd, options: WorldOptions): Promise<RulesHost> {
    if (!existsSync(PROGRAMS)) throw new Error('not built: run npm run build');
    return new RulesHost(await World.create({ programs: PROGRAMS, ...options }), backEnd);
  }

  configure(text: string): void {
    writeFileSync(this.configuration, text);
  }

  get configurationText(): string {
    return readFileSync(this.configuration, 'utf8');
  }

  async close(): Promise<void> {
    await this.warm.close();
    // nsenter, unlike `ip netns exec`, leaves an engine this process's mounts: its maps' file system stays where it mounted it.
    spawnSync('umount', ['--lazy', '--quiet', join(this.world.directory, 'state', 'fast-path')]);
    await this.world.close();
  }

  /** Runs a program on the router; `path` in front of the back end's own directory. */
  run(argv: readonly string[], input = '', path: string[] = []): Outcome {
    const [program, ...words] = [...this.entering(path), ...argv];
    const { status, stdout, stderr, error } = spawnSync(program, words, {
      input,
      encoding: 'utf8',
      timeout: PATIENCE_MS,
    });
    return { status, stdout, stderr, error: error as NodeJS.ErrnoException | undefined };
  }

  /** Like `run`, for what must succeed. */
  must(argv: readonly string[], input = ''): string {
    const { status, stdout, stderr } = this.run(argv, input);
    if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** The command that runs another one on the router. */
  private entering(path: string[] = []): string[] {
    const search = [...path, this.binaries, process.env.PATH ?? ''].join(delimiter);
    return ['nsenter', `--net=/run/netns/${this.world.namespace('split')}`, 'env', `PATH=${search}`];
  }

  /** `acsplit doctor`, `rules` or `status`, with its words and this host's configuration; see WarmCli. */
  acsplit(...words: string[]): Outcome {
    return this.warm.run([...words, '-c', this.configuration]);
  }

  rules(...words: string[]): Outcome {
    return this.acsplit('rules', ...words);
  }

  /** `acsplit rules` as the program itself. */
  rulesProgram(...words: string[]): Outcome {
    return this.run(cli(this.world, 'rules', ...words, '-c', this.configuration));
  }

  iptables(words: string): void {
    this.must(['iptables', '-w', '10', ...words.split(' ')]);
  }

  restore(text: string): void {
    this.must(['iptables-restore', '--noflush', '-w', '10'], text);
  }

  /** For src/steering/iptables in this process, with the router's iptables behind it. */
  get system(): System {
    return {
      run: (program, words, input) => this.run([program, ...words], input),
      interfaces: () => ['lo', 'eth0', 'eth1', 'eth2', 'eth3'],
      hasIpv6: () => true,
      lock: () => () => {},
    };
  }

  /** The live rules without what may differ. */
  savedRules(): string {
    return withoutEmptyTables(this.must(['iptables-save']));
  }

  /** The live rules and the names of sets, without what may differ. */
  state(): string {
    return this.savedRules() + this.must(['ipset', 'list', '-name']);
  }

  /** Packets that a rule has counted: the one of `chain` whose text holds all of `parts`. */
  counted(table: string, chain: string, ...parts: string[]): number {
    const lines = this.must(['iptables-save', '-c', '-t', table]).split('\n');
    const fitting = lines.filter((line) => line.includes(`-A ${chain} `) && parts.every((part) => line.includes(part)));
    if (fitting.length !== 1) throw new Error(`${fitting.length} rules of ${table} ${chain} hold ${parts.join()}`);
    return Number(/^\[(\d+):/.exec(fitting[0])![1]);
  }

  async startEngine(): Promise<void> {
    this.engine = this.world.start('split', cli(this.world, 'run', '-c', this.configuration));
    const begin = this.said.length;
    this.engine.stderr!.on('data', (chunk: Buffer) => this.hear(chunk));
    this.engine.stdout!.on('data', (chunk: Buffer) => this.hear(chunk));
    const isReady = (): boolean => {
      if (this.engine?.exitCode !== null) throw new Error(`the engine ended: ${this.said.slice(begin)}`);
      const { status, stdout } = this.acsplit('status', '--json');
      return status === 0 && (JSON.parse(stdout) as { ready: boolean }).ready;
    };
    await until(isReady, 'the engine to be ready');
  }

  hear(chunk: Buffer): void {
    this.said += chunk.toString();
  }

  /** All output of engines so far. */
  get heard(): string {
    return this.said;
  }

  /** What engines on this host have logged so far. */
  logged(): { event: string; level: string; time: string }[] {
    const lines = this.said.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    return lines.map((line) => JSON.parse(line) as { event: string; level: string; time: string });
  }

  async stopEngine(): Promise<void> {
    if (this.engine) await end(this.engine);
    this.engine = undefined;
  }

  listen(role: Role, address: string, port: number): Promise<Peer> {
    return Peer.start(this.world, role, ['listen', address, String(port)], 'ready');
  }

  /** Begins to connect; `await peer.until('connected')` says whether it worked. */
  connect(role: Role, source: string, address: string, port: number): Peer {
    return new Peer(this.world, role, ['connect', source, address, String(port)]);
  }

  /** Connects, has a line echoed, and closes: what an ssh session needs to work. */
  async talk(role: Role, source: string, address: string, port: number): Promise<void> {
    const peer = this.connect(role, source, address, port);
    await peer.until('connected');
    await peer.echo('is anybody there?');
    await peer.stop();
  }
}

interface PeerEvent {
  event: 'ready' | 'accepted' | 'connected' | 'line' | 'error' | 'closed';
  text?: string;
  code?: string;
  from?: string;
}

export class Peer {
  readonly events: PeerEvent[] = [];
  private readonly child: ChildProcess;
  private complaints = '';

  /** @param namespace in place of the role's own */
  constructor(world: World, role: Role, words: string[], namespace?: string) {
    const inside = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace];
    this.child = world.start(role, [...inside, process.execPath, PEER, ...words]);
    readline
      .createInterface({ input: this.child.stdout! })
      .on('line', (line) => this.events.push(JSON.parse(line) as PeerEvent));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.complaints += chunk.toString()));
  }

  static async start(
    world: World,
    role: Role,
    words: string[],
    ready: PeerEvent['event'],
    namespace?: string,
  ): Promise<Peer> {
    const peer = new Peer(world, role, words, namespace);
    await peer.until(ready);
    return peer;
  }

  /** Waits for an event; an error that was not waited for ends the wait. */
  async until(event: PeerEvent['event'], fits: (found: PeerEvent) => boolean = () => true): Promise<PeerEvent> {
    const find = () => this.events.find((found) => found.event === event && fits(found));
    await until(() => {
      const failed = this.events.find((found) => found.event === 'error');
      if (failed && event !== 'error') throw new Error(`waiting for "${event}": ${failed.code}`);
      if (this.child.exitCode !== null) throw new Error(`the peer ended: ${this.complaints}`);
      return find() !== undefined;
    }, `"${event}"`);
    return find()!;
  }

  send(text: string): void {
    this.child.stdin!.write(`${text}\n`);
  }

  async echo(text: string): Promise<void> {
    this.send(text);
    await this.until('line', (found) => found.text === text);
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.child.pid!, name);
  }

  async stop(): Promise<void> {
    await end(this.child);
  }
}

/** Waits for a condition, however long it takes within reason. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const lookedMs = performance.now();
    if (condition()) return;
    if (Date.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms for ${what}`);
    const pollMs = Math.min(Math.max(POLL_MS, 3 * (performance.now() - lookedMs)), SLOWEST_POLL_MS);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

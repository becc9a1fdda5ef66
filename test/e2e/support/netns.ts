/**
 * The smallest network that has something to split, for tests of the queue itself:
 *
 *     client ns                 router ns                  server ns
 *     eth0 10.1.0.2 ── cpe0 10.1.0.1   10.2.0.1 itms0 ── eth0 10.2.0.2
 *
 * Everything lives in namespaces whose names bear this process's id; `remove` takes them away and ends what runs there.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import * as path from 'node:path';
import * as readline from 'node:readline';

export const CLIENT = '10.1.0.2';
export const ACS = '10.1.0.1';
export const SERVER = '10.2.0.2';
export const ROUTER_MAC = '02:00:00:00:01:01';
export const CLIENT_MAC = '02:00:00:00:01:02';

let made = 0;

export type Place = 'client' | 'router' | 'server';

export class TestNetwork {
  private readonly prefix = `acs${process.pid}-${made++}`;
  private readonly running = new Set<Running>();

  constructor() {
    for (const place of ['client', 'router', 'server'] as const) sh('ip', 'netns', 'add', this.name(place));
    this.connect('client', 'cpe0', `${CLIENT}/16`, `${ACS}/16`, ACS);
    this.connect('server', 'itms0', `${SERVER}/16`, '10.2.0.1/16', '10.2.0.1');
    this.run('router', 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    this.run('router', 'ip', 'link', 'set', 'cpe0', 'address', ROUTER_MAC);
    this.run('client', 'ip', 'link', 'set', 'eth0', 'address', CLIENT_MAC);
  }

  private connect(place: 'client' | 'server', routerLink: string, own: string, routers: string, gateway: string): void {
    const router = this.name('router');
    sh(
      'ip',
      'link',
      'add',
      'eth0',
      'netns',
      this.name(place),
      'type',
      'veth',
      'peer',
      'name',
      routerLink,
      'netns',
      router,
    );
    this.run(place, 'ip', 'address', 'add', own, 'dev', 'eth0');
    this.run('router', 'ip', 'address', 'add', routers, 'dev', routerLink);
    for (const [where, link] of [
      [place, 'lo'],
      [place, 'eth0'],
      ['router', 'lo'],
      ['router', routerLink],
    ] as const) {
      this.run(where, 'ip', 'link', 'set', link, 'up');
    }
    this.run(place, 'ip', 'route', 'add', 'default', 'via', gateway);
  }

  name(place: Place): string {
    return `${this.prefix}-${place}`;
  }

  /** Runs a command to its end inside a namespace and returns its stdout. */
  run(place: Place, ...command: string[]): string {
    return sh('ip', 'netns', 'exec', this.name(place), ...command);
  }

  /** Packets that CPEs send to the ACS address to queue `first`, what the server answers to `first` + 1. */
  queueTraffic(first: number): void {
    const rules: [string, string, string[]][] = [
      ['raw', 'PREROUTING', ['-p', 'tcp', '-j', 'CT', '--notrack']],
      ['mangle', 'PREROUTING', ['-i', 'cpe0', '-d', ACS, '-p', 'tcp', '-j', 'NFQUEUE', '--queue-num', `${first}`]],
      ['mangle', 'FORWARD', ['-i', 'itms0', '-s', SERVER, '-p', 'tcp', '-j', 'NFQUEUE', '--queue-num', `${first + 1}`]],
    ];
    for (const [table, chain, rule] of rules) this.run('router', 'iptables', '-t', table, '-A', chain, ...rule);
  }

  /** Starts a command inside a namespace; it is killed with the network. */
  start(place: Place, ...command: string[]): Running {
    const child = spawn('ip', ['netns', 'exec', this.name(place), ...command], { stdio: ['pipe', 'pipe', 'pipe'] });
    const running = new Running(child, command);
    this.running.add(running);
    return running;
  }

  /** Starts a TypeScript program of this folder inside a namespace, `wrapper` in front of node. */
  startScript(place: Place, script: string, options: unknown, ...wrapper: string[]): Running {
    const node = [process.execPath, '-r', path.join(__dirname, 'register-typescript.js'), path.join(__dirname, script)];
    // scripts/native-sanitize.sh: the sanitizer's library must be there before the addon is.
    const preload = process.env.ACSPLIT_TEST_PRELOAD;
    const environment = preload === undefined ? [] : ['env', `LD_PRELOAD=${preload}`];
    return this.start(place, ...wrapper, ...environment, ...node, JSON.stringify(options));
  }

  async remove(): Promise<void> {
    for (const running of this.running) running.child.kill('SIGKILL');
    await Promise.all([...this.running].map((running) => running.ended));
    for (const place of ['client', 'router', 'server'] as const) sh('ip', 'netns', 'delete', this.name(place));
  }
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

/** A program that speaks JSON lines on stdout. */
export class Running {
  readonly ended: Promise<Ended>;
  private readonly lines: AsyncIterator<string>;
  private stderr = '';

  constructor(
    readonly child: ChildProcess,
    private readonly command: string[],
  ) {
    child.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.lines = readline.createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    this.ended = new Promise((resolve) => {
      child.on('close', (code, signal) => resolve({ code, signal, stderr: this.stderr }));
    });
  }

  /** The next line, parsed. Fails with the program's stderr when it ends first. */
  async line<T = Record<string, unknown>>(): Promise<T> {
    const next = await this.lines.next();
    if (next.done === true) {
      const { code, signal, stderr } = await this.ended;
      throw new Error(`${this.command.join(' ')}: ended (${code ?? signal}) without a line: ${stderr}`);
    }
    return JSON.parse(next.value) as T;
  }

  /** Sends SIGTERM and returns the last line it prints. */
  async finish<T = Record<string, unknown>>(): Promise<T> {
    this.child.kill('SIGTERM');
    const last = await this.line<T>();
    await this.ended;
    return last;
  }
}

export function sh(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

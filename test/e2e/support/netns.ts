/**
 * The smallest network that has something to split, for tests of the queue itself:
 *
 *     client ns                 router ns                  server ns
 *     eth0 10.1.0.2 ── cpe0 10.1.0.1   10.2.0.1 itms0 ── eth0 10.2.0.2
 *                                      10.3.0.1 coll0 ── eth0 10.3.0.2   (collector ns, where asked for)
 *
 * Everything lives in namespaces whose names bear this process's id; `remove` takes them away and ends what runs there.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import * as path from 'node:path';
import * as readline from 'node:readline';

const REGISTRATION = path.join(__dirname, '..', '..', '..', 'scripts', 'typescript.js');

export const CLIENT = '10.1.0.2';
export const ACS = '10.1.0.1';
export const SERVER = '10.2.0.2';
export const COLLECTOR = '10.3.0.2';
/** The router's hardware address on every link. */
export const ROUTER_MAC = '02:00:00:00:00:01';

let made = 0;

export type Place = 'router' | Host;
export type Host = 'client' | 'server' | 'collector';

/** A program that is silent for so long hangs. */
const PATIENCE_MS = 20_000;

/** How each host is connected: the router's end, the host's address, the router's. */
const LINKS: Record<Host, { link: string; own: string; router: string }> = {
  client: { link: 'cpe0', own: CLIENT, router: ACS },
  server: { link: 'itms0', own: SERVER, router: '10.2.0.1' },
  collector: { link: 'coll0', own: COLLECTOR, router: '10.3.0.1' },
};

export class TestNetwork {
  private readonly prefix = `acs${process.pid}-${made++}`;
  private readonly running = new Set<Running>();

  constructor(private readonly hosts: Host[] = ['client', 'server']) {
    for (const place of this.places()) sh('ip', 'netns', 'add', this.name(place));
    this.run('router', 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    this.run('router', 'ip', 'link', 'set', 'lo', 'up');
    for (const host of hosts) this.connect(host);
  }

  private places(): Place[] {
    return ['router', ...this.hosts];
  }

  private connect(host: Host): void {
    const { link, own, router } = LINKS[host];
    const routersEnd = ['name', link, 'netns', this.name('router'), 'address', ROUTER_MAC];
    sh('ip', 'link', 'add', 'eth0', 'netns', this.name(host), 'type', 'veth', 'peer', ...routersEnd);
    this.run('router', 'ip', 'address', 'add', `${router}/16`, 'dev', link);
    this.run('router', 'ip', 'link', 'set', link, 'up');
    this.run(host, 'ip', 'address', 'add', `${own}/16`, 'dev', 'eth0');
    this.run(host, 'ip', 'link', 'set', 'lo', 'up');
    this.run(host, 'ip', 'link', 'set', 'eth0', 'up');
    this.run(host, 'ip', 'route', 'add', 'default', 'via', router);
  }

  name(place: Place): string {
    return `${this.prefix}-${place}`;
  }

  /** Runs a command to its end inside a namespace and returns its stdout. */
  run(place: Place, ...command: string[]): string {
    return sh('ip', 'netns', 'exec', this.name(place), ...command);
  }

  /** Packets to the ACS address to queue `first`, what the server sends to `first` + 1, the collector to `first` + 2. */
  queueTraffic(first: number): void {
    this.append('raw', 'PREROUTING', '-p', 'tcp', '-j', 'CT', '--notrack');
    this.append('mangle', 'PREROUTING', '-i', 'cpe0', '-d', ACS, '-p', 'tcp', ...queue(first));
    this.append('mangle', 'FORWARD', '-i', 'itms0', '-s', SERVER, '-p', 'tcp', ...queue(first + 1));
    this.append('mangle', 'FORWARD', '-i', 'coll0', '-s', COLLECTOR, '-p', 'tcp', ...queue(first + 2));
  }

  private append(table: string, chain: string, ...rule: string[]): void {
    this.run('router', 'iptables', '-t', table, '-A', chain, ...rule);
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
    const node = [process.execPath, '-r', REGISTRATION, path.join(__dirname, script)];
    // scripts/native-sanitize.sh: the sanitizer's library must be there before the addon is.
    const preload = process.env.ACSPLIT_TEST_PRELOAD;
    const environment = preload === undefined ? [] : ['env', `LD_PRELOAD=${preload}`];
    return this.start(place, ...wrapper, ...environment, ...node, JSON.stringify(options));
  }

  async remove(): Promise<void> {
    for (const running of this.running) running.child.kill('SIGKILL');
    await Promise.all([...this.running].map((running) => running.ended));
    for (const place of this.places()) sh('ip', 'netns', 'delete', this.name(place));
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

  /** The next line, parsed. Fails with the program's stderr when it ends first, or says nothing for too long. */
  async line<T = Record<string, unknown>>(): Promise<T> {
    const impatience = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE_MS);
    const next = await this.lines.next();
    clearTimeout(impatience);
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

function queue(number: number): string[] {
  return ['-j', 'NFQUEUE', '--queue-num', `${number}`];
}

export function sh(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/**
 * The world in which every peer is measured, created for each: the lab's namespaces, nginx as ITMS and as collector,
 * and the traffic of load.c from 16 384 CPEs of which half should reach the collector.
 */
import { type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { ADDRESSES, REPORT_PORT, World } from '../../src/lab/world';
import { eventually } from '../e2e/support/run-host';
import { NETWORKS } from './population';

export const ROOT = resolve(__dirname, '..', '..');
const GATEWAY_OF_CPES = '10.1.1.1';
const BULK_BYTES = 64 << 20;
/** Ticks of /proc/PID/stat. proc(5) */
const TICK_SECONDS = 0.01;
const CORES = { sender: '0', engine: '1', any: '0,1' } as const;

export type Mode = 'bulk' | 'churn' | 'calm' | 'flood' | 'latency' | 'story' | 'paced' | 'beside';
export type Targets = [toCollector: string, toItms: string];
export interface Measured {
  done: number;
  /** Of sessions, also those before `seconds` began: `cpuSeconds` and `machineSeconds` are of these. */
  all: number;
  seconds: number;
  bytes: number;
  p50: number;
  p99: number;
  wrong: number;
  /** CPU time of the peer's own processes, user and system. */
  cpuSeconds: number;
  /** Of all cores of the machine together, whatever they did. */
  machineSeconds: number;
}

export class Rig {
  private constructor(
    readonly world: World,
    private readonly programs: string,
  ) {}

  /** @param programs folder with `load` and `rewriter`, compiled */
  static async open(programs: string): Promise<Rig> {
    const world = await World.create({ cpes: [GATEWAY_OF_CPES], programs: join(ROOT, 'dist', 'lab') });
    const rig = new Rig(world, programs);
    try {
      await world.run('split', ['ip', 'route', 'add', NETWORKS.all, 'via', GATEWAY_OF_CPES]);
      await world.run('cpe', ['ip', 'route', 'add', 'local', NETWORKS.all, 'dev', 'lo']);
      await Promise.all([rig.serve('itms', ADDRESSES.itms), rig.serve('collector', ADDRESSES.collector)]);
      return rig;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.world.close();
  }

  path(name: string): string {
    return join(this.world.directory, name);
  }

  program(name: string): string {
    return join(this.programs, name);
  }

  private async serve(role: 'itms' | 'collector', address: string): Promise<void> {
    const files = this.path(role);
    mkdirSync(files);
    writeFileSync(join(files, 'bulk'), '');
    truncateSync(join(files, 'bulk'), BULK_BYTES);
    const lines = [
      `daemon off; master_process off; pid ${files}/pid; error_log stderr crit;`,
      'events { worker_connections 4096; }',
      'http { access_log off; sendfile on; keepalive_requests 1000000000; keepalive_timeout 600;',
      ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${files}/${kind};`),
      `server { listen ${address}:${REPORT_PORT} backlog=4096; root ${files}; add_header X-Server ${role.slice(0, 4)};`,
      'location = / { return 200 "ok\\n"; } } }',
    ];
    writeFileSync(join(files, 'nginx.conf'), lines.join('\n'));
    this.world.start(role, ['nginx', '-c', join(files, 'nginx.conf')]);
    await this.untilListening(role);
  }

  async untilListening(role: 'itms' | 'collector' | 'split'): Promise<void> {
    const sockets = ['ss', '-Hltn', `sport = :${REPORT_PORT}`];
    await eventually(`a listener in ${role}`, async () => (await this.world.run(role, sockets)) || undefined);
  }

  /** Starts a peer's program and waits for its first line. */
  async startPeer(argv: readonly string[]): Promise<ChildProcess> {
    const child = this.world.start('split', argv);
    await firstLine(child);
    return child;
  }

  async nft(ruleset: string): Promise<void> {
    writeFileSync(this.path('rules.nft'), ruleset);
    await this.world.run('split', ['nft', '-f', this.path('rules.nft')]);
  }

  /** @param pid of the peer's process, where it has one */
  async load(mode: Mode, milliseconds: number, [toCollector, toItms]: Targets, pid?: number): Promise<Measured> {
    const flooded = mode === 'flood' ? await this.prepareFlood(pid) : undefined;
    const words = [mode, `${milliseconds}`, `${REPORT_PORT}`, toCollector, toItms];
    const collectors = `/run/netns/${this.world.namespace('collector')}`;
    const cpuBefore = pid === undefined ? 0 : cpuSeconds(pid);
    const pinned = mode === 'flood' ? ['taskset', '-c', CORES.sender] : [];
    const machineBefore = machineSeconds();
    const complaints = this.path('complaints');
    const kept = ['sh', '-c', `exec "$@" 2>${complaints}`, 'sh'];
    const said = await this.world.run('cpe', [...kept, ...pinned, this.program('load'), ...words, collectors]);
    process.stderr.write(readFileSync(complaints, 'utf8'));
    const measured = { ...(JSON.parse(said) as Measured), cpuSeconds: 0, machineSeconds: 0 };
    measured.all ??= measured.done;
    measured.machineSeconds = machineSeconds() - machineBefore;
    if (pid !== undefined) measured.cpuSeconds = cpuSeconds(pid) - cpuBefore;
    if (flooded) measured.done = measured.all = await flooded();
    if (measured.wrong > 0)
      process.stderr.write(`${mode}: ${measured.wrong} of ${measured.done} broken off, or at the wrong server\n`);
    return measured;
  }

  /** The servers must not answer; answers how to count what reached them, and what the sender left in the queue too. */
  private async prepareFlood(pid?: number): Promise<() => Promise<number>> {
    const roles = ['itms', 'collector'] as const;
    // What it sends is shorter than what opens its connections.
    const drop = 'table ip deaf { chain mute { type filter hook prerouting priority raw; ip length 40 drop; }; }';
    for (const role of roles) await this.world.run(role, ['nft', drop]);
    await this.pin(pid, CORES.engine);
    const count = async (role: 'itms' | 'collector') =>
      Number(await this.world.run(role, ['cat', '/sys/class/net/eth0/statistics/rx_packets']));
    const total = async () => (await count('itms')) + (await count('collector'));
    const before = await total();
    return async () => {
      const received = (await total()) - before;
      for (const role of roles) await this.world.run(role, ['nft', 'delete table ip deaf']);
      await this.pin(pid, CORES.any);
      return received;
    };
  }

  private async pin(pid: number | undefined, cores: string): Promise<void> {
    if (pid === undefined) return;
    for (const one of processesOf(pid)) await this.world.run('split', ['taskset', '-acp', cores, `${one}`]);
  }
}

export async function firstLine(child: ChildProcess): Promise<string> {
  let said = '';
  child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const lines = createInterface({ input: child.stdout! });
  const line = await new Promise<string | undefined>((resolve) => {
    lines.once('line', resolve).once('close', () => resolve(undefined));
  });
  lines.close();
  if (line === undefined) throw new Error(`${child.spawnargs.join(' ')} ended: ${said}`);
  return line;
}

/** A process and its children. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const own = (Number(fields[11]) + Number(fields[12])) * TICK_SECONDS;
  return childrenOf(pid).reduce((sum, child) => sum + cpuSeconds(child), own);
}

/** A process and its children. */
export function processesOf(pid: number): number[] {
  return [pid, ...childrenOf(pid)];
}

function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  return children.filter((text) => text !== '').map(Number);
}

/** Time in which no core was idle. proc(5) */
function machineSeconds(): number {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/).slice(1, 9).map(Number);
  const [user, nice, system, , , irq, softirq] = fields;
  return (user + nice + system + irq + softirq) * TICK_SECONDS;
}

/**
 * A router in good health for `acsplit doctor`: bundle installed, engine running. A test plants one fault for real and
 * mends it with the very command that doctor prints, typed into a shell on that router.
 */

import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type ChildProcess } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { cli } from '../../../src/lab/engine';
import { end, REPORT_PORT } from '../../../src/lab/world';
import { type Finding } from '../../../src/doctor/check';
import { type Outcome } from '../../../src/steering/iptables/iptables';
import { CALLERS, DoctorOnlooker, isLookedOn } from './doctor-onlooker';
import { sh } from './netns';
import { Peer, RulesHost, until } from './rules-host';

export interface Diagnosed {
  ok: boolean;
  failures: number;
  warnings: number;
  findings: Finding[];
  omitted: { check: string; until: string }[];
}

/** A fault, and doctor's expected finding. */
export interface Planted {
  /** A line typed on the router, or something that takes more. */
  plant: string | (() => unknown);
  level: 'warning' | 'failure';
  check: string;
  says: RegExp;
  /** `null`: no command on this host mends it; `elsewhere` does. */
  mend: RegExp | null;
  /** A line for another host, as the message has it; or, after the mend, what ends the fault there. */
  elsewhere?: readonly [role: 'cpe' | 'itms' | 'collector', line: string] | (() => unknown);
  /** What the mend leaves behind, and the next test should not find. */
  after?: string;
}

/** Room for the tables of the lab's configuration and some more. */
const STATE_MEBIBYTES = 64;

export class DoctorHost {
  readonly servers: { itms?: Peer; collector?: Peer } = {};
  private readonly started: ChildProcess[] = [];
  /** A fault was planted and perhaps not mended. */
  private isSpoiled = false;
  private readonly onlooker: DoctorOnlooker;

  private constructor(
    readonly router: RulesHost,
    isIpv6: boolean,
  ) {
    const history = join(router.world.directory, 'history');
    this.onlooker = new DoctorOnlooker(router, this.stateDirectory, history, isIpv6 ? 'ipv6' : 'ipv4');
    this.program('acsplit', `exec ${cli(router.world).join(' ')} "$@"`);
    // Whoever runs the tests is root already.
    this.program('sudo', 'exec "$@"');
  }

  /** @param options.hasServers false: nothing listens on the servers; `ipv6` gives the router, its servers and its configuration addresses of both families */
  static async create(options: { ipv6?: boolean; hasServers?: boolean } = {}): Promise<DoctorHost> {
    const addresses = Array.from({ length: isLookedOn ? CALLERS : 1 }, (_, n) => `10.1.1.${n + 1}`);
    const host = new DoctorHost(await RulesHost.create('nft', { cpes: addresses }), options.ipv6 === true);
    host.edit('activation: off', 'activation: auto');
    if (isLookedOn) {
      host.router.configure(`${host.router.configurationText}history: { directory: ${host.onlooker.history} }\n`);
    }
    // A file system of its own, as /run is one: it can be filled.
    mkdirSync(host.stateDirectory, { mode: 0o750 });
    sh('mount', '-t', 'tmpfs', '-o', `mode=0750,size=${STATE_MEBIBYTES}m`, 'tmpfs', host.stateDirectory);
    try {
      if (options.ipv6 === true) host.addIpv6();
      const listening = options.hasServers === false ? [] : (['itms', 'collector'] as const);
      for (const role of listening) await host.serve(role);
      host.acsplit('rules install');
      await host.router.startEngine();
      return host;
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  /** Starts a server's program, in place of the one before, with so many ms to each answer; `through` another namespace. */
  async serve(role: 'itms' | 'collector', afterMs = 0, namespace?: string): Promise<void> {
    await this.servers[role]?.stop();
    const { world } = this.router;
    const words = ['listen', '::', String(REPORT_PORT), String(afterMs)];
    this.servers[role] = await Peer.start(world, role, words, 'ready', namespace);
  }

  /** This host if each fault planted on it was mended, otherwise a new one: a test that fails must not fail others. */
  static async healthy(host: DoctorHost | undefined, options: { ipv6?: boolean } = {}): Promise<DoctorHost> {
    if (host?.isSpoiled === false) return host;
    await host?.close();
    return DoctorHost.create(options);
  }

  private addIpv6(): void {
    for (const n of [0, 1, 2]) this.shell(`ip -6 address add fd00:${n + 1}::1/64 dev eth${n} nodad`);
    this.shell('sysctl -qw net.ipv6.conf.all.forwarding=1');
    const callers = Array.from({ length: isLookedOn ? CALLERS : 0 }, (_, n) => `fd00:1::1:${n + 1}`);
    for (const caller of callers) this.at('cpe', `ip -6 address add ${caller}/64 dev eth0 nodad`);
    if (isLookedOn) this.at('cpe', 'ip -6 route add default via fd00:1::1');
    for (const [role, n] of [
      ['itms', 2],
      ['collector', 3],
    ] as const) {
      this.at(role, `ip -6 address add fd00:${n}::2/64 dev eth0 nodad && ip -6 route add default via fd00:${n}::1`);
    }
    this.edit('10.1.0.1', '[10.1.0.1, "fd00:1::1"]');
    this.edit('10.1.0.0/16', '10.1.0.0/16, "fd00:1::/64"');
    this.edit('10.2.0.2', '[10.2.0.2, "fd00:2::2"]');
    this.edit('10.3.0.2', '[10.3.0.2, "fd00:3::2"]');
  }

  get stateDirectory(): string {
    return join(this.router.world.directory, 'state');
  }

  async close(): Promise<void> {
    await this.stopStarted();
    await this.router.stopEngine();
    sh('umount', '--lazy', this.stateDirectory);
    await this.router.close();
  }

  /**
   * On a healthy host: plants the fault, expects that finding and no other, fixes it as printed, and expects a healthy
   * host again.
   */
  async findAndMend({ plant, level, check, says, mend, elsewhere, after }: Planted): Promise<void> {
    this.isSpoiled = true;
    this.onlooker.begin();
    if (typeof plant === 'string') this.shell(plant);
    else await plant();
    const found = this.complaints();
    const command = mend === null ? null : (expect.stringMatching(mend) as string);
    const [{ see, ...first }, ...others] = found as [Finding, ...Finding[]];
    expect([first, ...others]).toEqual([
      { check, level, message: expect.stringMatching(says) as string, mend: command },
    ]);
    if (see !== undefined) this.shell(see);
    if (found[0].mend !== null) {
      this.shell(found[0].mend);
      await this.untilHealthy();
    }
    if (typeof elsewhere === 'function') await elsewhere();
    else if (elsewhere !== undefined) this.at(...elsewhere);
    if (elsewhere !== undefined && after === undefined) await this.untilHealthy();
    if (after !== undefined) {
      this.shell(after);
      await this.untilHealthy();
    }
    this.isSpoiled = false;
    await this.note();
  }

  /** What was found so far in this test belongs to no fault. */
  forget(): void {
    this.onlooker.begin();
  }

  /** For `npm run prove doctor`: this test's fault is mended. */
  note(): Promise<void> {
    return this.onlooker.note();
  }

  /** Waits until doctor finds no fault: an engine that was just started takes a moment. */
  untilHealthy(): Promise<void> {
    return until(() => this.complaints().length === 0, 'a healthy host');
  }

  /** Puts a program in front of the system's own, for commands on this host. */
  program(name: string, ...lines: string[]): void {
    const file = join(this.router.binaries, name);
    // The existing entry is a link to the system's own program.
    rmSync(file, { force: true });
    writeFileSync(file, ['#!/bin/sh', ...lines, ''].join('\n'));
    chmodSync(file, 0o755);
  }

  /** `acsplit doctor --json`, with `wrapper` in front of the program; without one, see WarmCli. */
  diagnose(wrapper: readonly string[] = []): Diagnosed {
    const begunMs = performance.now();
    const { status, stdout, stderr } =
      wrapper.length === 0 ? this.router.acsplit('doctor', '--json') : this.doctor([...wrapper], '--json');
    const ms = performance.now() - begunMs;
    if (stderr !== '') throw new Error(stderr);
    const diagnosed = JSON.parse(stdout) as Diagnosed;
    expect(status).toBe(diagnosed.ok ? 0 : 1);
    // Of the calls that CPEs make while we look.
    if (isLookedOn) diagnosed.findings = diagnosed.findings.filter(({ check }) => check !== 'health');
    this.onlooker.heard(
      diagnosed.findings.find(({ level }) => level !== 'ok'),
      ms,
    );
    return diagnosed;
  }

  doctor(wrapper: string[], ...words: string[]): Outcome {
    return this.router.run([...wrapper, 'acsplit', 'doctor', ...words, '-c', this.router.configuration]);
  }

  /** What is not in order, in short: `failure forwarding`. */
  complaints(wrapper: readonly string[] = []): Finding[] {
    return this.diagnose(wrapper).findings.filter(({ level }) => level !== 'ok');
  }

  /** From here on this host's configuration is at the default path of `acsplit`. */
  keepConfiguration(): void {
    this.program(
      'acsplit',
      `for word; do shift; [ "$word" = /etc/acsplit/acsplit.yaml ] && word=${this.router.configuration}`,
      'set -- "$@" "$word"; done',
      `case " $* " in *" -c "*) ;; *) set -- "$@" -c ${this.router.configuration} ;; esac`,
      `exec ${cli(this.router.world).join(' ')} "$@"`,
    );
  }

  /** A line in a shell of another host. */
  at(role: 'cpe' | 'itms' | 'collector', line: string): void {
    sh('nsenter', `--net=/run/netns/${this.router.world.namespace(role)}`, 'sh', '-c', line);
  }

  /** A line in a shell of the router. */
  shell(line: string): string {
    return this.router.must(['sh', '-c', line]);
  }

  /** `acsplit WORDS` with this host's configuration. */
  acsplit(words: string): string {
    return this.shell(`acsplit ${words} -c ${this.router.configuration}`);
  }

  /** Starts a line in a shell of the router and leaves it running. */
  start(line: string): ChildProcess {
    const search = [this.router.binaries, process.env.PATH ?? ''].join(delimiter);
    const child = this.router.world.start('split', ['env', `PATH=${search}`, 'sh', '-c', line]);
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => this.router.hear(chunk));
    this.started.push(child);
    return child;
  }

  /** Ends what `start` started and still runs: each shell with what it started in turn. */
  async stopStarted(): Promise<void> {
    for (const child of this.started) {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGTERM');
      await end(child);
      // The shell does not wait for its children, which may still have its queues.
      await until(() => !isGroupAlive(child.pid!), 'what was started to end');
    }
  }

  /** A configuration like this host's, with a state directory of its own and `more`; answers its path. */
  configuration(name: string, more: string): string {
    const text = readFileSync(this.router.configuration, 'utf8')
      .replace(/^queue:.*\n/m, '')
      .replace(/^stateDirectory:.*/m, `stateDirectory: ${join(this.router.world.directory, name)}`);
    const file = join(this.router.world.directory, `${name}.yaml`);
    writeFileSync(file, `${text}${more}\n`);
    return file;
  }

  /** Waits until a process has bound a queue. */
  untilBound(queue: number): Promise<void> {
    const isBound = () => new RegExp(`^ *${queue} `, 'm').test(this.shell('cat /proc/net/netfilter/nfnetlink_queue'));
    return until(isBound, `queue ${queue} to be bound`);
  }

  /** Replaces a part of the configuration. */
  edit(pattern: string | RegExp, replacement: string): void {
    const text = readFileSync(this.router.configuration, 'utf8');
    const edited = text.replace(pattern, replacement);
    if (edited === text) throw new Error(`nothing to replace: ${String(pattern)}`);
    this.router.configure(edited);
  }
}

/** Whether a process of this group is left that is no mere entry in the table of processes. */
function isGroupAlive(group: number): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const [state, , processGroup] = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return Number(processGroup) === group && state !== 'Z' && state !== 'X';
    } catch {
      return false; // It has just ended.
    }
  });
}

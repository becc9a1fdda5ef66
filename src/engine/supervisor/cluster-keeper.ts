/**
 * Keeps the cluster process alive without ever waiting for it: starts it, starts it again when it dies, with growing
 * delays, and carries acts of the operator to and fro. The rings outlive worker and cluster process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { loadAddon } from '../shared/binding';
import {
  type ClusterReport,
  type ClusterSettings,
  type ClusterStatus,
  type Confirmation,
  type FromCluster,
  type ToCluster,
} from '../shared/cluster-protocol';
import { ClusterRings } from '../shared/cluster-rings';
import { type ChangeRequest } from '../shared/control-request';
import { type EngineLog } from '../shared/engine-log';
import { FD } from '../shared/worker-protocol';
import { lastWords, MAX_WORDS } from './worker-process';
import { CLUSTER_MAIN, WORKER_BOOT, type WorkerProgram } from './worker-program';

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
/** One that lives this long has started well. */
const PROVEN_MS = 10_000;
const STOP_TIMEOUT_MS = 1000;
/** An act waits for the other routers for so long; the cluster process itself answers sooner. */
const CONFIRM_MS = 2500;
/** A peer that says nothing for so long is not there. */
const PEER_MS = 5000;

export interface ClusterOptions {
  settings: ClusterSettings;
  version: string;
  program: WorkerProgram;
  log: EngineLog;
  /** Carries out what a peer's operator wants. */
  act: (request: ChangeRequest) => Promise<unknown>;
}

/** @returns undefined without `cluster` in the configuration */
export function keepCluster(
  options: Omit<ClusterOptions, 'settings'> & { cluster: ClusterSettings | undefined },
): ClusterKeeper | undefined {
  const { cluster: settings, version, program, log, act } = options;
  return settings && new ClusterKeeper({ settings, version, program, log, act });
}

export class ClusterKeeper {
  /** Of the rings' memory. */
  readonly descriptor: number;
  private child: ChildProcess | undefined;
  private isStopping = false;
  private restarts = 0;
  private failures = 0;
  private startedMs = 0;
  private restart: NodeJS.Timeout | undefined;
  private hasJoined = false;
  private report: ClusterReport;
  private reportedMs = performance.now();
  private nextId = 0;
  private readonly acts = new Map<number, (confirmation: Confirmation) => void>();

  constructor(private readonly options: ClusterOptions) {
    this.descriptor = loadAddon().createMemory(ClusterRings.BYTES);
    this.report = nothingKnown(options.settings);
    this.launch();
  }

  /** It has loaded what the stores have, or none has answered for a while. Once true, it stays: a router goes on alone. */
  get isReady(): boolean {
    return this.hasJoined;
  }

  get status(): ClusterStatus {
    const { group, name } = this.options.settings;
    const staleMs = Math.max(0, Math.round(performance.now() - this.reportedMs) - 1000);
    const peers = this.report.peers.map((peer) => ({ ...peer, seenMs: peer.seenMs + staleMs }));
    return {
      state: !this.hasJoined ? 'joining' : this.isAlone(peers) ? 'alone' : 'joined',
      ...this.report,
      ...{ ready: this.hasJoined, peers, group, name, pid: this.child?.pid ?? 0, restarts: this.restarts },
    };
  }

  /** Tells all routers, and waits a little for them to confirm. */
  pause(paused: boolean): Promise<Confirmation> {
    const id = this.nextId++;
    const nobody: Confirmation = { confirmed: [], missing: this.report.peers.map(({ name }) => name), stores: 0 };
    return new Promise((resolve) => {
      const settle = (confirmation: Confirmation) => {
        clearTimeout(timer);
        this.acts.delete(id);
        resolve(confirmation);
      };
      const timer = setTimeout(() => settle(nobody), CONFIRM_MS);
      this.acts.set(id, settle);
      if (!this.tell({ kind: 'pause', id, paused })) settle(nobody);
    });
  }

  /** Lets it write what it has, for a second at most. */
  async stop(): Promise<void> {
    this.isStopping = true;
    clearTimeout(this.restart);
    const { child } = this;
    if (child) {
      const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
      const limit = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      this.tell({ kind: 'stop' });
      await ended;
      clearTimeout(limit);
    }
    closeSync(this.descriptor);
  }

  private isAlone(peers: ClusterReport['peers']): boolean {
    const hasStore = this.report.stores.some(({ state }) => state === 'up');
    return !hasStore || this.child === undefined || !peers.some(({ seenMs }) => seenMs < PEER_MS);
  }

  private launch(): void {
    const { program } = this.options;
    const stdio: (number | 'ignore' | 'pipe' | 'ipc')[] = ['ignore', 'ignore', 'pipe'];
    // No holes: Node takes them for pipes.
    for (let fd = FD.channel; fd <= FD.cluster; fd++) stdio[fd] = 'ignore';
    stdio[FD.channel] = 'ipc';
    stdio[FD.modules] = program.modules;
    stdio[FD.addon] = program.addon;
    stdio[FD.cluster] = this.descriptor;
    const child = spawn(process.execPath, ['-e', WORKER_BOOT, CLUSTER_MAIN], { stdio });
    this.child = child;
    this.startedMs = performance.now();
    let words = '';
    child.stderr?.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-MAX_WORDS)));
    child.on('message', (message: FromCluster) => this.hear(message));
    // `close` follows every end, `error` only comes when it could not be started.
    child.once('error', () => this.mourn(child, 'it cannot be started'));
    child.once('close', (code, signal) => this.mourn(child, lastWords(words, code, signal)));
  }

  private hear(message: FromCluster): void {
    const { settings, version, log } = this.options;
    switch (message.kind) {
      case 'up':
        this.tell({ kind: 'start', parent: process.pid, version, settings });
        return;
      case 'status':
        return this.noteStatus(message.status);
      case 'pause':
        return void this.obey(message);
      case 'confirmed':
        return this.acts.get(message.id)?.(message.confirmation);
      case 'log':
        return log[message.level]({ event: 'cluster', ...message.details }, message.message);
    }
  }

  private noteStatus(report: ClusterReport): void {
    this.report = report;
    this.reportedMs = performance.now();
    if (!report.ready || this.hasJoined) return;
    this.hasJoined = true;
    const { group, name } = this.options.settings;
    const isAlone = !report.stores.some(({ state }) => state === 'up');
    const what = isAlone ? 'no store answers: this router goes on alone' : `joined group ${group} as ${name}`;
    this.options.log[isAlone ? 'warn' : 'info']({ event: 'cluster', rows: report.rows }, what);
  }

  private async obey({ paused, by, generation }: Extract<FromCluster, { kind: 'pause' }>): Promise<void> {
    const { log, act } = this.options;
    try {
      await act({ command: paused ? 'pause' : 'resume' });
      log.info({ event: 'cluster', router: by }, `${paused ? 'paused' : 'resumed'} by router ${by}`);
      this.tell({ kind: 'paused', generation });
    } catch (error) {
      log.error({ event: 'cluster', router: by }, `cannot obey router ${by}: ${(error as Error).message}`);
    }
  }

  private mourn(child: ChildProcess, reason: string): void {
    if (this.child !== child) return;
    this.child = undefined;
    if (this.isStopping) return;
    this.failures = performance.now() - this.startedMs > PROVEN_MS ? 1 : this.failures + 1;
    const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.failures - 1));
    const message = `the cluster process died: ${reason}; it loads everything again`;
    this.options.log.warn({ event: 'cluster-died', pid: child.pid, delayMs }, message);
    this.restarts++;
    this.restart = setTimeout(() => this.launch(), delayMs);
  }

  /** False when it is not there. A dying one no longer listens, which is no error. */
  private tell(message: ToCluster): boolean {
    return this.child?.connected === true && this.child.send(message, () => undefined);
  }
}

function nothingKnown({ stores }: ClusterSettings): ClusterReport {
  return {
    ...{ ready: false, lagMs: 0, peers: [] },
    stores: stores.map(({ address }) => ({ address, state: 'connecting', offsetMs: 0, error: null, advice: null })),
    ...{ rows: 0, published: 0, refused: 0, applied: 0, overtaken: 0, conflicts: 0, lost: 0, loads: 0 },
  };
}

/**
 * The cluster process (kept-process.ts): passes acts of the operator to the other routers and back, and tells what it reports.
 * The rings outlive worker and cluster process.
 */
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
import { KeptProcess } from './kept-process';
import { CLUSTER_MAIN, type WorkerProgram } from './worker-program';

const MAX_DELAY_MS = 10_000;
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
  private readonly kept: KeptProcess<FromCluster, ToCluster>;
  private hasJoined = false;
  private report: ClusterReport;
  private reportedMs = performance.now();
  private nextId = 0;
  private readonly acts = new Map<number, (confirmation: Confirmation) => void>();

  constructor(private readonly options: ClusterOptions) {
    this.descriptor = loadAddon().createMemory(ClusterRings.BYTES);
    this.report = nothingKnown(options.settings);
    this.kept = this.launch();
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
      ...{ ready: this.hasJoined, peers, group, name, pid: this.kept.pid, restarts: this.kept.restarts },
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
      if (!this.kept.tell({ kind: 'pause', id, paused })) settle(nobody);
    });
  }

  /** Lets it write what it has, for a second at most. */
  async stop(): Promise<void> {
    await this.kept.stop({ kind: 'stop' });
    closeSync(this.descriptor);
  }

  private isAlone(peers: ClusterReport['peers']): boolean {
    const hasStore = this.report.stores.some(({ state }) => state === 'up');
    return !hasStore || this.kept.pid === 0 || !peers.some(({ seenMs }) => seenMs < PEER_MS);
  }

  private launch(): KeptProcess<FromCluster, ToCluster> {
    const { program, log } = this.options;
    return new KeptProcess({
      ...{ main: CLUSTER_MAIN, program, memory: { descriptor: this.descriptor, at: FD.cluster } },
      ...{ maxDelayMs: MAX_DELAY_MS, stopTimeoutMs: STOP_TIMEOUT_MS },
      hear: (message) => this.hear(message),
      onDeath: (reason, details) => {
        const what = `the cluster process died: ${reason}; it loads everything again`;
        log.warn({ event: 'cluster-died', ...details }, what);
      },
    });
  }

  private hear(message: FromCluster): void {
    const { settings, version, log } = this.options;
    switch (message.kind) {
      case 'up':
        this.kept.tell({ kind: 'start', parent: process.pid, version, settings });
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
      this.kept.tell({ kind: 'paused', generation });
    } catch (error) {
      log.error({ event: 'cluster', router: by }, `cannot obey router ${by}: ${(error as Error).message}`);
    }
  }
}

function nothingKnown({ stores }: ClusterSettings): ClusterReport {
  return {
    ...{ ready: false, lagMs: 0, peers: [] },
    stores: stores.map(({ address }) => ({ address, state: 'connecting', offsetMs: 0, error: null, advice: null })),
    ...{ rows: 0, published: 0, refused: 0, applied: 0, overtaken: 0, conflicts: 0, lost: 0, loads: 0 },
  };
}

/**
 * The fast path in the supervisor: opened before a worker starts, attached once the worker has mirrored the report table,
 * looked at every second. It stays attached when the engine stops. docs/decisions/fast-path.md
 */
import { type Address } from '../../packet/address';
import { type Topology } from '../../splitter/topology';
import { EngineError } from '../shared/engine-error';
import { type EngineLog } from '../shared/engine-log';
import { type FastPath, type FastPathMode, type FastPathStatus, type MirrorMaps } from '../shared/fast-path';

const LOOK_MS = 1000;

export interface CarrierOptions {
  fastPath: FastPathMode;
  carrier: FastPath;
  log: EngineLog;
}

export class Carrier {
  /** For the workers; undefined where nothing is carried. */
  maps: MirrorMaps | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** The last complaint, so that it is logged once. */
  private said: string | undefined;

  constructor(private readonly options: CarrierOptions) {}

  /** @throws EngineError with `on`, where the kernel cannot carry */
  open({ topology, capacityEntries }: { topology: Topology; capacityEntries: number }): void {
    const { fastPath, carrier, log } = this.options;
    // What another engine has left would carry by tables that nobody mirrors.
    if (fastPath === 'off') return this.attempt(() => carrier.remove());
    try {
      this.maps = carrier.open(topology, capacityEntries);
    } catch (error) {
      const { message } = error as Error;
      if (fastPath === 'on') throw new EngineError(`fastPath is on, but ${message}`, { cause: error });
      log.warn({ event: 'fast-path', reason: message }, `the kernel carries nothing: ${message}`);
    }
  }

  /** A worker has mirrored the report table. */
  start(topology: Topology): void {
    if (this.maps === undefined) return;
    const { fastPath, carrier, log } = this.options;
    try {
      carrier.carry(topology);
      log.info(
        { event: 'fast-path', interfaces: carrier.status().interfaces },
        'the kernel carries what needs no decision',
      );
    } catch (error) {
      if (fastPath === 'on') throw new EngineError(`fastPath is on, but ${(error as Error).message}`, { cause: error });
      this.complain(error as Error);
    }
    this.timer = setInterval(() => this.attempt(() => carrier.look()), LOOK_MS);
    this.timer.unref();
  }

  reload(topology: Topology): void {
    if (this.maps !== undefined) this.attempt(() => this.options.carrier.carry(topology));
  }

  watch(cpe: Address, nowMs: number, forMs: number): void {
    if (this.maps !== undefined) this.options.carrier.watch(cpe, nowMs, forMs);
  }

  status(): FastPathStatus & { mode: FastPathMode } {
    const { fastPath: mode, carrier } = this.options;
    if (mode === 'off')
      return { mode, carries: false, interfaces: [], reason: 'off in the configuration', packets: {} };
    return { mode, ...carrier.status() };
  }

  /** Ends the watch. What is attached stays, so that running connections do not stall. */
  stop(): void {
    clearInterval(this.timer);
    this.options.carrier.close();
    this.maps = undefined;
  }

  private attempt(act: () => void): void {
    try {
      act();
      this.said = undefined;
    } catch (error) {
      this.complain(error as Error);
    }
  }

  private complain({ message }: Error): void {
    if (this.said === message) return;
    this.said = message;
    this.options.log.error({ event: 'fast-path', reason: message }, `the kernel does not carry everywhere: ${message}`);
  }
}

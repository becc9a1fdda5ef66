/**
 * The fast path in the supervisor: opened before a worker starts, attached once the worker has mirrored the report table,
 * looked at every second. It stays attached when the engine stops. docs/decisions/fast-path.md
 */
import { type Address } from '../../packet/address';
import { type Splitter } from '../../splitter/splitter';
import { type Topology } from '../../splitter/topology';
import { checkFlows, type FlowCheck } from '../shared/flow-check';
import { EngineError } from '../shared/engine-error';
import { type EngineLog } from '../shared/engine-log';
import { type FastPath, type FastPathMode, type FastPathReport, type MirrorMaps } from '../shared/fast-path';

const LOOK_MS = 1000;
const NOTHING = { loaded: false, carries: false, interfaces: [] };

export interface CarrierOptions {
  fastPath: FastPathMode;
  carrier: FastPath;
  log: EngineLog;
}

export class Carrier {
  /** For the workers; undefined where the kernel cannot carry. */
  maps: MirrorMaps | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** Looks, one after the other. */
  private turn = Promise.resolve();
  private isLooking = false;
  /** What the log has last said of it: why it does not carry; null: that it does. */
  private told: string | null | undefined;

  constructor(private readonly options: CarrierOptions) {}

  /** @throws EngineError with `on`, where the kernel cannot carry */
  async open({ topology, capacityEntries }: { topology: Topology; capacityEntries: number }): Promise<void> {
    const { fastPath, carrier, log } = this.options;
    try {
      // What another engine has left would carry by tables that nobody mirrors.
      if (fastPath === 'off') return carrier.remove();
      const obstacle = fastPath === 'on' ? await carrier.obstacle(topology) : undefined;
      if (obstacle !== undefined) {
        carrier.remove();
        throw new Error(obstacle);
      }
      this.maps = carrier.open(capacityEntries);
    } catch (error) {
      const { message } = error as Error;
      if (fastPath === 'on') throw refusal(message);
      this.told = message;
      log.warn({ event: 'fast-path', reason: message }, `the kernel carries nothing: ${message}`);
    }
  }

  /** A worker has mirrored the report table. @throws EngineError with `on`, where it does not carry everywhere */
  async start(topology: Topology): Promise<void> {
    if (this.maps === undefined) return;
    const { fastPath, carrier } = this.options;
    const reason = await this.attempt(() => carrier.carry(topology));
    if (fastPath === 'on' && reason !== undefined) throw refusal(reason);
    this.timer = setInterval(() => {
      if (!this.isLooking) void this.attempt(() => carrier.look());
    }, LOOK_MS);
    this.timer.unref();
  }

  async reload(topology: Topology): Promise<void> {
    if (this.maps !== undefined) await this.attempt(() => this.options.carrier.carry(topology));
  }

  watch(cpe: Address, nowMs: number, forMs: number): void {
    if (this.maps !== undefined) this.options.carrier.watch(cpe, nowMs, forMs);
  }

  /** While the engine does not say so again, the kernel sends new sessions to the ITMS. */
  beat(untilMs: number): void {
    if (this.maps !== undefined) this.options.carrier.beat(untilMs);
  }

  /** @param flows as the worker counts them */
  status(flows: number): FastPathReport {
    const { fastPath: mode, carrier } = this.options;
    if (mode === 'off') return { mode, ...NOTHING, reason: 'off in the configuration', flows: 0, packets: {} };
    const { packets, ...rest } = carrier.status();
    return { mode, ...rest, flows: this.maps === undefined ? 0 : flows, packets };
  }

  /** @throws EngineError where nothing is carried */
  checkFlows(look: () => Splitter): Promise<FlowCheck> {
    if (this.maps === undefined) throw new EngineError('the kernel carries nothing: there are no flows');
    return checkFlows(look, (family) => this.options.carrier.flows(family) ?? new Uint8Array(0));
  }

  /** Ends the watch. What is attached stays, so that running connections do not stall. */
  stop(): void {
    clearInterval(this.timer);
    this.options.carrier.close();
    this.maps = undefined;
  }

  /** In its turn. Answers why the kernel does not carry, or not everywhere. */
  private async attempt(act: () => Promise<string | undefined>): Promise<string | undefined> {
    let reason: string | undefined;
    this.turn = this.turn.then(async () => {
      this.isLooking = true;
      try {
        reason = await act();
      } catch (error) {
        reason = (error as Error).message;
      }
      this.isLooking = false;
      if (this.maps !== undefined) this.tell(reason ?? null);
    });
    await this.turn;
    return reason;
  }

  private tell(reason: string | null): void {
    if (reason === this.told) return;
    this.told = reason;
    const { carrier, log } = this.options;
    const { interfaces } = carrier.status();
    if (reason === null) log.info({ event: 'fast-path', interfaces }, 'the kernel carries what needs no decision');
    else if (interfaces.length > 0)
      log.error({ event: 'fast-path', interfaces, reason }, `the kernel does not carry everywhere: ${reason}`);
    else log.warn({ event: 'fast-path', reason }, `the kernel carries nothing: ${reason}`);
  }
}

function refusal(reason: string): EngineError {
  return new EngineError(`fastPath is on, but ${reason}`);
}

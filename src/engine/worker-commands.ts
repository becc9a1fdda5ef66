/** What an operator may tell a running splitter. Every argument comes from outside and is checked here. */
import { type Address, formatAddress, parseAddress } from '../packet/address';
import { type Splitter } from '../splitter/splitter';
import { type ActivationMode } from '../splitter/topology';
import { type ControlRequest } from './control';
import { EngineError } from './engine-error';

/** Names of the commands that change something, and so are the worker's. */
export const CHANGES = ['activate', 'deactivate', 'pause', 'resume'] as const;

/** What an activation by hand came to: armed in any case, but it diverts only where diverting is on. */
export interface ActivateAnswer {
  collector: string;
  activation: ActivationMode;
  paused: boolean;
}

/** Where a pause is remembered, beyond this process. */
interface Memory {
  paused: boolean;
}

/** @param nowMs of the engine's clock */
export function changes(
  splitter: Splitter,
  memory: Memory,
  nowMs: number,
): Readonly<Record<string, (request: ControlRequest) => unknown>> {
  const setPaused = (paused: boolean) => {
    const was = splitter.paused;
    memory.paused = splitter.paused = paused;
    return { paused, was };
  };
  return {
    activate: (request) => activate(splitter, request, nowMs),
    deactivate: (request) => deactivate(splitter, request, nowMs),
    pause: () => setPaused(true),
    resume: () => setPaused(false),
  };
}

function activate(splitter: Splitter, request: ControlRequest, nowMs: number): ActivateAnswer {
  const cpe = cpeOf(request);
  const { collector } = request;
  if (typeof collector !== 'string') throw new EngineError('activate needs a collector');
  refuseStranger(splitter, cpe);
  // RangeError: no collector of that name.
  if (!splitter.activate(cpe, collector, nowMs)) {
    throw new EngineError('the table of activated CPEs is full; raise tables.capacity');
  }
  return { collector, activation: splitter.activation, paused: splitter.paused };
}

function deactivate(splitter: Splitter, request: ControlRequest, nowMs: number): { ended: boolean } {
  const cpe = cpeOf(request);
  const ended = splitter.deactivate(cpe, nowMs);
  // What was armed before a reload took its network away is ended all the same.
  if (!ended) refuseStranger(splitter, cpe);
  return { ended };
}

/** Of an address where no CPE lives nothing will ever be seen: it was mistyped. @throws EngineError */
export function refuseStranger(splitter: Pick<Splitter, 'isCpe'>, cpe: Address): void {
  if (!splitter.isCpe(cpe)) throw new EngineError(`${formatAddress(cpe)} is in none of cpe.networks`);
}

/** The request's CPE. @throws EngineError when it names none */
export function cpeOf(request: ControlRequest): Address {
  const address = typeof request.cpe === 'string' ? parseAddress(request.cpe) : undefined;
  if (address === undefined) throw new EngineError('cpe must be an IPv4 or IPv6 address');
  return address;
}

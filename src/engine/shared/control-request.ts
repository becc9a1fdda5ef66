/**
 * Requests on the control socket, for both processes: the request, its arguments, and the commands that change
 * something.
 */
import { type Address, formatAddress, parseAddress } from '../../packet/address';
import { type Splitter } from '../../splitter/splitter';
import { type ActivationMode } from '../../splitter/topology';
import { EngineError } from './engine-error';

export type ControlRequest = { command: string } & Record<string, unknown>;

/** Commands that change something; the worker carries them out. */
export const CHANGES = ['activate', 'deactivate', 'pause', 'resume'] as const;
export type ChangeName = (typeof CHANGES)[number];
export type ChangeRequest = ControlRequest & { command: ChangeName };

/** All commands. docs/control-socket.md */
export const COMMANDS = ['status', 'hour', 'flows', 'tables', 'events', 'packets', 'rules', ...CHANGES] as const;
export type CommandName = (typeof COMMANDS)[number];

/** Handlers of these commands; they answer at once or later. */
export type Answers<Name extends CommandName> = Readonly<
  Record<Name, (request: ControlRequest, descriptor?: number) => unknown>
>;

/** The result of an activation by hand: always armed, but it diverts only where diverting is on. */
export interface ActivateAnswer {
  collector: string;
  activation: ActivationMode;
  paused: boolean;
}

/**
 * Refuses an address outside the CPE networks: no packet from it would ever be seen, so it was mistyped. @throws
 * EngineError
 */
export function refuseStranger(splitter: Pick<Splitter, 'isCpe'>, cpe: Address): void {
  if (!splitter.isCpe(cpe)) throw new EngineError(`${formatAddress(cpe)} is in none of cpe.networks`);
}

/** The request's CPE. @throws EngineError when it names none */
export function cpeOf(request: ControlRequest): Address {
  const address = typeof request.cpe === 'string' ? parseAddress(request.cpe) : undefined;
  if (address === undefined) throw new EngineError('cpe must be an IPv4 or IPv6 address');
  return address;
}

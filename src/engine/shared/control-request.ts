/** What is asked over the control socket, in both processes: the request, its arguments, the names that change something. */
import { type Address, formatAddress, parseAddress } from '../../packet/address';
import { type Splitter } from '../../splitter/splitter';
import { type ActivationMode } from '../../splitter/topology';
import { EngineError } from './engine-error';

export type ControlRequest = { command: string } & Record<string, unknown>;

/** Names of the commands that change something, and so are the worker's. */
export const CHANGES = ['activate', 'deactivate', 'pause', 'resume'] as const;
export type ChangeName = (typeof CHANGES)[number];
export type ChangeRequest = ControlRequest & { command: ChangeName };

/** Names of all commands. docs/control-socket.md */
export const COMMANDS = ['status', 'tables', 'events', 'packets', ...CHANGES] as const;
export type CommandName = (typeof COMMANDS)[number];

/** What answers each of these commands, at once or later. */
export type Answers<Name extends CommandName> = Readonly<Record<Name, (request: ControlRequest) => unknown>>;

/** What an activation by hand came to: armed in any case, but it diverts only where diverting is on. */
export interface ActivateAnswer {
  collector: string;
  activation: ActivationMode;
  paused: boolean;
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

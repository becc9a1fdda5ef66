/**
 * Who commands the engine: every command that changes something, or tries to, is logged and kept in the history, with the
 * uid and pid that the kernel tells of the connection, and the login that the caller claims (root by sudo has many).
 */
import { type Answers, type ChangeName, CHANGES, type ControlRequest } from '../shared/control-request';
import { type Peer } from '../shared/binding';
import { type EngineLog } from '../shared/engine-log';

/** What stands in log and history. */
export interface Act {
  command: ChangeName;
  cpe?: string;
  collector?: string;
  /** -1 and 0 when the caller has hung up before we could ask; pid 0 also of a caller in another pid namespace. */
  uid: number;
  pid: number;
  login: string;
  /** Why it was refused. */
  refused?: string;
}

export interface AuditOptions {
  /** Carries a command out. */
  act: (request: ControlRequest & { command: ChangeName }) => Promise<unknown>;
  peerOf: (descriptor: number) => Peer;
  keep: (act: Act) => void;
  log: EngineLog;
}

const UNKNOWN: Peer = { uid: -1, pid: 0 };

export function audited(options: AuditOptions): Answers<ChangeName> {
  const answers = CHANGES.map((command) => [
    command,
    (request: ControlRequest, descriptor?: number) => actAndTell(options, { ...request, command }, descriptor),
  ]);
  return Object.fromEntries(answers) as Answers<ChangeName>;
}

async function actAndTell(
  options: AuditOptions,
  request: ControlRequest & { command: ChangeName },
  descriptor: number | undefined,
): Promise<unknown> {
  const peer = askPeer(options, descriptor);
  const { command } = request;
  const by = { uid: peer.uid, pid: peer.pid, login: word(request.login, /^[\w.@+$\\-]{1,64}$/) ?? 'unknown' };
  const cpe = word(request.cpe, /^[\d.:a-fA-F]{1,45}$/);
  const collector = word(request.collector, /^[\w.-]{1,63}$/);
  const act: Act = { command, ...(cpe && { cpe }), ...(collector && { collector }), ...by };
  try {
    const result = await options.act(request);
    tell(options, act);
    return result;
  } catch (error) {
    tell(options, { ...act, refused: (error as Error).message });
    throw error;
  }
}

function askPeer({ peerOf }: AuditOptions, descriptor: number | undefined): Peer {
  try {
    return descriptor === undefined ? UNKNOWN : peerOf(descriptor);
  } catch {
    return UNKNOWN;
  }
}

function tell({ keep, log }: AuditOptions, act: Act): void {
  const { command, cpe, collector, login, uid, pid, refused } = act;
  const what = [command, cpe, collector].filter((part) => part !== undefined).join(' ');
  const ending = refused === undefined ? '' : `, refused: ${refused}`;
  const level = refused === undefined ? 'info' : 'warn';
  log[level]({ event: 'operator', ...act }, `${what}, by ${login} (uid ${uid}, pid ${pid})${ending}`);
  keep(act);
}

/** What a caller says is printed on terminals: nothing but the expected characters. */
function word(value: unknown, shape: RegExp): string | undefined {
  return typeof value === 'string' && shape.test(value) ? value : undefined;
}

/** Tells of each change of a server's state once: in the log, and in the history. */
import { SERVER_STATES, type StateChange, type ServerStateName } from '../../splitter/health/server-row';
import { reasonOf } from '../report/servers';
import { type EngineLog } from '../shared/engine-log';

const INTERVAL_MS = 250;

export interface ServerLogParts {
  /** Visits the changes from a number on; the number to continue from. */
  changes: (since: number, visit: (change: StateChange) => void) => number;
  /** Undefined for a server that is no longer configured. */
  serverOf: (row: number) => { server: string; address: string } | undefined;
  log: EngineLog;
  /** Keeps an event in the history. */
  note: (kind: 'server', details: object) => void;
  /** What happens to the sessions of a collector that is down. */
  effect: () => string;
}

/** All servers are up when this begins. */
export function watchServers(parts: ServerLogParts): { stop(): void } {
  let next = 0;
  const look = () => {
    next = parts.changes(next, ({ row, state, trouble, troubled, attempts }) => {
      const known = parts.serverOf(row);
      if (known) tell(parts, { ...known, state: SERVER_STATES[state], why: reasonOf(trouble, troubled, attempts) });
    });
  };
  const timer = setInterval(look, INTERVAL_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

interface Change {
  server: string;
  address: string;
  state: ServerStateName;
  why: string | null;
}

function tell({ log, note, effect }: ServerLogParts, { server, address, state, why }: Change): void {
  const name = server === 'itms' ? 'the ITMS' : `collector ${server}`;
  const fields = { server, address, ...(why !== null && { why }) };
  note('server', { state, ...fields });
  switch (state) {
    case 'up':
      return log.info({ event: 'server-up', ...fields }, `${name} (${address}) is up`);
    case 'degraded':
      return log.warn({ event: 'server-degraded', ...fields }, `${name} (${address}) is degraded: ${why}`);
    case 'down': {
      const then = server === 'itms' ? 'its CPEs have no server' : effect();
      return log.error({ event: 'server-down', ...fields }, `${name} (${address}) is down: ${why}; ${then}`);
    }
  }
}

/** Tells of each change of a server's state once: in the log, and in the history. */
import { type AddressStatus, type ServerStatus } from '../report/servers';
import { type EngineLog } from '../shared/engine-log';

const INTERVAL_MS = 500;

export interface ServerLogParts {
  servers: () => Record<string, ServerStatus>;
  log: EngineLog;
  /** Keeps an event in the history. */
  note: (kind: 'server', details: object) => void;
  /** What happens to the sessions of a collector that is down. */
  effect: () => string;
}

/** All servers are up when this begins; what a predecessor has told is not told again. */
export function watchServers(parts: ServerLogParts): { stop(): void } {
  const told = new Map<string, AddressStatus['state']>();
  const look = () => {
    for (const [server, { addresses }] of Object.entries(parts.servers())) {
      for (const address of addresses) {
        const key = `${server} ${address.address}`;
        if ((told.get(key) ?? 'up') !== address.state) tell(parts, server, address);
        told.set(key, address.state);
      }
    }
  };
  const timer = setInterval(look, INTERVAL_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

function tell({ log, note, effect }: ServerLogParts, server: string, { address, state, why }: AddressStatus): void {
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

/** Servers of a status, for the tests of what shows them. */
import { type AddressStatus, type ServerStatus } from '../../src/engine/report/servers';

/** A server with one address. */
export function serverStatus(more: Partial<AddressStatus> = {}): ServerStatus {
  const counts = { opened: 0, answered: 0, refused: 0, unanswered: 0, slow: 0, resets: 0, answerSumMs: 0 };
  const sessions = { armed: 0, finished: 0, unfinished: 0, loginsRefused: 0 };
  const up = { state: 'up', sinceMs: 60_000, why: null, answerMs: null } as const;
  const { address = '10.2.0.2', probe = null, ...rest } = { ...up, ...counts, ...sessions, ...more };
  return { ...rest, addresses: [{ address, probe, ...rest }] };
}

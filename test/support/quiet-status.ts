/** The parts of a status in which nothing has happened. */
import { type Status } from '../../src/engine/report/status';

export const QUIET: Pick<Status, 'configuration' | 'fallback' | 'fastPath' | 'rules'> = {
  configuration: {
    ...{ file: '/etc/acsplit/acsplit.yaml', differs: [], error: null },
    ...{ reloads: { done: 0, refused: 0 }, refused: false, upgraded: false },
  },
  fastPath: {
    ...{ mode: 'off', loaded: false, carries: false, interfaces: [], reason: 'off in the configuration' },
    ...{ flows: 0, packets: {} },
  },
  fallback: { active: false, times: 0, totalMs: 0, sessions: 0 },
  rules: { differences: 0, checks: 0, checkedMs: null },
};

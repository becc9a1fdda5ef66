/** Forgers beside the path, boots onto a session's own port, and a CPE that misbehaves: more often than `npm test`. */
import type { Proof } from './proof';
import { tests } from './programs';

const FORGERS_TEST = 'test/e2e/forgers.test.ts';

/** Its tests write the section `forgers` of docs/reliability.md. */
export const forgers: Proof = {
  name: 'forgers',
  shows: 'forged packets by the ten thousand, on every port: each request is answered, by one server',
  takes: '5 minutes, root',
  needsRoot: true,
  smallest: { tests: [FORGERS_TEST] },
  full: tests([FORGERS_TEST], { ACSPLIT_FORGERS: '2000' }),
};

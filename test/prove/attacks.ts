/** Forgers beside the path, boots onto a session's own port, and a CPE that misbehaves: more often than `npm test`. */
import type { Proof } from './proof';
import { tests } from './programs';

const FORGERS_TEST = 'test/e2e/forgers.test.ts';
const BOOTS_TEST = 'test/e2e/boots.test.ts';
const HOSTILE_TEST = 'test/e2e/hostile-cpe.test.ts';

/** Its tests write the section `forgers` of docs/reliability.md. */
export const forgers: Proof = {
  name: 'forgers',
  shows: 'forged packets by the ten thousand, on every port: each request is answered, by one server',
  takes: '5 minutes, root',
  needsRoot: true,
  smallest: { tests: [FORGERS_TEST] },
  full: tests([FORGERS_TEST], { ACSPLIT_FORGERS: '2000' }),
};

/** Its tests write the section `boots` of docs/reliability.md. */
export const boots: Proof = {
  name: 'boots',
  shows: 'a CPE that boots onto the port of its diverted session is the ITMS’s, whatever the collector is doing',
  takes: '10 minutes, root',
  needsRoot: true,
  smallest: { tests: [BOOTS_TEST] },
  full: tests([BOOTS_TEST], { ACSPLIT_BOOTS: '3' }),
};

/** Its test writes the section `hostile-cpe` of docs/reliability.md. */
export const hostileCpe: Proof = {
  name: 'hostile-cpe',
  shows: 'a woken CPE that misbehaves for a minute has few entries, and 100 others are diverted as ever',
  takes: '2 minutes, root',
  needsRoot: true,
  smallest: { tests: [HOSTILE_TEST] },
  full: tests([HOSTILE_TEST], { ACSPLIT_HOSTILE: '60' }),
};

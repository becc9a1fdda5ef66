/**
 * The quick tests of the pure core for `npm run mutation`, over IPv4 and, where they run over both families, over IPv6.
 * Left out are those that take seconds (docs/testing.md).
 */
import './jest-globals';
import { join } from 'node:path';
import { type Family } from '../../src/packet/address';

const TESTS = join(__dirname, '..');

/** Cheap ones first: a mutant is dead at the first test that fails. */
const OF_EITHER_FAMILY = [
  'unit/splitter/tables-of-words',
  'unit/splitter/decision-table',
  'unit/tables/ttl-table',
  'unit/tables/ttl-table-damage',
  'unit/tables/ttl-table-crash',
];
const OF_BOTH_FAMILIES = [
  'deep/tables/pin-cache',
  'unit/tables/activated-cpes',
  'unit/tables/connection-table',
  'unit/tables/connection-requests',
  'unit/splitter/events',
  'unit/splitter/topology',
  'unit/splitter/owners',
  'unit/splitter/entries',
  'unit/splitter/restart',
  'unit/splitter/cpe-rows',
  'unit/splitter/server-rows',
  'unit/splitter/arming',
  'unit/splitter/lives',
  'deep/splitter/icmp',
  'unit/splitter/collisions',
  'unit/splitter/bad-input',
  'scenarios/stories',
];
/** Over IPv4 only: it takes longer, and adds little for IPv6. */
const OF_IPV4 = ['deep/splitter/killed'];

for (const name of OF_EITHER_FAMILY) load(name);
over('ipv6', OF_BOTH_FAMILIES);
over('ipv4', [...OF_BOTH_FAMILIES, ...OF_IPV4]);

function over(family: Family, names: string[]): void {
  describe(family, () => {
    (globalThis as { ACSPLIT_FAMILY?: Family }).ACSPLIT_FAMILY = family;
    forget();
    for (const name of names) load(name);
  });
}

function load(name: string): void {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  require(join(TESTS, `${name}.test.ts`));
}

/** Reloads the tests and their support for another family; the tested code stays loaded. */
function forget(): void {
  for (const file of Object.keys(require.cache)) {
    if (file.startsWith(TESTS) && !file.startsWith(__dirname)) delete require.cache[file];
  }
}

/**
 * The quick tests of the pure core as one file, so that a mutant costs one start of jest's module registry and not
 * twenty (docs/testing.md). Left out are those that take seconds for each mutant.
 */
import '../unit/splitter/arming.test';
import '../unit/splitter/bad-input.test';
import '../unit/splitter/collisions.test';
import '../unit/splitter/cpe-rows.test';
import '../unit/splitter/lives.test';
import '../unit/splitter/owners.test';
import '../unit/splitter/rule-table.test';
import '../unit/splitter/server-rows.test';
import '../unit/tables/activated-cpes.test';
import '../unit/tables/connection-requests.test';
import '../unit/tables/connection-table.test';
import '../unit/tables/pin-cache.test';
import '../unit/tables/ttl-table.test';
import '../scenarios/stories.test';

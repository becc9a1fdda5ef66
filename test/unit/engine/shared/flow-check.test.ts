/** The comparison of the kernel's flows with the report table; what it finds is in flow-mirror.test.ts. */
import { checkFlows } from '../../../../src/engine/shared/flow-check';
import { FLOW_BYTES } from '../../../../src/engine/shared/flow-value';
import { FAMILY } from '../../../support/family';
import { Rig } from '../../../support/rig';

test('a large table does not hold the event loop: others get their turns', async () => {
  const { splitter } = new Rig({ capacityEntries: 65_536 });
  const keyBytes = FAMILY === 'ipv4' ? 8 : 20;
  // No connection has these: all zero.
  const flows = new Uint8Array(50_000 * (keyBytes + FLOW_BYTES));
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const { flows: seen } = await checkFlows(
    () => splitter,
    () => flows,
    0,
  );
  isDone = true;
  expect(seen).toBe(50_000);
  expect(turns).toBeGreaterThan(20);
});

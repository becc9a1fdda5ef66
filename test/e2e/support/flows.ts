/** Whether the connections that the kernel carries are those of the report table: at rest, they always are. */
import { type FlowCheck } from '../../../src/engine';

/** @param ask the engine's control socket, where there is an engine */
export async function expectFlowsAgree(ask: (command: string) => Promise<unknown>): Promise<void> {
  const flows = await ask('flows').catch((error: Error) => {
    // No engine runs, or nothing is carried.
    if (/the kernel carries nothing|no engine/.test(error.message)) return undefined;
    throw error;
  });
  if (flows === undefined) return;
  expect(flows as FlowCheck).toMatchObject({ missing: 0, leftOver: 0, differing: 0 });
}

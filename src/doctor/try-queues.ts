/**
 * A separate program, run in a scratch network namespace: binds the queues as the engine would, prints the result as
 * JSON and exits, which releases them.
 */

import { SIDES } from '../packet/batch';
import { closeQueues, openQueues, type QueueError } from '../engine';

export interface QueueTrialOptions {
  first: number;
  length: number;
  gso: boolean;
  receiveBufferBytes: number;
}

/** What the kernel granted, or why it refused. */
export type QueueTrial = { receiveBufferBytes: number } | { code: string; message: string };

function tryQueues(options: QueueTrialOptions): QueueTrial {
  try {
    const { fd, receiveBufferBytes } = openQueues({ ...options, count: SIDES.length });
    closeQueues(fd);
    return { receiveBufferBytes };
  } catch (error) {
    return { code: (error as QueueError).code ?? '', message: (error as Error).message };
  }
}

if (require.main === module) {
  const options = JSON.parse(process.argv[2]) as QueueTrialOptions;
  process.stdout.write(`${JSON.stringify(tryQueues(options))}\n`);
}

/**
 * acsplit as the splitter, in the state of `acsplit run` after a day: all rules, counters on, a hundred thousand live
 * entries in every table, hot code, and the CPEs of load.c activated. Behind our addon, or behind the npm package
 * nfqueue. Prints "ready" when verdicts flow, and on SIGTERM a line of JSON with its counters and its size.
 */
import { setInterval } from 'node:timers';
import { closeQueues, openQueues } from '../../src/engine/shared/binding';
import { Observation } from '../../src/engine/shared/observation';
import { observe } from '../../src/engine/worker/observe';
import { startVerdictLoop } from '../../src/engine/worker/verdict-loop';
import { Splitter } from '../../src/splitter/splitter';
import { startNfqueueAdapter } from '../e2e/support/nfqueue-adapter';
import { rehearse } from './rehearsal';
import { LIVE_CAPACITY, populate, prepareForLoad, TOPOLOGY } from './population';

export interface EngineDriverOptions {
  binding: 'addon' | 'nfqueue';
  firstQueue: number;
}

const QUEUES = 3;
const RECEIVE_BUFFER_BYTES = 256 << 20;
const LIVE_ENTRIES = 100_000;
/** So that no CPE of load.c loses its activation before its turn comes. */
const LIVES = { armed: 3600 };

const { binding, firstQueue } = JSON.parse(process.argv[2]) as EngineDriverOptions;
const splitter = new Splitter({
  topology: TOPOLOGY,
  activation: 'auto',
  capacityEntries: LIVE_CAPACITY,
  seed: 4711,
  lives: LIVES,
});
const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000;
populate(splitter, LIVE_ENTRIES, nowMs());
prepareForLoad(splitter, nowMs());

if (binding === 'nfqueue') {
  rehearse(splitter, LIVE_ENTRIES, nowMs());
  const receiveBufferBytes = RECEIVE_BUFFER_BYTES / 2; // the kernel doubles it; the addon has allowed for that
  startNfqueueAdapter({ firstQueue, count: QUEUES, splitter, receiveBufferBytes, nowMs });
  setInterval(() => splitter.sweep(nowMs()), 100);
} else {
  const { fd } = openQueues({
    first: firstQueue,
    count: QUEUES,
    length: 16_384,
    gso: true,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
  });
  const observation = new Observation(new ArrayBuffer(Observation.BYTES));
  const decider = observe(splitter, observation, () => performance.now());
  rehearse(decider, LIVE_ENTRIES, nowMs());
  const loop = startVerdictLoop({ fd, firstQueue, splitter: decider });
  process.on('exit', () => {
    const beyondTables = process.memoryUsage().rss - Splitter.bufferBytes(LIVE_CAPACITY, TOPOLOGY);
    process.stdout.write(`${JSON.stringify({ beyondTables, ...loop.counters() })}\n`);
    closeQueues(fd);
  });
}
process.on('SIGTERM', () => process.exit(0));
process.stdout.write('ready\n');

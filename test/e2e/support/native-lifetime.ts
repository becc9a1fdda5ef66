/**
 * What a careless or dying program does with the addon, one scenario per run, in a process of its own inside a
 * namespace. Prints `{ ready }` once a queue waits for packets, then what came of it. Needs --expose-gc.
 */
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import * as path from 'node:path';
import { PacketBatch, Verdict } from '../../../src/packet/batch';
import { loadAddon, openQueues, type NativeLoop, type NativeLoopOptions } from '../../../src/engine/shared/binding';

export type Scenario = keyof typeof scenarios;

const FIRST_QUEUE = 40;
const CAPACITY = 8;
const collectGarbage = (globalThis as { gc?: () => void }).gc!;

function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function open(): number {
  return openQueues({ first: FIRST_QUEUE, count: 2, length: 64, gso: true, receiveBufferBytes: 1 << 20 }).fd;
}

function makeLoop(changes: Partial<NativeLoopOptions> & { fd: number }): NativeLoop {
  return new (loadAddon().VerdictLoop)({
    firstQueue: FIRST_QUEUE,
    region: new ArrayBuffer(PacketBatch.regionBytes(CAPACITY)),
    capacity: CAPACITY,
    onBatch: () => undefined,
    onError: (error) => print({ loopError: { code: error.code, syscall: error.syscall } }),
    ...changes,
  });
}

const scenarios = {
  /** Nobody holds the loop, its region or its callback; it serves all the same. */
  forgotten(): void {
    const fd = open();
    makeLoop({ fd, onBatch: (count, nowMs) => print({ count, isNow: nowMs <= loadAddon().boottimeMs() }) }).start();
    setInterval(collectGarbage, 20);
    for (let i = 0; i < 20; i++) collectGarbage();
    print({ ready: true });
  },

  /** Loops that were never started, or stopped, are garbage like any other. */
  discarded(): void {
    const fd = open();
    for (let i = 0; i < 300; i++) {
      const loop = makeLoop({ fd });
      if (i % 2 === 0) {
        loop.start();
        loop.start();
        loop.stop();
        loop.stop();
      }
      if (i % 50 === 0) collectGarbage();
    }
    collectGarbage();
    print({ ready: true });
    setTimeout(() => print({ done: true }), 50);
  },

  /** The buffer was transferred to another owner between two batches. */
  transferred(): void {
    const fd = open();
    const region = new ArrayBuffer(PacketBatch.regionBytes(CAPACITY));
    makeLoop({ fd, region }).start();
    structuredClone(region, { transfer: [region] });
    print({ ready: true });
  },

  /** ... and inside one. */
  transferredInside(): void {
    const fd = open();
    const region = new ArrayBuffer(PacketBatch.regionBytes(CAPACITY));
    makeLoop({ fd, region, onBatch: () => void structuredClone(region, { transfer: [region] }) }).start();
    print({ ready: true });
  },

  /** A program that survives its own exception: the loop has stopped, and no verdict of that batch went out. */
  caught(): void {
    const fd = open();
    const region = new ArrayBuffer(PacketBatch.regionBytes(CAPACITY));
    const batch = new PacketBatch(region, CAPACITY);
    const loop = makeLoop({
      fd,
      region,
      onBatch: () => {
        batch.verdict[0] = Verdict.Accept;
        throw new Error('the rules broke');
      },
    });
    process.on('uncaughtException', (error) => {
      print({ uncaught: error.message, sendCalls: loop.counters().sendCalls });
      try {
        loop.start();
      } catch (refusal) {
        print({ refusal: (refusal as Error).message });
      }
    });
    loop.start();
    print({ ready: true });
  },

  /** What the program wrote into the columns is nonsense: refused and counted, never read out of bounds. */
  nonsense(): void {
    const fd = open();
    const region = new ArrayBuffer(PacketBatch.regionBytes(CAPACITY));
    const batch = new PacketBatch(region, CAPACITY);
    const loop = makeLoop({
      fd,
      region,
      onBatch: (count) => {
        batch.verdict[0] = Verdict.AcceptRewritten;
        batch.offset[0] = 0x7fffffff;
        batch.length[0] = -1;
        for (let i = 1; i < count; i++) batch.verdict[i] = 77;
        setImmediate(() => print({ verdictErrors: loop.counters().verdictErrors }));
      },
    });
    loop.start();
    print({ ready: true });
  },

  /** A thread ends in the middle of everything; the descriptor lives on and the next thread serves it. */
  worker(): void {
    const fd = open();
    const registration = path.join(__dirname, '..', '..', '..', 'scripts', 'typescript.js');
    const hire = () =>
      new Worker(`require(${JSON.stringify(registration)}); require(${JSON.stringify(__filename)})`, {
        eval: true,
        workerData: { fd },
      });
    let rounds = 0;
    const next = (): void => {
      const worker = hire();
      worker.once('message', () => {
        if (++rounds === 3) {
          worker.on('message', (count: number) => print({ count }));
          print({ ready: true });
          return;
        }
        void worker.terminate().then(next);
      });
    };
    next();
  },

  /** The process leaves with the loop running. */
  exit(): void {
    makeLoop({ fd: open() }).start();
    print({ ready: true });
    setTimeout(() => process.exit(0), 50);
  },
};

if (isMainThread) {
  collectGarbage();
  scenarios[(JSON.parse(process.argv[2]) as { scenario: Scenario }).scenario]();
} else {
  const { fd } = workerData as { fd: number };
  makeLoop({ fd, onBatch: (count) => parentPort!.postMessage(count) }).start();
  parentPort!.postMessage('started');
}

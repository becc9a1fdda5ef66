/** Faults under load: something is done to a running engine again and again, and the load reports its effects. */
import { isAlive } from '../../../src/lab/namespaces';
import type { Status } from '../../../src/engine/report/status';
import { recordFault } from './fault-rows';
import { Load, type LoadOptions, type Outcome } from './load';
import { Lookout, pause } from './lookout';
import type { Stage } from './stage';

/** Between two strikes: instants of every phase of a session. */
const LONGEST_CALM_MS = 1000;

export interface Strike extends LoadOptions {
  /** The row's name in docs/reliability.md. */
  fault: string;
  times: number;
  /** Does the fault and undoes it. That verdicts flow again by themselves is waited for afterwards. */
  strike: (round: number) => Promise<unknown>;
  /** Longest time between two strikes. */
  calmMs?: number;
  /** The engine that counted is gone at the end, so the number of lost packets is unknown. */
  isUncounted?: boolean;
}

/** Strikes under load; expects that every connection survives, at its own server. Answers the status afterwards. */
export async function underLoad(stage: Stage, strike: Strike): Promise<Status> {
  const { fault, times, calmMs = LONGEST_CALM_MS } = strike;
  const lookout = new Lookout(stage);
  const load = new Load(stage.cast, strike);
  try {
    await lookout.untilVerdict();
    const before = packetsLost(await lookout.status());
    for (let round = 0; round < times; round++) {
      await pause(Math.random() * calmMs);
      await strike.strike(round);
      await lookout.untilVerdict();
    }
    const outcome = await load.end();
    const status = await lookout.status();
    const lost = strike.isUncounted === true ? {} : { packetsLost: packetsLost(status) - before };
    recordFault({ fault, times, outcome, ...lost });
    await expectNothingLost(stage, outcome);
    return status;
  } finally {
    load.quit();
  }
}

/** No connection was lost, each session had its server, and each wire saw what it should. */
export async function expectNothingLost(stage: Stage, outcome: Outcome): Promise<void> {
  const { failures, wrong, itms, collector, transfers } = outcome;
  expect(failures).toEqual([]);
  expect(wrong).toEqual([]);
  // A load that did nothing has shown nothing.
  for (const count of [itms, collector, transfers]) expect(count).toBeGreaterThan(0);
  await stage.expectCleanWires();
}

/** By every cause. */
export function packetsLost({ losses }: Status): number {
  return Object.values(losses).reduce((sum, count) => sum + count, 0);
}

/** Kills the supervisor; resolves when it and the worker are dead, and the queues are free. */
export async function killSupervisor(stage: Stage, worker: number): Promise<void> {
  process.kill(stage.engine.pid, 'SIGKILL');
  const deadline = performance.now() + 10_000;
  const living = (): number[] => [stage.engine.pid, worker].filter((pid) => isAlive(pid));
  for (; living().length > 0; await pause(2)) {
    if (performance.now() > deadline) throw new Error(`killed, and still alive: ${living().join(' and ')}`);
  }
  // A worker that was just being started in place of a dead one notices when it has come up.
  for (let bound = await boundQueues(stage); bound !== ''; bound = await boundQueues(stage)) {
    if (performance.now() > deadline) throw new Error(`killed, and queues are still bound:\n${bound}`);
    await pause(10);
  }
}

/** Has something happen while packets wait in the queues: the worker is stopped meanwhile. */
export async function whilePacketsWait(lookout: Lookout, happen: () => Promise<unknown>): Promise<void> {
  const worker = await lookout.worker();
  process.kill(worker, 'SIGSTOP');
  try {
    await lookout.until('packets to wait', ({ queues }) => queues.some(({ waiting }) => waiting! > 0));
    await happen();
  } finally {
    process.kill(worker, 'SIGCONT');
  }
}

/** The log's warning of such losses, which comes within 5 s. */
export async function lossLogged(stage: Stage, cause: keyof Status['losses']): Promise<void> {
  const isSaid = (): boolean => stage.engine.events('lost').some((event) => event.cause === cause);
  for (const deadline = performance.now() + 20_000; !isSaid(); await pause(50)) {
    if (performance.now() > deadline) throw new Error(`the log does not say that packets were lost: ${cause}`);
  }
}

/** The kernel's own list of bound queues in the splitter's namespace. */
export function boundQueues(stage: Stage): Promise<string> {
  return stage.world.run('split', ['cat', '/proc/net/netfilter/nfnetlink_queue']);
}

/**
 * `npm run soak`, by hand, as root: 30 minutes of bulk transfers and connection churn, diverted and not, on real
 * NFQUEUE; `-- --minutes N` for another duration, `--fast-path` with the kernel carrying, `--rest N` for N seconds without
 * load after each round. Memory and descriptors of supervisor and worker must stay flat, every session must reach its
 * server, every byte must arrive as sent, and the tables must be empty soon after. With the fast path, the maps must agree
 * with the report table after each round, and at the end. Prints the result, and exits 1 on failure.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startCast, type Cast } from '../../src/lab/cast';
import { Engine } from '../../src/lab/engine';
import { World } from '../../src/lab/world';
import { parseArgs } from 'node:util';
import { askEngine, controlSocketPath } from '../../src/engine/control/ask';
import { type FlowCheck } from '../../src/engine';
import type { Status } from '../../src/engine/report/status';
import { Load, LOAD_CPES, type Outcome } from '../e2e/support/load';
import { type Judgement, judge, mib, type Sample } from './judge';

const PROGRAMS = join(__dirname, '..', '..', 'dist', 'lab');
const USAGE = 'usage: npm run soak [-- --minutes N --fast-path --rest SECONDS]';
/** A load is ended, compared and started again every round, so that the director's memory stays bounded. */
const ROUND_MS = 15_000;
/** A run this short uses short lives, and its memory proves nothing: it is still growing to its normal size. */
const SHORT_MINUTES = 2;
const SAMPLE_MS = 2000;
const SHORT_SAMPLE_MS = 500;
/** Short, so that many entries come and go; the other lives are the product's own. Seconds. */
const LIVES = { finBoth: 10, finOne: 20 };
const SHORT_LIVES = { finBoth: 2, finOne: 3, armed: 3, requestUnanswered: 5, reportUnanswered: 5, reset: 2 };
/** Longer than any entry of an ended session then lives: an activation. */
const EMPTY_AFTER_MS = 120_000;

type Process = 'supervisor' | 'worker';

interface Options {
  minutes: number;
  /** After each round. */
  restSeconds: number;
  hasFastPath: boolean;
}

class Soak {
  private readonly samples: Record<Process, Sample[]> = { supervisor: [], worker: [] };
  private readonly sum = { sessions: 0, transfers: 0, checks: 0, carriedFlows: 0 };
  private readonly complaints: string[] = [];
  private lastSaidMs = performance.now();

  constructor(
    private readonly world: World,
    private readonly cast: Cast,
    private readonly options: Options,
  ) {}

  async run(): Promise<boolean> {
    const before = await this.status();
    const { minutes, restSeconds } = this.options;
    const pids = { supervisor: before.pid, worker: before.workers[0]!.pid };
    const sampler = setInterval(() => this.sample(pids), isShort(minutes) ? SHORT_SAMPLE_MS : SAMPLE_MS);
    for (const end = performance.now() + minutes * 60_000; performance.now() < end && this.complaints.length === 0;) {
      const load = new Load(this.cast);
      await pause(Math.min(ROUND_MS, Math.max(end - performance.now(), 1000)));
      this.complaints.push(...(await this.flowFaults('under load')));
      this.take(await load.end());
      this.complaints.push(...(await this.flowFaults('after a round')));
      await pause(restSeconds * 1000);
    }
    clearInterval(sampler);
    const bound = isShort(minutes) ? Number.POSITIVE_INFINITY : undefined;
    const judgements = (['supervisor', 'worker'] as const).map((name) => judge(name, this.samples[name], bound));
    judgements.push(await this.emptied(), this.undisturbed(pids, await this.status()));
    if (this.options.hasFastPath) judgements.push(await this.carried());
    for (const { words } of judgements) console.log(words);
    for (const words of this.complaints) console.log(words);
    return judgements.every(({ ok }) => ok) && this.complaints.length === 0;
  }

  private status(): Promise<Status> {
    return this.ask('status') as Promise<Status>;
  }

  private ask(command: string): Promise<unknown> {
    return askEngine(controlSocketPath(join(this.world.directory, 'state')), { command });
  }

  /** What `acsplit doctor` asks: whether the kernel's maps are the report table. */
  private async flowFaults(when: string): Promise<string[]> {
    if (!this.options.hasFastPath) return [];
    const check = (await this.ask('flows')) as FlowCheck;
    this.sum.carriedFlows += check.carried;
    this.sum.checks++;
    return faultsOf(check) === 0 ? [] : [`${when} maps and report table DIFFER: ${JSON.stringify(check)}`];
  }

  private async carried(): Promise<Judgement> {
    const check = (await this.ask('flows')) as FlowCheck;
    const { carries, reason, packets } = (await this.status()).fastPath;
    const carried = Object.entries(packets).filter(([name]) => name.startsWith('carried-'));
    const count = carried.reduce((sum, [, some]) => sum + (some ?? 0), 0);
    const ok = carries && reason === null && faultsOf(check) === 0 && check.flows === check.table && count > 0;
    const words =
      `carried by the kernel: ${count} packets; maps and report table: compared ${this.sum.checks} times ` +
      `(${this.sum.carriedFlows} flows of the kernel's then), at the end ${check.flows} and ${check.table} entries: ` +
      (ok ? 'the same' : `DIFFERENT: ${JSON.stringify({ ...check, carries, reason })}`);
    return { ok, words };
  }

  private sample(pids: Record<Process, number>): void {
    for (const name of ['supervisor', 'worker'] as const) {
      const folder = `/proc/${pids[name]}`;
      if (!existsSync(`${folder}/status`)) continue; // The end says so.
      const ownKib = Number(/^RssAnon:\s*(\d+) kB$/m.exec(readFileSync(`${folder}/status`, 'utf8'))![1]);
      this.samples[name].push({ ownKib, descriptors: readdirSync(`${folder}/fd`).length });
    }
    if (performance.now() - this.lastSaidMs < 60_000) return;
    this.lastSaidMs = performance.now();
    const [supervisor, worker] = [this.samples.supervisor.at(-1)!, this.samples.worker.at(-1)!];
    console.log(
      `${this.sum.sessions} sessions, ${this.sum.transfers} transfers; supervisor ${mib(supervisor.ownKib)} MiB, ` +
        `${supervisor.descriptors} descriptors; worker ${mib(worker.ownKib)} MiB, ${worker.descriptors} descriptors`,
    );
  }

  private take({ itms, collector, transfers, failures, wrong }: Outcome): void {
    this.sum.sessions += itms + collector;
    this.sum.transfers += transfers;
    this.complaints.push(...failures.map((words) => `lost: ${words}`), ...wrong.map((words) => `wrong: ${words}`));
    const { cpes, itms: first, collector: second } = this.cast;
    for (const { actor } of [cpes, first, second]) actor.events.length = 0;
  }

  private async emptied(): Promise<Judgement> {
    const from = performance.now();
    for (;;) {
      const counts = Object.values((await this.status()).tables).map(({ count }) => count);
      const seconds = ((performance.now() - from) / 1000).toFixed(0);
      if (counts.every((count) => count === 0)) return { ok: true, words: `tables: empty ${seconds} s after the load` };
      if (performance.now() - from > EMPTY_AFTER_MS) {
        return { ok: false, words: `tables: ${counts.join(', ')} entries LEFT ${seconds} s after the load` };
      }
      await pause(1000);
    }
  }

  private undisturbed(pids: Record<Process, number>, { pid, workers, losses, packets }: Status): Judgement {
    const lost = Object.values(losses).reduce((sum, count) => sum + count, 0);
    const ok = pid === pids.supervisor && workers[0]!.pid === pids.worker && workers[0]!.restarts === 0;
    const { sessions, transfers } = this.sum;
    const words =
      `${sessions} sessions, ${transfers} transfers, ${packets.received} packets; ${lost} packets lost; ` +
      `${workers[0]!.restarts} restarts of the worker`;
    return { ok, words };
  }
}

function isShort(minutes: number): boolean {
  return minutes < SHORT_MINUTES;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function faultsOf({ missing, leftOver, differing }: FlowCheck): number {
  return missing + leftOver + differing;
}

function optionsOf(args: string[]): Options | undefined {
  try {
    const string = { type: 'string' } as const;
    const { values } = parseArgs({
      args,
      options: { minutes: string, rest: string, 'fast-path': { type: 'boolean' } },
    });
    const [minutes, restSeconds] = [Number(values.minutes ?? 30), Number(values.rest ?? 0)];
    return minutes > 0 && restSeconds >= 0
      ? { minutes, restSeconds, hasFastPath: values['fast-path'] ?? false }
      : undefined;
  } catch {
    return undefined;
  }
}

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2));
  if (options === undefined) {
    console.error(USAGE);
    process.exitCode = 2;
    return;
  }
  const { minutes, hasFastPath } = options;
  const world = await World.create({ cpes: LOAD_CPES.map(({ address }) => address), programs: PROGRAMS });
  try {
    const ttl = isShort(minutes) ? SHORT_LIVES : LIVES;
    await Engine.start(world, { ttl, fastPath: hasFastPath ? 'on' : 'off' });
    const isFlat = await new Soak(world, await startCast(world, LOAD_CPES), options).run();
    const words = isShort(minutes) ? 'nothing was lost; too short to judge memory' : 'nothing grew, nothing was lost';
    console.log(`${minutes} minutes: ${isFlat ? words : 'NOT in order'}`);
    process.exitCode = isFlat ? 0 : 1;
  } finally {
    await world.close();
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});

/** What peers did, round by round, and how one compares with another. */
import { type ChildProcess } from 'node:child_process';
import { median, range } from './numbers';
import { type Peer } from './peers';
import { type Measured, type Mode, Rig } from './rig';

export interface Row {
  mode: Mode;
  name: string;
  value: (measured: Measured) => number;
  isLowerBetter?: boolean;
}

export type Target = [what: string, target: string, measured: string, isMet: boolean];

/** Of one warm-up: some twenty thousand sessions, until V8 has compiled what is hot. */
const WARM_UP_MS = 4000;

export class Rounds {
  /** What could not be measured, and why. */
  readonly failures: string[] = [];
  /** Of every peer and mode, what the rounds gave; undefined where a round failed. */
  private readonly results = new Map<string, (Measured | undefined)[]>();

  /** @param programs folder with the compiled programs @param count of rounds */
  constructor(
    private readonly programs: string,
    private readonly count: number,
    private readonly milliseconds: number,
  ) {}

  /** Measures a peer in a world of its own. @param end called while it still runs */
  async measure(
    peer: Peer,
    round: number,
    modes: readonly Mode[],
    end?: (running: ChildProcess) => Promise<void>,
  ): Promise<void> {
    const rig = await Rig.open(this.programs);
    let mode: Mode | 'start' = 'start';
    try {
      const running = await peer.start(rig);
      for (const one of peer.warmUp ?? []) await rig.load(one, WARM_UP_MS, peer.targets, running?.pid);
      for (mode of modes) {
        await peer.settle?.(rig);
        this.of(peer.name, mode)[round] = await rig.load(mode, this.milliseconds, peer.targets, running?.pid);
      }
      if (running) await end?.(running);
      process.stderr.write(`round ${round + 1}: ${peer.name}\n`);
    } catch (error) {
      const failure = `${peer.name}, ${mode}: ${(error as Error).message.split('\n')[0]}`;
      this.failures.push(failure);
      process.stderr.write(`round ${round + 1}: ${failure}\n`);
    } finally {
      await rig.close();
    }
  }

  of(peer: string, mode: Mode): (Measured | undefined)[] {
    const key = `${peer} ${mode}`;
    const known = this.results.get(key) ?? new Array<undefined>(this.count).fill(undefined);
    this.results.set(key, known);
    return known;
  }

  /** NaN where a round failed. */
  values(peer: string, { mode, value }: Row): number[] {
    return this.of(peer, mode).map((measured) => (measured ? value(measured) : NaN));
  }

  middle(peer: string, row: Row): number {
    return median(this.values(peer, row).filter(Number.isFinite));
  }

  /** Our figure by theirs, of each round in which both were measured. */
  ratios(ours: string, theirs: string, row: Row): number[] {
    const others = this.values(theirs, row);
    return this.values(ours, row)
      .map((own, round) => own / others[round])
      .filter(Number.isFinite);
  }

  target(ours: string, theirs: string, row: Row, wanted: number): Target {
    const ratios = this.ratios(ours, theirs, row);
    const ratio = median(ratios);
    const isMet = row.isLowerBetter ? ratio <= wanted : ratio >= wanted;
    const sign = row.isLowerBetter ? '≤' : '≥';
    const measured = `${ratio.toFixed(2)} × (${range(ratios)})`;
    return [`${row.name}: ${theirs}`, `${sign} ${wanted.toFixed(2)} ×`, measured, isMet];
  }
}

/**
 * acsplit as it is installed, with the fast path on and off, beside what the kernel does by itself: in the same place, in
 * turn, under the same traffic; half of the sessions diverted, 100 000 live entries in every table.
 */
import { figure, median, range, table } from './numbers';
import {
  CARRIED,
  CARRYING_PEERS,
  KERNEL_NAT,
  NFT_CONNTRACK,
  NFT_STATELESS,
  type Peer,
  PLAIN,
  UNCARRIED,
} from './peers';
import { type Measured, type Mode, Rig } from './rig';

interface Row {
  mode: Mode;
  name: string;
  value: (measured: Measured) => number;
  isLowerBetter?: boolean;
  /** Only peers with a process of their own. */
  isOfProcess?: boolean;
}

const each = (cpu: 'cpuSeconds' | 'machineSeconds') => (measured: Measured) => (measured[cpu] / measured.all) * 1e6;

const ROWS = {
  bulk: { mode: 'bulk', name: 'bulk, Gbit/s', value: ({ bytes, seconds }) => (bytes * 8) / seconds / 1e9 },
  churn: { mode: 'churn', name: 'connections/s, one request each', value: ({ done, seconds }) => done / seconds },
  flood: { mode: 'flood', name: 'small packet, µs of the machine', value: each('machineSeconds'), isLowerBetter: true },
  p50: { mode: 'latency', name: 'request on a kept connection, p50 µs', value: ({ p50 }) => p50, isLowerBetter: true },
  p99: { mode: 'latency', name: 'p99 µs', value: ({ p99 }) => p99, isLowerBetter: true },
  story: { mode: 'story', name: 'Connection Request and session/s', value: ({ done, seconds }) => done / seconds },
  calm: {
    mode: 'calm',
    name: 'undiverted session, µs of the engine',
    value: each('cpuSeconds'),
    isLowerBetter: true,
    isOfProcess: true,
  },
  work: {
    mode: 'story',
    name: 'Connection Request and session, µs of the engine',
    value: each('cpuSeconds'),
    isLowerBetter: true,
    isOfProcess: true,
  },
} as const satisfies Record<string, Row>;
type RowName = keyof typeof ROWS;
const NAMES = Object.keys(ROWS) as RowName[];

const RATIOS: readonly [RowName, peer: string, ratio: number][] = [
  ['bulk', KERNEL_NAT, 0.98],
  ['bulk', PLAIN, 0.95],
  ['churn', KERNEL_NAT, 1.25],
  ['churn', NFT_STATELESS, 1.1],
  ['churn', PLAIN, 1.05],
  ['flood', KERNEL_NAT, 0.9],
  ['p50', KERNEL_NAT, 1],
  ['p99', KERNEL_NAT, 1.2],
  ['story', NFT_CONNTRACK, 1.2],
];
const MOST_MICROSECONDS: readonly [RowName, number][] = [
  ['calm', 15],
  ['work', 80],
];
/** Ten million CPEs, a session each an hour. */
const SESSIONS_A_SECOND = 10_000_000 / 3600;
const MOST_SHARE = 5;

type Target = [what: string, target: string, measured: string, isMet: boolean];

export class CarriedBench {
  private readonly results = new Map<string, (Measured | undefined)[]>();
  private readonly failures: string[] = [];
  private wrong = 0;

  constructor(
    private readonly programs: string,
    private readonly rounds: number,
    private readonly milliseconds: number,
  ) {}

  async run(): Promise<{ text: string; targets: Target[] }> {
    for (let round = 0; round < this.rounds; round++) {
      for (const peer of CARRYING_PEERS) await this.measure(peer, round);
    }
    return { text: this.text(), targets: this.targets() };
  }

  private async measure(peer: Peer, round: number): Promise<void> {
    const rig = await Rig.open(this.programs);
    let mode: Mode | 'start' = 'start';
    try {
      const running = await peer.start(rig);
      for (mode of peer.modes) {
        const measured = await rig.load(mode, this.milliseconds, peer.targets, running?.pid);
        this.of(peer.name, mode)[round] = measured;
        if ([CARRIED, UNCARRIED].includes(peer.name)) this.wrong += measured.wrong ?? 0;
      }
      process.stderr.write(`round ${round + 1}: ${peer.name}\n`);
    } catch (error) {
      const failure = `${peer.name}, ${mode}: ${(error as Error).message.split('\n')[0]}`;
      this.failures.push(failure);
      process.stderr.write(`round ${round + 1}: ${failure}\n`);
    } finally {
      await rig.close();
    }
  }

  private of(peer: string, mode: Mode): (Measured | undefined)[] {
    const key = `${peer} ${mode}`;
    const known = this.results.get(key) ?? new Array<undefined>(this.rounds).fill(undefined);
    this.results.set(key, known);
    return known;
  }

  private values(peer: string, name: RowName): number[] {
    const { mode, value, isOfProcess = false }: Row = ROWS[name];
    const hasProcess = [CARRIED, UNCARRIED].includes(peer);
    return this.of(peer, mode).map((measured) => (measured && (hasProcess || !isOfProcess) ? value(measured) : NaN));
  }

  private middle(peer: string, name: RowName): number {
    return median(this.values(peer, name).filter(Number.isFinite));
  }

  private targets(): Target[] {
    const ratios = RATIOS.map(([name, peer, wanted]): Target => {
      const theirs = this.values(peer, name);
      const all = this.values(CARRIED, name)
        .map((own, round) => own / theirs[round])
        .filter(Number.isFinite);
      const ratio = median(all);
      const { isLowerBetter = false }: Row = ROWS[name];
      const measured = `${ratio.toFixed(2)} × (${range(all)})`;
      const sign = isLowerBetter ? '≤' : '≥';
      const isMet = isLowerBetter ? ratio <= wanted : ratio >= wanted;
      return [`${ROWS[name].name}: ${peer}`, `${sign} ${wanted.toFixed(2)} ×`, measured, isMet];
    });
    const costs = MOST_MICROSECONDS.map(([name, most]): Target => {
      const middle = this.middle(CARRIED, name);
      return [ROWS[name].name, `≤ ${most} µs`, `${figure(middle)} µs`, middle <= most];
    });
    const share = (this.middle(CARRIED, 'calm') * SESSIONS_A_SECOND) / 1e4;
    const hourly: Target = [
      'engine, ten million CPEs hourly, undiverted (extrapolated)',
      `≤ ${MOST_SHARE} % of a core`,
      `${figure(share)} %`,
      share <= MOST_SHARE,
    ];
    return [...ratios, ...costs, hourly];
  }

  private text(): string {
    const columns = CARRYING_PEERS.map(({ name }) => name);
    const rows = NAMES.map((name) => [ROWS[name].name, ...columns.map((peer) => figure(this.middle(peer, name)))]);
    const lines = [table(['', ...columns], rows)];
    if (this.wrong > 0) lines.push(`\n${this.wrong} sessions of acsplit at the wrong server.`);
    return [...lines, ...this.failures.map((failure) => `\nNot measured in a round: ${failure}.`)].join('\n');
  }
}

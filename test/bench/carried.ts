/**
 * acsplit as it is installed, with the fast path on and off, beside what the kernel does by itself: in the same place, in
 * turn, under the same traffic; half of the sessions diverted, 100 000 live entries in every table.
 */
import { profileEngine } from './engine-profile';
import { figure, table } from './numbers';
import { CARRIED, CARRYING_PEERS, KERNEL_NAT, NFT_CONNTRACK, NFT_STATELESS, PLAIN, UNCARRIED } from './peers';
import { type Measured } from './rig';
import { type Row, Rounds, type Target } from './rounds';

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
  },
  work: {
    mode: 'story',
    name: 'Connection Request and session, µs of the engine',
    value: each('cpuSeconds'),
    isLowerBetter: true,
  },
} satisfies Record<string, Row>;
type RowName = keyof typeof ROWS;
const NAMES = Object.keys(ROWS) as RowName[];
const PRODUCTS: readonly string[] = [CARRIED, UNCARRIED];
const MODES = [...new Set(NAMES.map((name) => ROWS[name].mode))];

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

export class CarriedBench {
  private readonly measured: Rounds;

  constructor(
    private readonly programs: string,
    private readonly rounds: number,
    private readonly milliseconds: number,
  ) {
    this.measured = new Rounds(programs, rounds, milliseconds);
  }

  async run(): Promise<{ text: string; targets: Target[] }> {
    for (let round = 0; round < this.rounds; round++) {
      for (const peer of CARRYING_PEERS) await this.measured.measure(peer, round, peer.modes);
    }
    const product = CARRYING_PEERS.find(({ name }) => name === CARRIED)!;
    const profile = await profileEngine(this.programs, product, this.milliseconds);
    return { text: `${this.text()}\n\n${profile}`, targets: this.targets() };
  }

  /** A row of the engine's own is of peers that have one. */
  private middle(peer: string, name: RowName): number {
    const isOfEngine = MOST_MICROSECONDS.some(([row]) => row === name);
    return isOfEngine && !PRODUCTS.includes(peer) ? NaN : this.measured.middle(peer, ROWS[name]);
  }

  /** Sessions of ours that were broken off, or reached the other server: load.c does not tell them apart. */
  private get wrong(): number {
    const all = PRODUCTS.flatMap((peer) => MODES.flatMap((mode) => this.measured.of(peer, mode)));
    return all.reduce((sum, one) => sum + (one?.wrong ?? 0), 0);
  }

  private targets(): Target[] {
    const ratios = RATIOS.map(([name, peer, wanted]) => this.measured.target(CARRIED, peer, ROWS[name], wanted));
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
    if (this.wrong > 0) lines.push(`\nOf acsplit's sessions, ${this.wrong} broke off or reached the wrong server.`);
    return [...lines, ...this.measured.failures.map((failure) => `\nNot measured in a round: ${failure}.`)].join('\n');
  }
}

/**
 * acsplit as it is installed, alone and with a cluster's two stores beside it, in turn within each round: what the cluster
 * costs the engine, and whether packets notice. Half of the sessions diverted, 100 000 live entries in every table.
 */
import { figure, median, range, table } from './numbers';
import { ALONE, CLUSTERED, CLUSTER_PEERS } from './peers';
import { type Measured } from './rig';
import { type Row, Rounds, type Target } from './rounds';

const each = ({ cpuSeconds, all }: Measured) => (cpuSeconds / all) * 1e6;

const ROWS = {
  calm: { mode: 'calm', name: 'undiverted session, µs of the engine', value: each, isLowerBetter: true },
  work: {
    mode: 'story',
    name: 'Connection Request and session, as fast as they go, µs of the engine',
    value: each,
    isLowerBetter: true,
  },
  paced: {
    mode: 'paced',
    name: '140 Connection Requests with session a second, % of a core',
    value: ({ cpuSeconds, all }) => (cpuSeconds / all) * 140 * 100,
    isLowerBetter: true,
  },
  p50: {
    mode: 'beside',
    name: 'request on a kept connection beside them, p50 µs',
    value: ({ p50 }) => p50,
    isLowerBetter: true,
  },
  p99: { mode: 'beside', name: 'p99 µs', value: ({ p99 }) => p99, isLowerBetter: true },
  churn: { mode: 'churn', name: 'connections/s, one request each', value: ({ done, seconds }) => done / seconds },
  story: { mode: 'story', name: 'Connection Request and session/s', value: ({ done, seconds }) => done / seconds },
} satisfies Record<string, Row>;
type RowName = keyof typeof ROWS;
const NAMES = Object.keys(ROWS) as RowName[];

/** On by off. What packets feel must not differ. */
const RATIOS: readonly [RowName, ratio: number][] = [
  ['calm', 1.05],
  ['p50', 1.05],
  ['p99', 1.1],
  ['churn', 0.95],
];

export class ClusterBench {
  private readonly measured: Rounds;

  constructor(
    programs: string,
    private readonly rounds: number,
    milliseconds: number,
  ) {
    this.measured = new Rounds(programs, rounds, milliseconds);
  }

  async run(): Promise<{ text: string; targets: Target[] }> {
    for (let round = 0; round < this.rounds; round++) {
      // The machine's other work may come and go with a period of its own.
      const peers = round % 2 === 0 ? CLUSTER_PEERS : [...CLUSTER_PEERS].reverse();
      for (const peer of peers) await this.measured.measure(peer, round, peer.modes);
    }
    const targets = RATIOS.map(([name, wanted]) => this.measured.target(CLUSTERED, ALONE, ROWS[name], wanted));
    return { text: this.text(), targets };
  }

  private text(): string {
    const peers = [ALONE, CLUSTERED];
    const rows = NAMES.map((name) => {
      const ratios = this.measured.ratios(CLUSTERED, ALONE, ROWS[name]);
      const figures = peers.map((peer) => figure(this.measured.middle(peer, ROWS[name])));
      return [ROWS[name].name, ...figures, `${median(ratios).toFixed(2)} × (${range(ratios)})`];
    });
    const wrong = peers
      .flatMap((peer) => NAMES.flatMap((name) => this.measured.of(peer, ROWS[name].mode)))
      .reduce((sum, one) => sum + (one?.wrong ?? 0), 0);
    return [
      table(['', ...peers, 'ratio'], rows),
      ...(wrong > 0 ? [`\n${wrong} sessions were broken off or at the wrong server.`] : []),
      ...this.measured.failures.map((failure) => `\nNot measured in a round: ${failure}.`),
    ].join('\n');
  }
}

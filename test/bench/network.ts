/** acsplit and its peers in the same place, in turn, under the same traffic: figures per round, and their ratios. */
import { type ChildProcess } from 'node:child_process';
import { figure, median, range, table } from './numbers';
import { ACSPLIT, C, HAPROXY, KERNEL_NAT, NFT_CONNTRACK, NFT_STATELESS, type Peer, PEERS } from './peers';
import { type Mode } from './rig';
import { type Row, Rounds, type Target } from './rounds';

const MODES: readonly Mode[] = ['bulk', 'churn', 'flood', 'latency', 'story'];
const ROWS: readonly Row[] = [
  { mode: 'bulk', name: 'bulk, Gbit/s', value: ({ bytes, seconds }) => (bytes * 8) / seconds / 1e9 },
  { mode: 'churn', name: 'connections/s, one request each', value: ({ done, seconds }) => done / seconds },
  { mode: 'flood', name: 'small packets/s forwarded', value: ({ done, seconds }) => done / seconds },
  { mode: 'latency', name: 'request on a kept connection, p50 µs', value: ({ p50 }) => p50, isLowerBetter: true },
  { mode: 'latency', name: 'p99 µs', value: ({ p99 }) => p99, isLowerBetter: true },
  { mode: 'story', name: 'Connection Request and session/s', value: ({ done, seconds }) => done / seconds },
];

/** Row, peer, ratio. */
const TARGETS: readonly [row: number, peer: string, ratio: number][] = [
  [0, C, 1.0],
  [0, HAPROXY, 1.25],
  [0, KERNEL_NAT, 0.7],
  [1, KERNEL_NAT, 1.05],
  [1, NFT_STATELESS, 1.0],
  [1, HAPROXY, 1.15],
  [2, C, 0.95],
  [3, C, 1.08],
  [4, C, 1.3],
];
/** Beside C the ratios lie next to their targets, and a round's differs from the next by a tenth: more rounds of these. */
const CLOSE = { peers: [C, ACSPLIT], modes: ['bulk', 'flood', 'latency'] as readonly Mode[] };
const MOST_RSS_MB = 100;
const END_TIMEOUT_MS = 5000;

export interface NetworkResult {
  text: string;
  targets: Target[];
}

export class NetworkBench {
  private readonly beyondTables: number[] = [];
  private readonly measured: Rounds;

  constructor(
    programs: string,
    private readonly rounds: number,
    private readonly closeRounds: number,
    milliseconds: number,
  ) {
    this.measured = new Rounds(programs, rounds, milliseconds);
  }

  async run(): Promise<NetworkResult> {
    for (let round = 0; round < this.rounds; round++) {
      for (const peer of PEERS) await this.measure(peer, round, MODES);
    }
    const close = PEERS.filter(({ name }) => CLOSE.peers.includes(name));
    for (let round = this.rounds; round < this.closeRounds; round++) {
      for (const peer of close) await this.measure(peer, round, CLOSE.modes);
    }
    return { text: this.text(), targets: [...this.ratios(), this.memory()] };
  }

  private async measure(peer: Peer, round: number, modes: readonly Mode[]): Promise<void> {
    const ours = modes.filter((one) => peer.modes.includes(one));
    const end = async (running: ChildProcess) => void this.beyondTables.push(await beyondTables(running));
    await this.measured.measure(peer, round, ours, peer.name === ACSPLIT ? end : undefined);
  }

  private ratios(): Target[] {
    return TARGETS.map(([index, peer, target]) => this.measured.target(ACSPLIT, peer, ROWS[index], target));
  }

  private memory(): Target {
    const megabytes = median(this.beyondTables) / 1e6;
    return ['RSS beyond the tables', `≤ ${MOST_RSS_MB} MB`, `${figure(megabytes)} MB`, megabytes <= MOST_RSS_MB];
  }

  private text(): string {
    const finite = (values: number[]) => values.filter(Number.isFinite);
    const cells = PEERS.map((peer) => [
      peer.name,
      ...ROWS.map((row) =>
        figure(peer.modes.includes(row.mode) ? median(finite(this.measured.values(peer.name, row))) : NaN),
      ),
    ]);
    const lines = [
      table(['', ...ROWS.map(({ name }) => name)], cells),
      '',
      this.costs(),
      ...this.measured.failures.map((failure) => `Not measured in a round: ${failure}.`),
    ];
    return lines.join('\n');
  }

  /** What the peers' own processes took. */
  private costs(): string {
    const story = this.measured.of(ACSPLIT, 'story').filter((one) => one !== undefined);
    const share = median(story.map(({ cpuSeconds, all, done, seconds }) => ((cpuSeconds / all) * done) / seconds));
    const each = median(story.map(({ cpuSeconds, all }) => (cpuSeconds / all) * 1e6));
    const ratio = this.measured.ratios(ACSPLIT, NFT_CONNTRACK, ROWS[5]);
    const micros = (peer: string) =>
      figure(
        median(this.measured.of(peer, 'flood').flatMap((one) => (one ? [(one.cpuSeconds / one.done) * 1e6] : []))),
      );
    return [
      "The patent's own work, a Connection Request and then the diverted session, both complete: acsplit does",
      `${median(ratio).toFixed(2)} × what the conntrack ruleset does (${range(ratio)}).`,
      `The engine takes ${(share * 100).toFixed(0)} % of one core meanwhile, ${figure(each)} µs for each.`,
      '',
      `CPU time of the process for a small packet, the kernel's part of its way out included: acsplit ${micros(ACSPLIT)} µs,`,
      `C ${micros(C)} µs, npm nfqueue ${micros('npm nfqueue')} µs.`,
    ].join('\n');
  }
}

/** The engine's own figures as it ends. */
async function beyondTables(child: ChildProcess): Promise<number> {
  let said = '';
  child.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stdout!.resume();
  const impatience = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  await closed;
  clearTimeout(impatience);
  return (JSON.parse(said) as { beyondTables: number }).beyondTables;
}

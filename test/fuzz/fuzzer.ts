/**
 * The fuzz target over raw packet bytes, for all sides and both families: what must hold of every input is
 * test/support/hostile-targets.ts, checked on splitters in the middle of their stories. The same seed gives the same run.
 */
import { Prng } from '../sim/prng';
import { topologyIn } from '../support/family';
import { Targets } from '../support/hostile-targets';
import { TOPOLOGY } from '../support/replay-run';
import { mutated } from './mutate';
import { type Input, LIMITED, opening, seeds, writeInput } from './seeds';

/** Inputs between two looks at all that is remembered. */
const SETTLE_EVERY = 2000;
/** Inputs that gave a reason which no other had given, kept as further seeds. */
const MOST_KEPT = 200;
const BEGIN_MS = 1_000_000;
/** So many inputs come in a millisecond: what an input touches, and must not, is seen to be younger. */
const INPUTS_PER_MS = 10;

export class Fuzzer {
  inputs = 0;
  private readonly prng: Prng;
  private readonly targets: Targets;
  /** Seeds of the connections that are open, and inputs that were kept. */
  private corpus: Input[] = [];
  private readonly kept: Input[] = [];
  private rounds = 0;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.targets = new Targets(topologyOfBoth(), 1);
    this.targets.setDown('down');
    this.open();
    for (const input of this.corpus) this.take(input);
  }

  /** @throws Error with the input that broke something, as a file of the corpus would hold it */
  run(count: number): void {
    for (let n = 0; n < count; n++) {
      const known = this.targets.reasons.size;
      const input = mutated(this.prng, this.corpus);
      this.take(input);
      if (this.targets.reasons.size > known && this.kept.length < MOST_KEPT) this.keep(input);
    }
  }

  get reasons(): ReadonlySet<string> {
    return this.targets.reasons;
  }

  private get nowMs(): number {
    return BEGIN_MS + Math.floor(this.inputs / INPUTS_PER_MS);
  }

  private take(input: Input): void {
    this.inputs++;
    try {
      this.targets.attack(input.bytes, input.queue, input.flags, this.nowMs);
      if (this.inputs % SETTLE_EVERY === 0) {
        this.targets.settle();
        this.open();
      }
    } catch (error) {
      throw new Error(`${(error as Error).message}\n\ntest/fuzz/corpus/NAME:\n${writeInput(input)}`, { cause: error });
    }
  }

  private keep(input: Input): void {
    this.kept.push(input);
    this.corpus.push(input);
  }

  /** The connections that the seeds belong to, again: inputs have closed some of them. */
  private open(): void {
    this.rounds++;
    for (const packet of opening(this.rounds)) this.targets.play({ ...packet, ms: this.nowMs });
    this.corpus = [...seeds(this.rounds), ...this.kept];
  }
}

function topologyOfBoth() {
  const limited = LIMITED.map(({ address, ...one }) => ({ ...one, interface: 'col0', address: { ipv4: address } }));
  const ofIpv4 = { ...TOPOLOGY, itmsPorts: [8080], collectors: [...TOPOLOGY.collectors, ...limited] };
  const [ipv4, ipv6] = [topologyIn(ofIpv4, 'ipv4'), topologyIn(ofIpv4, 'ipv6')];
  return {
    ...ipv4,
    cpe: {
      ...ipv4.cpe,
      address: { ...ipv4.cpe.address, ...ipv6.cpe.address },
      networks: [...ipv4.cpe.networks, ...ipv6.cpe.networks],
    },
    itms: { ...ipv4.itms, address: { ...ipv4.itms.address, ...ipv6.itms.address } },
    collectors: ipv4.collectors.map((one, n) => ({
      ...one,
      address: { ...one.address, ...ipv6.collectors[n].address },
    })),
  };
}

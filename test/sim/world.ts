/** A whole run: CPEs, servers, network and splitter on one timeline, from the first Inform to the last entry's death. */
import { Attacker } from './attacker';
import { Cpe, type CpeCounts } from './cpe';
import { SimFailure } from './failure';
import { type Surroundings } from './host';
import { Ledger } from './ledger';
import { Network, type NetworkFaults } from './network';
import { Noise } from './noise';
import { type SimOptions, type Trouble } from './options';
import { ITMS, lineAddress, lineOf, SERVERS } from './parties';
import { Prng } from './prng';
import { Server } from './server';
import { SplitterBox, type TableCounts } from './splitter-box';
import { type TcpEnd } from './tcp-end';
import { Timeline } from './timeline';
import { scheduleTroubles } from './troubles';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SWEEP_MS = 250;
/** As the engine does. */
const LIVE_SWEEP_MS = 100;
const QUIET_SWEEP_MS = 5_000;
const AUDIT_MS = 20_000;
/** The ITMS wakes CPEs as well, less often than collectors do. */
const ITMS_POLLS = 5;
const OVERLAP_SHARE = 0.15;
const BURST_SHARE = 0.003;
const BURST = 24;
const BURST_MS = 3_000;
const DOWNLOAD_SHARE = 0.05;
/** Everything that still runs comes to its end; then the longest life, and a margin. */
const QUIET_MS = 600_000;
const LONGEST_LIFE_MS = 7_500_000;

export interface SimResult {
  options: SimOptions;
  failure: SimFailure | undefined;
  /** Of virtual time, in which hosts were at work. */
  hours: number;
  sessions: number;
  sessionsAt: number[];
  cpe: CpeCounts;
  requests: number;
  packets: number;
  batches: number;
  connections: number;
  broken: number;
  forgottenPins: number;
  peaks: TableCounts;
  transcript: string;
}

export class World implements Surroundings {
  readonly timeline = new Timeline();
  readonly prng: Prng;
  readonly ledger: Ledger;
  readonly network: Network;
  readonly box: SplitterBox;
  readonly servers: Server[] = [];
  readonly cpes: Cpe[] = [];
  readonly counts: CpeCounts = { sessions: 0, completed: 0, failed: 0, requests: 0, woken: 0 };
  /** Nothing new begins any more. */
  isQuiet = false;
  private readonly startMs: number;
  /** What any server opened last towards a CPE: what makes ports collide. */
  readonly latest = new Map<number, TcpEnd>();

  constructor(readonly options: SimOptions) {
    this.prng = new Prng(options.seed);
    this.ledger = new Ledger(this.timeline, options.family === 'ipv6');
    this.network = new Network(this.timeline, this.prng, this.ledger, this.faults(), options.family === 'ipv6');
    this.startMs = this.prng.pick(START_TIMES);
    this.box = new SplitterBox(this.timeline, this.network, options, this.prng.int32());
    this.network.splitter = this.box;
    this.passTime();
    for (let party = 0; party < SERVERS.length; party++)
      this.servers.push(new Server(this, party, this.latest, (cpe) => this.pollSoon(cpe)));
    this.network.servers.push(...this.servers);
    const informMs = options.informSeconds * 1000;
    const mayBeHostile = !this.isWithout('hostile');
    for (let i = 0; i < options.cpes; i++) {
      this.cpes.push(new Cpe(this, lineAddress(i), this.network.addLine(), informMs, this.counts, mayBeHostile));
    }
  }

  /** Runs to the end, or to the first failure. */
  run(): SimResult {
    let failure: SimFailure | undefined;
    try {
      this.begin();
      this.timeline.runUntil(this.startMs + this.options.hours * HOUR_MS);
      this.end();
    } catch (error) {
      if (!(error instanceof SimFailure)) throw error;
      failure = error;
    }
    return this.result(failure);
  }

  /** Schedules everything; the timeline then lets it happen. */
  begin(): void {
    this.scheduleSweep();
    this.often(AUDIT_MS, () => this.box.audit());
    this.schedulePolls();
    scheduleTroubles(this);
    if (!this.isWithout('noise')) new Noise(this).begin();
    if (!this.isWithout('attacker')) new Attacker(this).begin();
  }

  private end(): void {
    this.isQuiet = true;
    for (const cpe of this.cpes) cpe.retire();
    this.timeline.runUntil(this.timeline.nowMs + QUIET_MS);
    this.timeline.runUntil(this.timeline.nowMs + LONGEST_LIFE_MS + 1000);
    this.box.checkEmpty();
  }

  private isWithout(trouble: Trouble): boolean {
    return this.options.without.includes(trouble);
  }

  private faults(): NetworkFaults {
    const share = (trouble: Trouble, value: number) => (this.isWithout(trouble) ? 0 : value);
    return {
      loss: share('loss', 0.01),
      duplication: share('duplication', 0.004),
      reordering: share('reordering', 0.004),
      corruption: share('corruption', 0.002),
    };
  }

  /** The engine has been up for a while when the run begins: its clock may be about to wrap. */
  private passTime(): void {
    const firstMs = this.startMs % (9 * DAY_MS);
    for (let timeMs = firstMs; timeMs <= this.startMs; timeMs += 9 * DAY_MS) {
      this.timeline.runUntil(timeMs);
      this.box.sweep();
    }
    this.timeline.runUntil(this.startMs);
  }

  private scheduleSweep(): void {
    const periodMs = this.options.isChecked ? SWEEP_MS : LIVE_SWEEP_MS;
    this.timeline.after(this.isQuiet ? QUIET_SWEEP_MS : periodMs, () => {
      this.box.sweep();
      this.scheduleSweep();
    });
  }

  // ---- Connection Requests ----

  private schedulePolls(): void {
    const { options } = this;
    const pollMs = (options.pollSeconds * 1000) / options.cpes;
    this.often(pollMs, () => this.poll(this.prng.integer(ITMS + 1, SERVERS.length - 1)));
    this.often(pollMs * ITMS_POLLS, () => this.poll(ITMS));
    this.often((options.informSeconds * 1000) / options.cpes / DOWNLOAD_SHARE, () => {
      const cpe = this.prng.pick(this.cpes);
      if (cpe.isUp) cpe.download();
    });
  }

  private poll(party: number): void {
    const { prng, servers } = this;
    const cpe = prng.pick(this.cpes);
    servers[party]!.request(cpe.address, cpe.requestPort);
    if (!this.isWithout('overlap') && prng.chance(BURST_SHARE)) this.burst(servers[party]!, cpe);
    if (this.isWithout('overlap') || !prng.chance(OVERLAP_SHARE)) return;
    const rival = prng.integer(0, SERVERS.length - 1);
    const { address, requestPort } = cpe;
    this.timeline.after(prng.exponential(1_500), () => servers[rival]!.request(address, requestPort));
  }

  /** A server that goes wild: more requests than are remembered of one CPE. */
  private burst(server: Server, cpe: Cpe): void {
    const { address, requestPort } = cpe;
    for (let i = 0; i < BURST; i++) {
      this.timeline.after(this.prng.between(0, BURST_MS), () => server.request(address, requestPort));
    }
  }

  /** A CPE waits to repeat its SYN: a collector that wakes it just now is what the pin is for. */
  private pollSoon(address: number): void {
    const { prng, servers } = this;
    const cpe = this.network.lines[lineOf(address)]?.cpe;
    if (!(cpe instanceof Cpe) || this.isQuiet || this.isWithout('overlap') || !prng.chance(0.3)) return;
    const party = prng.integer(ITMS + 1, SERVERS.length - 1);
    this.timeline.after(prng.between(0, 2_000), () => servers[party]!.request(cpe.address, cpe.requestPort));
  }

  private often(meanMs: number, act: () => void): void {
    if (!Number.isFinite(meanMs)) return;
    const next = () => this.timeline.after(this.prng.exponential(meanMs), step);
    const step = () => {
      if (this.isQuiet) return;
      act();
      next();
    };
    next();
  }

  private result(failure: SimFailure | undefined): SimResult {
    const { options, box, ledger, counts } = this;
    return {
      options,
      failure,
      hours: (Math.min(this.timeline.nowMs, this.startMs + options.hours * HOUR_MS) - this.startMs) / HOUR_MS,
      sessions: counts.sessions,
      sessionsAt: this.servers.map((server) => server.counts.sessions),
      cpe: counts,
      requests: this.servers.reduce((sum, server) => sum + server.counts.requests, 0),
      packets: box.packets,
      batches: box.batches,
      connections: ledger.opened,
      broken: ledger.broken,
      forgottenPins: box.reference.context.forgottenPins,
      peaks: box.peaks,
      transcript: box.transcript.digest(),
    };
  }
}

/** ms: a day after boot; and a few minutes before a count of milliseconds leaves int32, and uint32. */
const START_TIMES: readonly number[] = [DAY_MS, 2 ** 31 - 5 * 60_000, 2 ** 32 - 5 * 60_000];

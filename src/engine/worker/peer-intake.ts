/** Takes rows of other routers from the ring into the tables, between packets and a few at a time. */
import { type FamilyState } from '../../splitter/memory/family-state';
import { PeerRows, Taken } from '../../splitter/memory/peer-rows';
import { type SplitterState } from '../../splitter/memory/state';
import { type Phase } from '../../tables/activation-row';
import { Seen } from '../../tables/connection-row';
import { Cause, Change } from '../../tables/flow-port';
import {
  Cell,
  type ClusterRings,
  type Ring,
  Table,
  Tally,
  tableOfKind,
  Time,
  What,
  whatOf,
  wordsOf,
} from '../shared/cluster-rings';
import { Step } from '../../cluster/row';
import { type ChangeFeed, tableOf } from './change-feed';

/** Rows taken over between two batches of packets: half a millisecond at most. */
const MOST_AT_ONCE = 64;
/** The same while no packets come, as on a standby router that joins: 100 000 rows in some seconds. */
const MOST_IN_QUIET = 1024;
const SEEN_BITS = Seen.Answer | Seen.FinOfCpe | Seen.FinOfServer | Seen.RstOfCpe | Seen.RstOfServer | Seen.Remapped;
const TALLY = {
  [Taken.Applied]: Tally.Applied,
  [Taken.Refused]: Tally.Refused,
  [Taken.Crossed]: Tally.Crossed,
  [Taken.Overtaken]: Tally.Applied,
} as const;

export class PeerIntake {
  private readonly ring: Ring;
  private readonly families: readonly { state: FamilyState; rows: PeerRows }[];
  private readonly cpes = { 1: new Int32Array(1), 4: new Int32Array(4) };

  constructor(
    private readonly rings: ClusterRings,
    private readonly state: SplitterState,
    private readonly feed: ChangeFeed,
    /** Listeners that count what happens here, and not what other routers have done. */
    private readonly quiet: (isQuiet: boolean) => void,
  ) {
    this.ring = rings.rows;
    this.families = state.families.map((family) => ({ state: family, rows: new PeerRows(family) }));
  }

  /** @param nowMs of the engine's clock @param wallMs ms since 1970 @param isQuiet no packets came lately */
  take(nowMs: number, wallMs: number, isQuiet = false): void {
    if (this.ring.waiting === 0) return;
    this.state.advance(nowMs);
    this.feed.isSilent = true;
    this.quiet(true);
    try {
      const most = isQuiet ? MOST_IN_QUIET : MOST_AT_ONCE;
      for (let taken = 0; taken < most && this.ring.first(); taken++) {
        const used = this.takeOne(wallMs);
        // Only now: a worker that is killed in between takes the row over again.
        this.ring.release();
        if (used !== undefined) this.tellUsed(used);
      }
    } finally {
      this.feed.isSilent = false;
      this.quiet(false);
    }
    this.feed.publish();
  }

  /** @returns where an activation was used up before its row came; its CPE is in `cpes` */
  private takeOne(wallMs: number): FamilyState | undefined {
    const { words, at } = this.ring;
    const kind = words[at + Cell.Kind];
    const length = wordsOf(kind);
    const family = this.families.find(({ state }) => state.servers.acsAddress.length === length);
    if (family === undefined) {
      this.count(Tally.Refused);
      return undefined;
    }
    const cpe = this.cpes[length as 1 | 4];
    for (let word = 0; word < length; word++) cpe[word] = words[at + Cell.Cpe + word];
    const table = tableOfKind(kind);
    if (whatOf(kind) === What.Tell) {
      this.tell(family.state, table, cpe);
      return undefined;
    }
    const taken =
      table === Table.Activated
        ? this.activation(family.rows, cpe, wallMs)
        : this.connection(family.rows, table, cpe, wallMs);
    this.count(TALLY[taken]);
    return taken === Taken.Overtaken ? family.state : undefined;
  }

  /** The other routers must not divert a session by it either. */
  private tellUsed({ activatedCpes, family, servers }: FamilyState): void {
    const cpe = this.cpes[servers.acsAddress.length as 1 | 4];
    const slot = activatedCpes.find(cpe);
    this.feed.isSilent = false;
    if (slot < 0) this.feed.tellGone(Table.Activated, cpe, 0, 0);
    else this.feed.told({ name: 'activatedCpes', family }, slot, Change.SessionFirst, Cause.Peer);
    this.feed.isSilent = true;
  }

  private connection(rows: PeerRows, table: Table, cpe: Int32Array, wallMs: number): Taken {
    const { words, times, at, timesAt } = this.ring;
    const step: Step = words[at + Cell.Step];
    const marks = words[at + Cell.Marks];
    const row = {
      cpe,
      cpePort: words[at + Cell.Ports] >>> 16,
      port: words[at + Cell.Ports] & 0xffff,
      owner: words[at + Cell.Owner],
      isn: words[at + Cell.Isn],
      seen: (words[at + Cell.State] & SEEN_BITS) | (step === Step.Accepted ? Seen.Accepted : 0),
      scales: marks & 0xff,
      head: (marks >>> 8) & 7,
      ownPort: words[at + Cell.OwnPort] & 0xffff,
      tag: words[at + Cell.OwnPort] >>> 16,
      remainingMs: step >= Step.Ended ? 0 : times[timesAt + Time.Deadline] - wallMs,
      known: words[at + Cell.Seen],
    };
    return table === Table.Reports ? rows.report(row) : rows.request(row);
  }

  private activation(rows: PeerRows, cpe: Int32Array, wallMs: number): Taken {
    const { words, times, at, timesAt } = this.ring;
    const age = (which: Time) => (times[timesAt + which] > 0 ? Math.max(0, wallMs - times[timesAt + which]) : -1);
    const state = words[at + Cell.State];
    const phase: Phase = state & 0xff;
    const entry = {
      ...{ phase, grace: (state >>> 8) & 3, owner: words[at + Cell.Owner], ports: words[at + Cell.Isn] },
      ...{ phaseMs: age(Time.Phase), armedMs: age(Time.Armed), askedMs: age(Time.Asked), sessionMs: age(Time.Session) },
    };
    return rows.activation(cpe, entry, words[at + Cell.Seen]);
  }

  /** The cluster process asks for an entry: as it is, or that it is gone. */
  private tell(state: FamilyState, table: Table, cpe: Int32Array): void {
    const { words, at } = this.ring;
    const ports = words[at + Cell.Ports];
    const entries = tableOf(state, table);
    const slot = 'arm' in entries ? entries.find(cpe) : entries.find(cpe, ports >>> 16, ports & 0xffff);
    if (slot >= 0) this.feed.tell(state, table, slot);
    else this.feed.tellGone(table, cpe, ports, words[at + Cell.Isn]);
  }

  private count(tally: Tally): void {
    this.rings.tallies[tally]++;
  }
}

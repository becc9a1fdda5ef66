/**
 * Tells the recorder what happens to activations and report connections: a listener of the flow port that writes rows
 * into the flow ring. It allocates nothing, waits for nobody, and keeps nothing.
 */
import { type Family } from '../../packet/address';
import { headOf } from '../../splitter/decide/http-head';
import { ITMS, MAX_OWNERS } from '../../splitter/memory/owners';
import { type SplitterState } from '../../splitter/memory/state';
import { Cause, Change, type FlowListener, type FlowTable } from '../../tables/flow-port';
import { type FlowRing, marksOf } from '../shared/flow-ring';

/** Positions in HASH order. */
const ACTIVATED = 1;
const REPORTS = 2;
const NOWHERE: Readonly<Record<Family, Int32Array>> = { ipv4: new Int32Array(1), ipv6: new Int32Array(4) };

export class FlowRecorder implements FlowListener {
  /** Wall clock of the batch, ms since 1970. */
  nowMs = 0;
  /** While the splitter tells of existing entries: the recorder outlives workers, and knows them. */
  isCatchingUp = false;

  constructor(
    private readonly ring: FlowRing,
    private readonly state: SplitterState,
  ) {
    for (let owner = 0; owner < MAX_OWNERS; owner++) {
      const name = state.owners.name(owner);
      if (name !== '') ring.setName(owner, name);
    }
  }

  told({ name, family }: FlowTable, slot: number, change: Change, cause: Cause): void {
    if (cause === Cause.Standing || this.isCatchingUp) return;
    if (name === 'activatedCpes') this.toldActivation(family, slot, change, cause);
    else if (name === 'reportConnections') this.toldConnection(family, slot, change, cause);
  }

  cleared({ name, family }: FlowTable): void {
    if (this.isCatchingUp || name === 'connectionRequests') return;
    this.ring.putCleared(this.nowMs, name === 'activatedCpes' ? ACTIVATED : REPORTS, NOWHERE[family]);
  }

  isKept(): boolean {
    return false;
  }

  learn(): void {
    // It knows no more than the tables.
  }

  private toldActivation(family: Family, slot: number, change: Change, cause: Cause): void {
    if (change === Change.Asked || change === Change.SessionFirst || change === Change.Disarming) return;
    const { activatedCpes } = this.state[family]!;
    const owner = activatedCpes.owner(slot);
    // Only asked, so there is nothing to end. Disarmed comes when the owner is no longer in the entry.
    if (owner === ITMS && change !== Change.Disarmed) return;
    this.ring.put(this.nowMs, ACTIVATED, change, cause, marksOf(owner, 0, 0), 0, activatedCpes.cpe(slot), false);
  }

  private toldConnection(family: Family, slot: number, change: Change, cause: Cause): void {
    if (change === Change.Accepted) return;
    const { reportConnections: reports } = this.state[family]!;
    const marks = marksOf(reports.owner(slot), headOf(reports.head(slot)), reports.table.state(slot));
    const ports = (reports.cpePort(slot) << 16) | reports.visiblePort(slot);
    this.ring.put(this.nowMs, REPORTS, change, cause, marks, ports, reports.cpe(slot), change === Change.Opened);
  }
}

/**
 * Counts each collector's sessions: armed, finished, unfinished, and those that ended with a refused login. A listener of
 * the flow port that only reads.
 */
import { type ActivatedCpes } from '../../tables/activated-cpes';
import { Grace } from '../../tables/activation-row';
import { Cause, Change, type FlowListener, type FlowTable } from '../../tables/flow-port';
import { type FamilyState } from '../memory/family-state';
import { ITMS } from '../memory/owners';
import { Col, rowOf, type ServerRows } from './server-row';

/** The families' states by name, as in SplitterState. */
type Families = Readonly<Record<FlowTable['family'], FamilyState | undefined>>;

export class CollectorFigures implements FlowListener {
  constructor(
    private readonly rows: ServerRows,
    private readonly families: Families,
  ) {}

  told({ name, family }: FlowTable, slot: number, change: Change, cause: Cause): void {
    if (name !== 'activatedCpes' || cause === Cause.Standing || cause === Cause.Peer) return;
    const state = this.families[family];
    if (state === undefined) return;
    const { activatedCpes, servers } = state;
    const owner = activatedCpes.owner(slot);
    if (owner === ITMS) return;
    const row = rowOf(owner, servers.acsAddress.length);
    // Cause.Packet: armed again because its session's answer came late.
    if (change === Change.Armed && cause !== Cause.Packet) this.rows.count(row, Col.Armed);
    else if (change === Change.Ended || change === Change.Disarming) this.ended(row, activatedCpes, slot, cause);
  }

  cleared(): void {
    // Counters only grow.
  }

  isKept(): boolean {
    return false;
  }

  learn(): void {
    // It knows no more than the tables.
  }

  private ended(row: number, activatedCpes: ActivatedCpes, slot: number, cause: Cause): void {
    const { rows } = this;
    const grace = activatedCpes.graceOf(slot);
    if (cause === Cause.Over) rows.count(row, Col.Finished);
    else if (cause === Cause.Failed || cause === Cause.Booted) rows.count(row, Col.Unfinished);
    else if (cause !== Cause.Expired || grace === undefined) return;
    // Its answers could not be read, and it closed the connection: as good as finished.
    else if (grace === Grace.Short) rows.count(row, Col.Finished);
    else {
      rows.count(row, Col.Unfinished);
      if (grace === Grace.Login) rows.count(row, Col.LoginsRefused);
    }
  }
}

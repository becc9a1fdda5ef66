/** A listener that keeps what it was told, and the real contents of the tables, in the same words. */
import { withoutSegments } from '../../src/splitter/decide/http-head';
import { ActivatedCpes } from '../../src/tables/activated-cpes';
import { Seen, Word } from '../../src/tables/connection-row';
import { type ConnectionTable } from '../../src/tables/connection-table';
import { Cause, Change, type FlowListener, type FlowTable } from '../../src/tables/flow-port';
import { type TtlTable } from '../../src/tables/ttl-table';
import { type Splitter } from '../../src/splitter/splitter';

const CHANGES = {
  [Change.Opened]: 'opened',
  [Change.Confirmed]: 'confirmed',
  [Change.Closing]: 'closing',
  [Change.Closed]: 'closed',
  [Change.Resumed]: 'resumed',
  [Change.Head]: 'head',
  [Change.Asked]: 'asked',
  [Change.Armed]: 'armed',
  [Change.Consumed]: 'consumed',
  [Change.Grace]: 'grace',
  [Change.SessionFirst]: 'session-first',
  [Change.Disarmed]: 'disarmed',
  [Change.Disarming]: 'disarming',
  [Change.Accepted]: 'accepted',
  [Change.Ended]: 'ended',
} as const satisfies Record<Change, string>;

export const EVERY_CHANGE = Object.values(CHANGES).sort();

const CAUSES = {
  [Cause.Packet]: 'packet',
  [Cause.Expired]: 'expired',
  [Cause.Standing]: 'standing',
  [Cause.Replaced]: 'replaced',
  [Cause.Bound]: 'bound',
  [Cause.Refused]: 'refused',
  [Cause.Booted]: 'booted',
  [Cause.Forgotten]: 'forgotten',
  [Cause.Silent]: 'silent',
  [Cause.Response]: 'response',
  [Cause.Fin]: 'fin',
  [Cause.Hand]: 'hand',
  [Cause.Itms]: 'itms',
  [Cause.Over]: 'over',
  [Cause.NotDiverting]: 'not-diverting',
  [Cause.Takeover]: 'takeover',
  [Cause.NotCarried]: 'not-carried',
  [Cause.CollectorDown]: 'collector-down',
  [Cause.Failed]: 'failed',
  [Cause.Peer]: 'peer',
} as const satisfies Record<Cause, string>;

/** The shown state of a connection: its owner, and how far it has come. */
const SHOWN = Seen.Answer | Seen.FinOfCpe | Seen.FinOfServer | Seen.RstOfCpe | Seen.RstOfServer | Seen.Remapped;
/** Of an activation: all but that a SYN has just been tried. */
const PHASE = 0x7f;

export class Mirror implements FlowListener {
  readonly entries = new Map<string, string>();
  /** `change cause`, in order of arrival. */
  readonly heard: string[] = [];

  constructor(private readonly splitter: () => Splitter) {}

  told(table: FlowTable, slot: number, change: Change, cause: Cause): void {
    const rows = tableOf(this.splitter(), table);
    const key = keyOf(table, rows, slot);
    this.heard.push(`${CHANGES[change]} ${CAUSES[cause]}`);
    if (change === Change.Ended) expect(this.entries.delete(key)).toBe(true);
    else if (change === Change.Opened) this.entries.set(key, textOf(this.splitter(), table, slot));
    // Nobody reported this connection, so its birth went unreported.
    else if (table.name !== 'activatedCpes' && !this.entries.has(key)) throw new Error(`silent birth of ${key}`);
    else this.entries.set(key, textOf(this.splitter(), table, slot));
  }

  cleared(table: FlowTable): void {
    for (const key of this.entries.keys())
      if (key.startsWith(`${table.name} ${table.family} `)) this.entries.delete(key);
  }

  isKept(): boolean {
    return false;
  }

  learn(): void {
    // It knows no more than the tables.
  }

  get lines(): string[] {
    return [...this.entries].map(([key, text]) => `${key}: ${text}`).sort();
  }
}

/** What the tables hold, expired or not: in the mirror's words. */
export function held(splitter: Splitter): string[] {
  const lines: string[] = [];
  for (const { family } of splitter.state.families) {
    for (const name of ['connectionRequests', 'activatedCpes', 'reportConnections'] as const) {
      const table = { name, family };
      const rows = tableOf(splitter, table);
      for (let slot = 0; slot < rows.slotCount; slot++) {
        if (rows.state(slot) !== 0) lines.push(`${keyOf(table, rows, slot)}: ${textOf(splitter, table, slot)}`);
      }
    }
  }
  return lines.sort();
}

function entriesOf(splitter: Splitter, { name, family }: FlowTable): ActivatedCpes | ConnectionTable {
  return splitter.state[family]![name];
}

function tableOf(splitter: Splitter, table: FlowTable): TtlTable {
  return entriesOf(splitter, table).table;
}

function keyOf({ name, family }: FlowTable, rows: TtlTable, slot: number): string {
  const words = (family === 'ipv4' ? 1 : 4) + (name === 'activatedCpes' ? 0 : 1);
  return `${name} ${family} ${Array.from({ length: words }, (_, word) => rows.keyWord(slot, word)).join()}`;
}

function textOf(splitter: Splitter, table: FlowTable, slot: number): string {
  const entries = entriesOf(splitter, table);
  const state = entries.table.state(slot);
  if (entries instanceof ActivatedCpes) return `owner ${entries.owner(slot)}, phase ${state & PHASE}`;
  const isn = entries.word(slot, Word.Isn);
  return `owner ${entries.owner(slot)}, isn ${isn}, seen ${state & SHOWN}, head ${withoutSegments(entries.head(slot))}`;
}

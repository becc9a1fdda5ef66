/**
 * What the tables tell of the entries that live in them, so that others can follow: a mirror in the kernel, a change feed,
 * a history. By default nobody listens, and a packet pays for one look at a field.
 *
 * A listener is called while the packet is being decided, before its verdict leaves. It may read the entry in `slot` during
 * the call; a slot means nothing afterwards. It must not change the tables, but for what `isKept` and `learn` say.
 */
import { type TtlTable } from './ttl-table';

/** What has become of an entry. */
export const enum Change {
  /** A connection begins; whatever stood under its key is gone. */
  Opened,
  /** A connection: both ends have agreed to it. */
  Confirmed,
  /** A first FIN or RST of it was proven. */
  Closing,
  /** Both FINs, or a RST, were proven. */
  Closed,
  /** A RST did not end it: what `Closing` or `Closed` said is void. */
  Resumed,
  /** More is known of the server's (report connection) or the CPE's (Connection Request) answer. */
  Head,
  /** An activation: a collector's request waits for the CPE's answer. */
  Asked,
  Armed,
  /** Used up by a connection; also where that connection's grace was void. */
  Consumed,
  Grace,
  /** The asked CPE has opened a session with the ITMS. */
  SessionFirst,
  /** The activation is over, but the CPE is still asked. */
  Disarmed,
  /** The entry goes, with this call. */
  Ended,
}

/** Why. */
export const enum Cause {
  /** The packet in hand says it all. */
  Packet,
  /** Its life was over. */
  Expired,
  /** A listener has just begun: this entry stood before. */
  Standing,
  /** Its ports are used again. */
  Replaced,
  /** The CPE has too many entries, and this was its oldest closed one. */
  Bound,
  Refused,
  /** The CPE has booted. */
  Booted,
  /** The collector knows nothing of the connection any more. */
  Forgotten,
  /** The collector has sent nothing for too long. */
  Silent,
  /** Armed by a 2xx. */
  Response,
  /** Armed by the collector's FIN. */
  Fin,
  /** By the operator. */
  Hand,
  /** A 2xx to the ITMS's own request. */
  Itms,
  /** The session is over. */
  Over,
  /** Paused, or `off`: the session is the ITMS's. */
  NotDiverting,
  /** The kernel alone has carried packets for a while. */
  Takeover,
}

/** Names a table and its family towards a listener. */
export interface FlowTable {
  readonly name: 'connectionRequests' | 'activatedCpes' | 'reportConnections';
  readonly family: 'ipv4' | 'ipv6';
}

export interface FlowListener {
  told(table: FlowTable, slot: number, change: Change, cause: Cause): void;
  /** All entries of a table are gone. */
  cleared(table: FlowTable): void;
  /**
   * The entry's life seems to be over. A listener that knows of packets which never came here touches the entry
   * (`TtlTable.touch`) and answers true.
   */
  isKept(table: FlowTable, slot: number): boolean;
  /** A packet of this connection is about to be judged: a listener that knows later numbers writes them into the entry. */
  learn(table: FlowTable, slot: number): void;
}

/** What a TtlTable calls: the listener, beside the table's name. */
export class FlowPort {
  private listener: FlowListener | undefined = undefined;

  constructor(private readonly table: FlowTable | undefined) {}

  /**
   * From now on `listener` is told, of what stands in `entries` first; undefined: nobody.
   *
   * @param standing the change that brings a listener up to date with the entry in a slot
   */
  listen(listener: FlowListener | undefined, entries: TtlTable, standing: (slot: number) => void): void {
    if (this.table === undefined) return;
    this.listener = listener;
    if (listener === undefined) return;
    listener.cleared(this.table);
    for (let slot = 0; slot < entries.slotCount; slot++) if (entries.state(slot) !== 0) standing(slot);
  }

  tell(slot: number, change: Change, cause: Cause): void {
    if (this.listener !== undefined) this.listener.told(this.table!, slot, change, cause);
  }

  cleared(): void {
    if (this.listener !== undefined) this.listener.cleared(this.table!);
  }

  isKept(slot: number): boolean {
    return this.listener !== undefined && this.listener.isKept(this.table!, slot);
  }

  learn(slot: number): void {
    if (this.listener !== undefined) this.listener.learn(this.table!, slot);
  }
}

/** Of tables that nobody can listen to. */
export const NOBODY = new FlowPort(undefined);

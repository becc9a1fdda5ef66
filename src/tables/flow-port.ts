/**
 * Reports changes of table entries, so that others can follow: a mirror in the kernel, a change feed, a history. By
 * default nobody listens, which costs one field read per packet.
 *
 * A listener is called while the packet is being decided, before its verdict leaves. It may read the entry in `slot`
 * during the call; afterwards the slot means nothing. It must not change the tables, except as `isKept` and `learn`
 * allow.
 */
import { type Family } from '../packet/address';
import { type TtlTable } from './ttl-table';

/** What happened to an entry. */
export const enum Change {
  /** A connection begins; any earlier entry under its key is gone. */
  Opened,
  /** A connection: both ends have agreed to it. */
  Confirmed,
  /** Its first FIN or RST was proven. */
  Closing,
  /** Both FINs, or a RST, were proven. */
  Closed,
  /** A RST did not end it: `Closing` or `Closed` is void. */
  Resumed,
  /** More is known of the server's (report connection) or the CPE's (Connection Request) answer. */
  Head,
  /** An activation: a collector's request waits for the CPE's answer. */
  Asked,
  Armed,
  /** Used by a connection; also when the grace of that connection was void. */
  Consumed,
  Grace,
  /** The asked CPE has opened a session with the ITMS. */
  SessionFirst,
  /** The activation is over, but the CPE is still asked. */
  Disarmed,
  /** The entry is removed; this call is the last about it. */
  Ended,
  /** The activation is about to be disarmed: its owner and phase can still be read. */
  Disarming,
  /** A report connection: the collector has accepted it, and the CPE has not confirmed it yet. */
  Accepted,
}

/** The cause of a change. */
export const enum Cause {
  /** The current packet. */
  Packet,
  /** Its life ended. */
  Expired,
  /** A listener has just begun, and this entry already existed. */
  Standing,
  /** Its ports are reused. */
  Replaced,
  /** The CPE has too many entries, and this was its oldest closed one. */
  Bound,
  Refused,
  /** The CPE has rebooted. */
  Booted,
  /** The collector no longer knows the connection. */
  Forgotten,
  /** The collector has been silent for too long. */
  Silent,
  /** Armed by a 2xx. */
  Response,
  /** Armed by the collector's FIN. */
  Fin,
  /** The operator. */
  Hand,
  /** A 2xx to the ITMS's own request. */
  Itms,
  /** The session is over. */
  Over,
  /** Paused, or `off`: the session is the ITMS's. */
  NotDiverting,
  /** The kernel alone has carried packets for a while. */
  Takeover,
  /** A listener cannot carry the new connection. */
  NotCarried,
  /** The collector takes no session at present: the session is the ITMS's. */
  CollectorDown,
  /** The session ended without a word that it is over: an error, or no answer. */
  Failed,
  /** Another router of the cluster says so. */
  Peer,
}

/** The three tables by their public names. */
export type TableName = 'connectionRequests' | 'activatedCpes' | 'reportConnections';

/** Identifies a table and its family to a listener. */
export interface FlowTable {
  readonly name: TableName;
  readonly family: Family;
}

export interface FlowListener {
  told(table: FlowTable, slot: number, change: Change, cause: Cause): void;
  /** All entries of a table are gone. */
  cleared(table: FlowTable): void;
  /**
   * The entry is about to expire. A listener that knows of packets that never came here touches the entry
   * (`TtlTable.touchAt`) and returns true.
   */
  isKept(table: FlowTable, slot: number): boolean;
  /**
   * A report connection has been opened, and told. False: the listener has no room to carry it, so it ends at once and
   * the SYN goes to the ITMS. A listener without this method carries nothing, or everything.
   */
  isCarried?(table: FlowTable, slot: number): boolean;
  /**
   * A packet of this connection is about to be judged. A listener that knows later numbers writes them into the entry.
   *
   * @param isOwners it is the owner's packet, which moves the numbers whatever they are
   */
  learn(table: FlowTable, slot: number, isOwners: boolean): void;
}

/** What a TtlTable calls: the listener together with the table's name. */
export class FlowPort {
  private listener: FlowListener | undefined = undefined;

  constructor(private readonly table: FlowTable) {}

  /**
   * Reports changes to `listener` from now on, starting with the existing entries; undefined: to nobody.
   *
   * @param standing the change that brings a listener up to date with the entry in a slot
   */
  listen(listener: FlowListener | undefined, entries: TtlTable, standing: (slot: number) => void): void {
    if (this === UNHEARD) return;
    this.listener = listener;
    if (listener === undefined) return;
    listener.cleared(this.table);
    for (let slot = 0; slot < entries.slotCount; slot++) if (entries.state(slot) !== 0) standing(slot);
  }

  tell(slot: number, change: Change, cause: Cause): void {
    if (this.listener !== undefined) this.listener.told(this.table, slot, change, cause);
  }

  cleared(): void {
    if (this.listener !== undefined) this.listener.cleared(this.table);
  }

  isKept(slot: number): boolean {
    return this.listener !== undefined && this.listener.isKept(this.table, slot);
  }

  isCarried(slot: number): boolean {
    return this.listener?.isCarried?.(this.table, slot) ?? true;
  }

  learn(slot: number, isOwners: boolean): void {
    if (this.listener !== undefined) this.listener.learn(this.table, slot, isOwners);
  }
}

/** For a table by itself, outside a splitter: nobody listens, so its name is never told. */
export const UNHEARD = new FlowPort({ name: 'connectionRequests', family: 'ipv4' });

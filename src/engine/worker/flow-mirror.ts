/**
 * Mirrors the keys of the report table into the maps of the fast path, so that no packet of a diverted connection is
 * carried to the ITMS. The table is the truth. Each change reaches the map while the packet is decided, before its
 * verdict leaves. A worker that takes over repairs what its predecessor left half done.
 */
import { type Address, type Family } from '../../packet/address';
import { Change, type FlowListener, type FlowTable } from '../../tables/flow-port';

/** Cells of the map `control`: native/fast-path/layout.h, CONTROL_OPEN. */
const OPEN = 1;
/** Between two attempts to complete the mirror. */
const RETRY_MS = 1000;
const VALUE_BYTES = 4;

/** BPF maps by descriptor. */
export interface Maps {
  updateMap(fd: number, key: Uint8Array, value: Uint8Array): void;
  deleteFromMap(fd: number, key: Uint8Array): boolean;
  readMapEntries(fd: number): Uint8Array;
}

/** A report table's entry. */
interface Entries {
  cpe(slot: number): Address;
  cpePort(slot: number): number;
  visiblePort(slot: number): number;
}

/** What the mirror follows. */
export interface Mirrored {
  listen(listener: FlowListener | undefined): void;
  state: { families: readonly { family: Family; reportConnections: Entries }[] };
}

/** One family's map. */
interface Side {
  fd: number;
  key: Uint8Array;
  keyView: DataView;
  entries: Entries | undefined;
}

export class FlowMirror implements FlowListener {
  private readonly sides: Record<Family, Side>;
  private followed: Mirrored | undefined;
  /** Written into each entry: those of another one are left over. */
  private readonly epoch = new Uint8Array(VALUE_BYTES);
  private readonly epochView = new DataView(this.epoch.buffer);
  private isRepairing = false;
  /** Why the mirror lacks an entry. */
  private lack: Error | undefined;
  private triedMs = 0;

  /**
   * @param epoch differs from that of every earlier mirror @param onLack told once when the mirror cannot be complete, and with undefined when it is again
   */
  constructor(
    private readonly maps: Maps,
    private readonly control: number,
    flows: Record<Family, number>,
    epoch: number,
    private readonly onLack: (error: Error | undefined) => void,
  ) {
    this.epochView.setUint32(0, epoch >>> 0);
    this.sides = { ipv4: side(flows.ipv4, 8), ipv6: side(flows.ipv6, 20) };
  }

  /** Mirrors this splitter's table from now on. */
  follow(splitter: Mirrored): void {
    this.followed = splitter;
    for (const { family, reportConnections } of splitter.state.families) {
      this.sides[family].entries = reportConnections;
    }
    this.repair();
  }

  /** Tries again to complete the mirror. Call it often. */
  mend(nowMs: number): void {
    if (this.lack === undefined || nowMs - this.triedMs < RETRY_MS) return;
    this.triedMs = nowMs;
    this.repair();
  }

  told(table: FlowTable, slot: number, change: Change): void {
    if (table.name !== 'reportConnections') return;
    if (change === Change.Opened) this.put(this.sides[table.family], slot);
    else if (change === Change.Ended) this.drop(this.sides[table.family], slot);
  }

  cleared(table: FlowTable): void {
    // While repairing, it only announces what stands: entries must not be missing in between.
    if (table.name === 'reportConnections' && !this.isRepairing) this.repair();
  }

  isKept(): boolean {
    return false;
  }

  learn(): void {}

  /**
   * Puts all entries into the map, then removes those that are left over. While one is missing, nothing is carried.
   */
  private repair(): void {
    const before = this.lack;
    this.lack = undefined;
    this.epochView.setUint32(0, (this.epochView.getUint32(0) + 1) >>> 0);
    this.isRepairing = true;
    try {
      this.followed?.listen(this);
      for (const one of Object.values(this.sides)) this.sweep(one);
    } catch (error) {
      this.lack = error as Error;
    } finally {
      this.isRepairing = false;
    }
    this.setOpen(this.lack === undefined);
    if ((before === undefined) !== (this.lack === undefined)) this.onLack(this.lack);
  }

  private sweep({ fd, key }: Side): void {
    const entries = this.maps.readMapEntries(fd);
    const step = key.length + VALUE_BYTES;
    for (let at = 0; at < entries.length; at += step) {
      const isOfNow = this.epoch.every((byte, i) => entries[at + key.length + i] === byte);
      if (!isOfNow) this.maps.deleteFromMap(fd, entries.slice(at, at + key.length));
    }
  }

  private put(one: Side, slot: number): void {
    this.setKey(one, slot);
    try {
      this.maps.updateMap(one.fd, one.key, this.epoch);
    } catch (error) {
      const isFirst = this.lack === undefined;
      this.lack = error as Error;
      // Before the verdict leaves: without its entry, the connection would be carried to the ITMS.
      if (!this.isRepairing) this.setOpen(false);
      if (isFirst && !this.isRepairing) this.onLack(this.lack);
    }
  }

  /** An entry that stays too long only makes its packets slow. */
  private drop(one: Side, slot: number): void {
    this.setKey(one, slot);
    this.maps.deleteFromMap(one.fd, one.key);
  }

  private setOpen(isOpen: boolean): void {
    this.maps.updateMap(this.control, nativeWord(OPEN), nativeWord(isOpen ? 1 : 0));
  }

  /** struct flow4_key and flow6_key, in network order. */
  private setKey({ keyView, entries }: Side, slot: number): void {
    if (entries === undefined) throw new Error('told of a family that is not configured');
    const cpe = entries.cpe(slot);
    for (let word = 0; word < cpe.length; word++) keyView.setInt32(word * 4, cpe[word]);
    keyView.setUint16(cpe.length * 4, entries.cpePort(slot));
    keyView.setUint16(cpe.length * 4 + 2, entries.visiblePort(slot));
  }
}

function side(fd: number, keyBytes: number): Side {
  const key = new Uint8Array(keyBytes);
  return { fd, key, keyView: new DataView(key.buffer), entries: undefined };
}

function nativeWord(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

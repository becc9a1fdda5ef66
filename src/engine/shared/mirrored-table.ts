/** One family's report table, and the map that mirrors it. */
import { type FamilyState } from '../../splitter/memory/family-state';
import { type Servers } from '../../splitter/memory/servers';
import { type ConnectionTable } from '../../tables/connection-table';

export type MirroredFamily = Pick<FamilyState, 'family' | 'reportConnections' | 'servers' | 'lives' | 'confirmUnseen'>;

export class MirroredTable {
  /** struct flow4_key or flow6_key of the last `setKey`, in network order. */
  readonly key: Uint8Array;
  /** Undefined while the family is not configured. */
  state: MirroredFamily | undefined;
  entries: ConnectionTable | undefined;
  servers: Servers | undefined;
  /** The slot last refreshed. */
  refreshed = 0;
  /** Slots below this one are yet to be looked through for connections to give back. */
  unscanned = 0;
  private readonly keyView: DataView;
  private readonly cpe: Int32Array;

  /** @param fd of the map @param words of an address */
  constructor(
    readonly fd: number,
    readonly words: number,
  ) {
    this.key = new Uint8Array(words * 4 + 4);
    this.keyView = new DataView(this.key.buffer);
    this.cpe = new Int32Array(words);
  }

  follow(state: MirroredFamily): void {
    this.state = state;
    this.entries = state.reportConnections;
    this.servers = state.servers;
  }

  setKey(slot: number): void {
    const { keyView, entries } = this;
    if (entries === undefined) throw new Error('told of a family that is not configured');
    const cpe = entries.cpe(slot);
    for (let word = 0; word < cpe.length; word++) keyView.setInt32(word * 4, cpe[word]);
    keyView.setUint16(cpe.length * 4, entries.cpePort(slot));
    keyView.setUint16(cpe.length * 4 + 2, entries.visiblePort(slot));
  }

  /** Slot of the connection with this key, or -1. */
  find(key: Uint8Array): number {
    const view = new DataView(key.buffer, key.byteOffset);
    for (let word = 0; word < this.words; word++) this.cpe[word] = view.getInt32(word * 4);
    return this.findPorts((view.getUint16(this.words * 4) << 16) | view.getUint16(this.words * 4 + 2));
  }

  /** Writes what identifies the connection in a slot to `to[at]` and on: its ports and its CPE, WORDS at most. */
  note(slot: number, to: Int32Array, at: number): void {
    const entries = this.entries!;
    const cpe = entries.cpe(slot);
    to[at] = (entries.cpePort(slot) << 16) | entries.visiblePort(slot);
    for (let word = 0; word < cpe.length; word++) to[at + 1 + word] = cpe[word];
  }

  /** Slot of a noted connection, or -1. */
  findNoted(noted: Int32Array, at: number): number {
    for (let word = 0; word < this.words; word++) this.cpe[word] = noted[at + 1 + word];
    return this.findPorts(noted[at]);
  }

  private findPorts(ports: number): number {
    return this.entries?.find(this.cpe, ports >>> 16, ports & 0xffff) ?? -1;
  }
}

/** Of a noted connection. */
export const NOTED_WORDS = 5;

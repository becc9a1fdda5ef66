/**
 * Takes over the tables of acsplit 0.1.0 (state layout 2). Its rows were shorter and had no sequence numbers, so its
 * connections learn them from the server's next packet [2]. Every entry's life restarts. Pins and counters are not
 * taken over.
 *
 *     owners | 46 reasons, 4 sides, float64 | 14 events and their ring | per family: requests, remaps, activations, reports, pins
 */
import { ADDRESS_WORDS, type Family } from '../../packet/address';
import { lifeOf, type Seen } from '../../tables/connection-row';
import { Grace } from '../../tables/activation-row';
import { PinCache } from '../../tables/pin-cache';
import { type TableShape } from '../../tables/hash-rows';
import { TtlTable } from '../../tables/ttl-table';
import { type FamilyState } from './family-state';
import { Owners } from './owners';
import { type SplitterOptions, SplitterState } from './state';

export const EARLIER_LAYOUT = 2;

const COUNTERS_BYTES = (46 + 4) * 8;
const EVENTS_BYTES = (14 + 1 + 4096) * 8 + 4096 * 7 * 4;

const REMAPPED = 1 << 9;
const SEEN_MASK = (1 << 6) - 1;
const OWNER_SHIFT = 16;
const ISN_AT = 0;
const OWN_PORT_AT = 2;

/** Phases of an activation. */
const enum Phase {
  Armed = 1 << 0,
  Consumed = 1 << 1,
  Grace = 1 << 3,
  Reset = 1 << 4,
}

/** Of each table's header. */
const TABLE_VERSION = 3;

interface EarlierTables {
  requests: TableShape;
  remaps: TableShape;
  activations: TableShape;
  reports: TableShape;
}

function shapes(capacityEntries: number, family: Family): EarlierTables {
  const words = ADDRESS_WORDS[family];
  const version = TABLE_VERSION;
  const remaps = Math.max(64, Math.ceil(capacityEntries / 16));
  return {
    requests: { capacityEntries, keyWords: words + 1, valueWords: 3, version },
    remaps: { capacityEntries: remaps, keyWords: words + 2, valueWords: 1, version },
    activations: { capacityEntries, keyWords: words, valueWords: 1, version },
    reports: { capacityEntries, keyWords: words + 1, valueWords: 1, version },
  };
}

/** Bytes of its memory; tells whether it had these families. */
export function earlierBytes(capacityEntries: number, families: readonly Family[]): number {
  let bytes = Owners.BYTES + COUNTERS_BYTES + EVENTS_BYTES;
  for (const family of families) {
    for (const shape of Object.values(shapes(capacityEntries, family))) bytes += TtlTable.bytes(shape);
    bytes += PinCache.bytes(ADDRESS_WORDS[family]);
  }
  return bytes;
}

/**
 * @param options of the splitter that will decide; its buffer is zeroed
 * @param memory of 0.1.0, `earlierBytes` for the families of that topology
 * @param capacityEntries of that memory
 * @returns entries taken over; entries for which there is no room are dropped
 * @throws Error when a table is damaged
 */
export function adoptEarlier(
  options: SplitterOptions & { buffer: ArrayBuffer },
  memory: ArrayBuffer,
  capacityEntries: number,
  nowMs: number,
): number {
  // Before any name gets an id, because the rows use the ids of this list.
  new Uint8Array(options.buffer).set(new Uint8Array(memory, 0, Owners.BYTES));
  const into = new SplitterState(options);
  into.advance(nowMs);
  let at = Owners.BYTES + COUNTERS_BYTES + EVENTS_BYTES;
  let adopted = 0;
  for (const state of into.families) {
    const { requests, remaps, activations, reports } = shapes(capacityEntries, state.family);
    const table = (shape: TableShape, lives: Int32Array) => {
      const reader = new TtlTable(memory, at, shape, 0, lives, true);
      at += TtlTable.bytes(shape);
      reader.advance(nowMs);
      return reader;
    };
    const adoption = new Adoption(state);
    const { lives } = state;
    adopted += adoption.requests(
      table(
        requests,
        livesBy((bits) => lifeOf(bits, lives.requests)),
      ),
    );
    at += TtlTable.bytes(remaps);
    adopted += adoption.activations(
      table(
        activations,
        livesBy((bits) => activationLife(bits, state)),
      ),
    );
    adopted += adoption.reports(
      table(
        reports,
        livesBy((bits) => lifeOf(bits, lives.reports)),
      ),
    );
    at += PinCache.bytes(ADDRESS_WORDS[state.family]);
  }
  return adopted;
}

/** Copies the rows of one family's tables into today's layout. */
class Adoption {
  constructor(private readonly state: FamilyState) {}

  requests(from: TtlTable): number {
    const { connectionRequests, servers } = this.state;
    return this.each(from, (slot, cpe, ports) => {
      const owner = from.state(slot) >>> OWNER_SHIFT;
      const tag = servers.isConfigured(owner) ? servers.tagOf(servers.addressTagged(owner, 0)) : 0;
      const isRemapped = (from.state(slot) & REMAPPED) !== 0;
      const visiblePort = isRemapped ? ports & 0xffff : undefined;
      // 0.1.0 noted a server's own port only where it differs from the visible one.
      const ownPort = (isRemapped ? from.value(slot, OWN_PORT_AT) : ports) & 0xffff;
      const isn = from.value(slot, ISN_AT);
      const opened = connectionRequests.adopt(cpe, ports >>> 16, ownPort, visiblePort, owner, tag, isn);
      if (opened >= 0) connectionRequests.mark(opened, seenIn(from, slot));
      return opened;
    });
  }

  activations(from: TtlTable): number {
    const { activatedCpes } = this.state;
    return this.each(from, (slot, cpe) => {
      const phase = from.state(slot);
      const opened = activatedCpes.arm(cpe, phase >>> OWNER_SHIFT);
      if (opened < 0 || phase & Phase.Armed) return opened;
      const ports = from.value(slot, 0);
      activatedCpes.consume(opened, ports >>> 16, ports & 0xffff);
      if (phase & Phase.Grace) activatedCpes.finished(opened, Grace.Short);
      return opened;
    });
  }

  reports(from: TtlTable): number {
    const { reportConnections } = this.state;
    return this.each(from, (slot, cpe, ports) => {
      const owner = from.state(slot) >>> OWNER_SHIFT;
      const opened = reportConnections.open(cpe, ports >>> 16, ports & 0xffff, owner, from.value(slot, ISN_AT));
      if (opened >= 0) reportConnections.mark(opened, seenIn(from, slot));
      return opened;
    });
  }

  /** @param adopt returns the new entry's slot, or -1 @param ports the key word behind the address */
  private each(from: TtlTable, adopt: (slot: number, cpe: Int32Array, ports: number) => number): number {
    const words = ADDRESS_WORDS[this.state.family];
    const cpe = new Int32Array(words);
    let adopted = 0;
    for (let slot = 0; slot < from.slotCount; slot++) {
      if (!from.isLive(slot)) continue;
      for (let word = 0; word < words; word++) cpe[word] = from.keyWord(slot, word);
      if (adopt(slot, cpe, from.keyWord(slot, words)) >= 0) adopted++;
    }
    return adopted;
  }
}

function seenIn(from: TtlTable, slot: number): Seen {
  return from.state(slot) & SEEN_MASK;
}

function livesBy(life: (bits: number) => number): Int32Array {
  return Int32Array.from({ length: 64 }, (_, bits) => life(bits));
}

/** ms; an entry closed by a RST is not worth keeping. */
function activationLife(bits: number, { lives }: FamilyState): number {
  if (bits & Phase.Armed) return lives.activations.armedMs;
  if (bits & Phase.Reset) return -1;
  return bits & Phase.Grace ? lives.activations.graceMs : lives.reports.establishedMs;
}

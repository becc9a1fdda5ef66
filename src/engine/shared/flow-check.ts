/**
 * Whether the maps by which the kernel carries diverted connections agree with the report table. The worker changes both
 * meanwhile, so only what stands out in two looks counts. docs/decisions/fast-path.md
 */
import { type Family } from '../../packet/address';
import { type FamilyState } from '../../splitter/memory/family-state';
import { type Splitter } from '../../splitter/splitter';
import { Seen } from '../../tables/connection-row';
import { type ConnectionTable } from '../../tables/connection-table';
import { FLOW_BYTES, FlowState, FlowWord, NUMBERS_AT } from './flow-value';
import { MirroredTable } from './mirrored-table';

/** Entries of both families. */
export interface FlowCheck {
  /** In the report table, and in the maps. */
  table: number;
  flows: number;
  /** Of `flows`: the kernel has them, or will with the CPE's next packet. */
  carried: number;
  /** In the table alone: the kernel would send their packets to the ITMS. */
  missing: number;
  /** In the maps alone: their packets go to the engine, which knows nothing of them. */
  leftOver: number;
  /** In both, but not the same connection, or not with the same owner of its numbers. */
  differing: number;
}

/** Keys and values of a family's map, one after the other. */
export type ReadFlows = (family: Family) => Uint8Array;

type Fault = 'missing' | 'leftOver' | 'differing';

const [OF_ENGINE, GONE]: number[] = [FlowState.OfEngine, FlowState.Gone];
const CARRYING: readonly number[] = [FlowState.Offered, FlowState.Carried];
/** Between the looks: longer than a batch takes, and the step in which quiet connections are given back. */
const PAUSE_MS = 300;

/** Entries between two turns of the event loop: some ms. A million at once would hold it for seconds. */
const ENTRIES_PER_TURN = 4096;

/** @param read called once a family and look */
export async function checkFlows(look: () => Splitter, read: ReadFlows, pauseMs = PAUSE_MS): Promise<FlowCheck> {
  const first = await lookOnce(look(), read);
  if (first.faults.size === 0) return first.check;
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
  const { check, faults } = await lookOnce(look(), read);
  for (const [key, fault] of faults) if (first.faults.get(key) !== fault) check[fault]--;
  return check;
}

/** One look, and the faults by connection. */
async function lookOnce(
  { state }: Splitter,
  read: ReadFlows,
): Promise<{ check: FlowCheck; faults: Map<string, Fault> }> {
  const check: FlowCheck = { table: 0, flows: 0, carried: 0, missing: 0, leftOver: 0, differing: 0 };
  const faults = new Map<string, Fault>();
  for (const of of state.families) await lookAt(of, read(of.family), check, faults);
  for (const fault of faults.values()) check[fault]++;
  return { check, faults };
}

/** @param all keys and values of the family's map */
async function lookAt(of: FamilyState, all: Uint8Array, check: FlowCheck, faults: Map<string, Fault>): Promise<void> {
  const { table } = of.reportConnections;
  const one = new MirroredTable(-1, of.family === 'ipv4' ? 1 : 4);
  one.follow(of);
  const name = (key: Uint8Array) => `${of.family} ${Buffer.from(key).toString('hex')}`;
  const isFound = new Uint8Array(table.slotCount);
  /** Without a live row. */
  const unknown = new Map<string, Int32Array>();
  const compare = (slot: number, key: Uint8Array, words: Int32Array): void => {
    isFound[slot] = 1;
    if (!isAlike(of.reportConnections, slot, words)) faults.set(name(key), 'differing');
  };
  for (const [key, words] of entriesOf(all, one.key.length)) {
    if (++check.flows % ENTRIES_PER_TURN === 0) await turn();
    if (CARRYING.includes(words[FlowWord.State])) check.carried++;
    const slot = one.find(key);
    if (slot >= 0) compare(slot, key, words);
    else unknown.set(name(key), words.slice());
  }
  for (let slot = 0; slot < table.slotCount; slot++) {
    if (slot % ENTRIES_PER_TURN === 0) await turn();
    if (table.state(slot) === 0) continue;
    check.table++;
    if (isFound[slot] !== 0) continue;
    one.setKey(slot);
    const key = name(one.key);
    const words = unknown.get(key);
    // Its life is over, and no sweep has come by.
    if (words) compare(slot, one.key, words);
    else faults.set(key, 'missing');
    unknown.delete(key);
  }
  for (const [key, words] of unknown) if (!isGone(words)) faults.set(key, 'leftOver');
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Each entry's key and numbers, the latter in one place of memory that the next entry overwrites. */
function* entriesOf(all: Uint8Array, keyBytes: number): Generator<[key: Uint8Array, words: Int32Array]> {
  const numbers = new Uint8Array(FLOW_BYTES - NUMBERS_AT);
  const words = new Int32Array(numbers.buffer);
  for (let at = 0; at < all.length; at += keyBytes + FLOW_BYTES) {
    numbers.set(all.subarray(at + keyBytes + NUMBERS_AT, at + keyBytes + FLOW_BYTES));
    yield [all.subarray(at, at + keyBytes), words];
  }
}

/** The same connection, and table and map agree who has its numbers. */
function isAlike(entries: ConnectionTable, slot: number, words: Int32Array): boolean {
  if (isGone(words)) return true;
  const isOfEngine = words[FlowWord.State] === OF_ENGINE;
  return words[FlowWord.Isn] === entries.isn(slot) && entries.has(slot, Seen.Carried) !== isOfEngine;
}

/** The kernel alone has given its CPE to the ITMS; the table learns of it. */
function isGone(words: Int32Array): boolean {
  return words[FlowWord.State] === GONE;
}

/**
 * Runs frames through the BPF program in the kernel (bpf_prog_test_run), inside the namespace that it is started in: its
 * routes and addresses count. Nothing is attached and nothing is sent. Options as JSON in the first argument; one line
 * of JSON tells what became of each frame.
 */
import { readFileSync } from 'node:fs';
import { boottimeMs } from '../../../src/engine/shared/binding';
import { parseAddress } from '../../../src/packet/address';
import { loadFastPathAddon, OBJECT_FILE } from '../../../src/steering/fast-path/addon';
import { watchCpe } from '../../../src/steering/fast-path/configure';
import {
  CARRY_REASONS,
  configurationEntries,
  Control,
  interfaceEntry,
  type MapName,
  rolesOf,
  word,
} from '../../../src/steering/fast-path/layout';
import { FLOW_BYTES } from '../../../src/engine/shared/flow-value';
import { RING_BYTES } from '../../../src/engine/worker/overheard';
import { RingReader } from '../../../src/engine/worker/ring-reader';
import { type Topology } from '../../../src/splitter/topology';

const WATCH_MS = 60_000;

export interface CarryOptions {
  topology: Topology;
  /** File with an array of CarryFrame. */
  frames: string;
  /** Entries of `flows4` and `flows6`: keys, and values where the engine does not have the connection, hex. */
  flows: (string | { key: string; value: string })[];
  /** CONTROL_ALIVE_UNTIL */
  aliveUntilMs?: number;
  /** CONTROL_CARRIED_MS */
  carriedMs?: number;
  /** No frame follows an earlier one: the program remembers no connection that opens. */
  areApart?: boolean;
}

export interface CarryFrame {
  link: string;
  /** Hex, with Ethernet header. */
  frame: string;
  /** This CPE is traced from just before the frame on. */
  watches?: string | undefined;
}

export interface Carried {
  verdict: number;
  reason: string;
  frame: string;
  /** Of the flows, in their order, after this frame; hex. */
  flows: string[];
  /** What was copied for the engine, hex. */
  copies: string[];
}

function run({ topology, frames, flows, aliveUntilMs, carriedMs, areApart }: CarryOptions): Carried[] {
  const addon = loadFastPathAddon();
  const { program, maps } = addon.load(readFileSync(OBJECT_FILE), '', {
    ...{ flows4: 64, flows6: 64 },
    ...(areApart === true && { openings: 1 }),
  });
  const links = addon.links();
  const entries = configurationEntries(topology, 1);
  for (const name of Object.keys(entries) as Exclude<MapName, 'interfaces'>[]) {
    for (const { key, value } of entries[name]) addon.updateMap(maps[name]!, key, value);
  }
  for (const [{ index }, role] of rolesOf(topology, links)) {
    const { key, value } = interfaceEntry(1, index, role);
    addon.updateMap(maps.interfaces!, key, value);
  }
  const ring = new RingReader(addon.mapRing(maps.overheard!, RING_BYTES), RING_BYTES);
  const known = flows.map((flow) => {
    const { key: name, value } = typeof flow === 'string' ? { key: flow, value: '' } : flow;
    const key = Uint8Array.from(Buffer.from(name, 'hex'));
    const bytes = value === '' ? new Uint8Array(FLOW_BYTES) : Uint8Array.from(Buffer.from(value, 'hex'));
    const fd = key.length === 8 ? maps.flows4! : maps.flows6!;
    addon.updateMap(fd, key, bytes, true);
    return { fd, key };
  });
  if (aliveUntilMs !== undefined) addon.updateMap(maps.control!, word(Control.AliveUntil), word(aliveUntilMs));
  if (carriedMs !== undefined) addon.updateMap(maps.control!, word(Control.CarriedMs), word(carriedMs));
  addon.updateMap(maps.control!, word(Control.Slot), word(1));
  addon.updateMap(maps.control!, word(Control.Open), word(1));
  const count = () => addon.readCounters(maps.counters!, CARRY_REASONS.length);
  return (JSON.parse(readFileSync(frames, 'utf8')) as CarryFrame[]).map(({ link, frame, watches }) => {
    if (watches !== undefined) watchCpe(addon, maps, parseAddress(watches)!, boottimeMs() + WATCH_MS);
    const before = count();
    const index = links.find(({ name }) => name === link)!.index;
    const ran = addon.runOnce(program, Uint8Array.from(Buffer.from(frame, 'hex')), index);
    const after = count();
    const reason = CARRY_REASONS.filter((_, i) => after[i]! > before[i]!).join();
    const values = known.map(({ fd, key }) => {
      const value = new Uint8Array(FLOW_BYTES);
      return addon.readMap(fd, key, value, true) ? Buffer.from(value).toString('hex') : '';
    });
    const copies: string[] = [];
    ring.read((bytes) => copies.push(Buffer.from(bytes).toString('hex')));
    return { verdict: ran.verdict, reason, frame: Buffer.from(ran.frame).toString('hex'), flows: values, copies };
  });
}

process.stdout.write(`${JSON.stringify(run(JSON.parse(process.argv[2]!) as CarryOptions))}\n`);

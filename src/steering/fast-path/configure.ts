/** Fills the maps that tell the program what to carry, and which CPEs are traced. */
import { type Address, familyOf } from '../../packet/address';
import { type Topology } from '../../splitter/topology';
import { type FastPathAddon, type LoadedProgram } from './addon';
import {
  addressBytes,
  configurationEntries,
  Control,
  type Entry,
  interfaceEntry,
  type MapName,
  rolesOf,
  slotOf,
  word,
} from './layout';

type Maps = LoadedProgram['maps'];

/** Sizes of the keys and values of the maps with a slot in the key. */
const SLOT_MAPS: Readonly<Record<MapName, { keyBytes: number; valueBytes: number }>> = {
  configurations: { keyBytes: 4, valueBytes: 40 },
  interfaces: { keyBytes: 8, valueBytes: 4 },
  networks4: { keyBytes: 12, valueBytes: 4 },
  networks6: { keyBytes: 24, valueBytes: 4 },
  ports: { keyBytes: 4, valueBytes: 4 },
};
/** Beyond what the program itself may add meanwhile. */
const EPOCH_STEP = 1 << 16;

/** Fills the slot that is not in force, then puts it in force. */
export function configure(addon: FastPathAddon, maps: Maps, topology: Topology): void {
  const inForce = word(0);
  addon.readMap(maps.control, word(Control.Slot), inForce);
  const slot = inForce.some((byte) => byte !== 0) ? 0 : 1;
  const interfaces = [...rolesOf(topology, addon.links())].map(([{ index }, role]) =>
    interfaceEntry(slot, index, role),
  );
  const entries: Record<MapName, Entry[]> = { ...configurationEntries(topology, slot), interfaces };
  for (const name of Object.keys(entries) as MapName[]) {
    if (name !== 'configurations') clear(addon, maps, name, slot);
    for (const { key, value } of entries[name]) addon.updateMap(maps[name], key, value);
  }
  addon.updateMap(maps.control, word(Control.Slot), word(slot));
}

function clear(addon: FastPathAddon, maps: Maps, name: MapName, slot: number): void {
  const fd = maps[name];
  const { keyBytes, valueBytes } = SLOT_MAPS[name];
  const entries = addon.readMapEntries(fd);
  for (let at = 0; at < entries.length; at += keyBytes + valueBytes) {
    const key = entries.slice(at, at + keyBytes);
    if (slotOf(name, key) === slot) addon.deleteFromMap(fd, key);
  }
}

/** From now on, packets of this CPE are passed to the engine. @param untilMs CLOCK_BOOTTIME */
export function watchCpe(addon: FastPathAddon, maps: Maps, cpe: Address, untilMs: number): void {
  const until = BigInt(Math.round(untilMs * 1e6));
  const fd = maps[familyOf(cpe) === 'ipv4' ? 'watched4' : 'watched6'];
  addon.updateMap(fd, addressBytes(cpe), new Uint8Array(BigUint64Array.of(until).buffer));
  doubtKept(addon, maps);
}

/** What the program has kept of packets is void, such as that nobody watches the CPE. It adds 1 to the same cell. */
function doubtKept(addon: FastPathAddon, maps: Maps): void {
  const epoch = new Uint32Array(1);
  addon.readMap(maps.control, word(Control.ForeignEpoch), new Uint8Array(epoch.buffer));
  epoch[0] += EPOCH_STEP;
  addon.updateMap(maps.control, word(Control.ForeignEpoch), new Uint8Array(epoch.buffer));
}

/**
 * Loads the BPF program, attaches it and keeps it attached. It stays attached when the engine stops or dies, so that
 * running connections do not stall; a new engine takes over its maps by their pins. docs/decisions/fast-path.md
 */
import { closeSync, readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Address, type Family } from '../../packet/address';
import { type Topology } from '../../splitter/topology';
import {
  type FastPathAddon,
  type HostLink,
  loadFastPathAddon,
  type LoadedProgram,
  OBJECT_FILE,
  type SystemError,
} from './addon';
import { ObstacleWatch } from './obstacle-watch';
import { findObstacle } from './obstacles';
import { configure, watchCpe } from './configure';
import { CARRY_REASONS, type CarryReason, Control, rolesOf, word } from './layout';
import {
  allowFastPath,
  handleOf,
  isOurs,
  isRemembered,
  mountPins,
  pinDirectory,
  pinsIn,
  PRIORITY,
  recall,
  remember,
} from './place';
import { probe } from './probe';
import { detachEverywhere } from './remove';

/** A mirror must never be full before the table is: see the room beyond capacity in ttl-table.ts. */
const SPARE_FLOWS = 64;
/** What the engine asks of it: src/engine/shared/fast-path.ts. */
export class FastPath {
  readonly outcomes = CARRY_REASONS;
  private loaded: LoadedProgram | undefined;
  private topology: Topology | undefined;
  private readonly attached = new Map<number, string>();
  /** Interfaces that had no clsact qdisc before. */
  private readonly clsact = new Set<number>();
  /** By us or by a predecessor. */
  private mayBeAttached = true;
  /** Why it does not carry, or not everywhere. */
  private reason: string | undefined = 'not started';
  private obstacles: ObstacleWatch | undefined;

  constructor(
    private readonly instance: string,
    private readonly stateDirectory: string,
    private readonly addonOf: () => FastPathAddon = loadFastPathAddon,
  ) {}

  /**
   * Loads the program, with the maps that a dead engine has left. @throws Error whose message says why not, and then
   * nothing is attached
   */
  open(capacityEntries: number): Pick<LoadedProgram['maps'], 'control' | 'flows4' | 'flows6' | 'overheard'> {
    try {
      const addon = this.addonOf();
      probe(addon);
      this.obstacles = new ObstacleWatch(addon);
      const loaded = this.load(addon, capacityEntries + SPARE_FLOWS);
      this.loaded = loaded;
      this.reason = 'not attached yet';
      const { control, flows4, flows6, overheard } = loaded.maps;
      return { control, flows4, flows6, overheard };
    } catch (error) {
      this.remove();
      this.reason = explain(error as SystemError);
      throw new Error(this.reason, { cause: error });
    }
  }

  /** What keeps it from carrying by this topology, on this host, now. */
  async obstacle(topology: Topology): Promise<string | undefined> {
    return findObstacle(topology, this.addonOf().links());
  }

  /**
   * Carries by this topology from now on. The mirror of the report table is complete.
   *
   * @returns as `look`
   */
  async carry(topology: Topology): Promise<string | undefined> {
    this.topology = topology;
    this.obstacles?.forget();
    allowFastPath(this.stateDirectory);
    if (this.loaded !== undefined && this.attached.size > 0) configure(this.addonOf(), this.loaded.maps, topology);
    return this.look();
  }

  /**
   * Attaches where an interface is new, or the filter is gone; detaches while an obstacle stands. Call it every second,
   * and not while it runs.
   *
   * @returns why it does not carry, or not everywhere
   * @throws Error
   */
  async look(): Promise<string | undefined> {
    const { topology } = this;
    if (this.loaded === undefined || topology === undefined) return this.reason;
    const links = this.addonOf().links();
    const obstacle = await this.obstacles?.look(topology, links);
    // Closed meanwhile.
    if (this.loaded === undefined) return this.reason;
    if (!isRemembered(this.stateDirectory)) {
      this.reason = 'removed with the rules';
      this.attached.clear();
      this.clsact.clear();
    } else if (obstacle !== undefined) {
      this.reason = obstacle;
      this.detach();
    } else {
      this.reason = this.attachWhereMissing(this.loaded, topology, links);
    }
    return this.reason;
  }

  /** Packets of this CPE are passed to the engine for some seconds from now. @param nowMs CLOCK_BOOTTIME */
  watch(cpe: Address, nowMs: number, forMs: number): void {
    if (this.loaded === undefined) return;
    watchCpe(this.addonOf(), this.loaded.maps, cpe, nowMs + forMs);
  }

  /** The engine is alive until `untilMs`, CLOCK_BOOTTIME, unless it says so again; 0: for ever. */
  beat(untilMs: number): void {
    if (this.loaded === undefined) return;
    // 0 has a meaning of its own.
    const value = untilMs === 0 ? 0 : Math.floor(untilMs) % 2 ** 32 || 1;
    this.addonOf().updateMap(this.loaded.maps.control, word(Control.AliveUntil), word(value));
  }

  status() {
    const { loaded, reason = null } = this;
    if (loaded === undefined) return { loaded: false, carries: false, interfaces: [], reason, packets: {} };
    const addon = this.addonOf();
    const isOpen = word(0);
    addon.readMap(loaded.maps.control, word(Control.Open), isOpen);
    const isMirrored = isOpen.some((byte) => byte !== 0);
    const sums = addon.readCounters(loaded.maps.counters, CARRY_REASONS.length);
    const occurred = CARRY_REASONS.map((name, i) => [name, sums[i]] as const).filter(([, sum]) => sum > 0);
    return {
      loaded: true,
      carries: this.attached.size > 0 && isMirrored,
      interfaces: [...this.attached.values()],
      reason: isMirrored ? reason : 'the report table is not mirrored',
      packets: Object.fromEntries(occurred) as Partial<Record<CarryReason, number>>,
    };
  }

  /** Keys and values of the diverted connections by which it carries; undefined: not loaded. */
  flows(family: Family): Uint8Array | undefined {
    const { loaded } = this;
    return loaded && this.addonOf().readMapEntries(loaded.maps[family === 'ipv4' ? 'flows4' : 'flows6']);
  }

  /** Closes the descriptors. What is attached stays. */
  close(): void {
    const { loaded } = this;
    this.loaded = undefined;
    this.obstacles?.close();
    this.obstacles = undefined;
    if (loaded !== undefined) for (const fd of [loaded.program, ...Object.values(loaded.maps)]) closeSync(fd);
  }

  /** Takes away what an engine of this instance has left. Does nothing on a host that could not have loaded it. */
  remove(): void {
    this.close();
    this.attached.clear();
    let addon: FastPathAddon;
    try {
      addon = this.addonOf();
    } catch {
      return;
    }
    detachEverywhere(addon, this.instance, this.stateDirectory);
  }

  private load(addon: FastPathAddon, flows: number): LoadedProgram {
    const object = readFileSync(OBJECT_FILE);
    const sizes = { flows4: flows, flows6: flows };
    const pins = mountPins(addon, this.instance, this.stateDirectory);
    const isSuccessor = pins !== '' && pinsIn(pins).length > 0;
    if (isSuccessor) {
      try {
        for (const index of recall(this.stateDirectory)?.clsact ?? []) this.clsact.add(index);
        return addon.load(object, pins, sizes);
      } catch (error) {
        // Its maps have another shape, or were half made.
        if (!['EINVAL', 'EEXIST'].includes((error as SystemError).code)) throw error;
        pinsIn(pins).forEach((path) => unlinkSync(path));
      }
    }
    // Fresh maps: an older program would carry by its own, which nobody keeps up to date.
    detachEverywhere(addon, this.instance, this.stateDirectory, true);
    return addon.load(object, pins, sizes);
  }

  private attachWhereMissing(loaded: LoadedProgram, topology: Topology, links: HostLink[]): string | undefined {
    const wanted = [...rolesOf(topology, links).keys()];
    const isAttached = wanted.every(({ index, name }) => this.attached.get(index) === name && this.isOn(index));
    if (wanted.length === 0) return 'none of its interfaces is here';
    if (isAttached && wanted.length === this.attached.size) return undefined;
    configure(this.addonOf(), loaded.maps, topology);
    return this.attach(loaded, wanted);
  }

  /** @returns why it could not be attached in some place */
  private attach(loaded: LoadedProgram, wanted: readonly HostLink[]): string | undefined {
    const addon = this.addonOf();
    let failure: string | undefined;
    this.mayBeAttached = true;
    this.detachFrom([...this.attached.keys()].filter((index) => !wanted.some((link) => link.index === index)));
    this.attached.clear();
    this.pinMaps(addon, loaded);
    for (const { index, name } of wanted) {
      try {
        if (this.attachTo(addon, loaded, index, name)) this.clsact.add(index);
        this.attached.set(index, name);
      } catch (error) {
        failure ??= (error as Error).message;
      }
    }
    if (failure === undefined) this.pinProgram(addon, loaded);
    remember(this.stateDirectory, { programId: loaded.programId, clsact: [...this.clsact] });
    return failure;
  }

  /** True when the interface had no clsact qdisc before. */
  private attachTo(addon: FastPathAddon, { program, programId }: LoadedProgram, index: number, name: string): boolean {
    const handle = handleOf(this.instance);
    const taken = new Error(`${name} has another program's filter at priority ${PRIORITY}, handle ${handle}`);
    const found = addon.queryFilter(index, handle, PRIORITY);
    if (found === programId) return false;
    if (found !== 0 && !isOurs(addon, found, this.stateDirectory)) throw taken;
    const isNew = found === 0 && addon.makeClsact(index);
    try {
      addon.attachFilter(index, handle, PRIORITY, program, found !== 0);
    } catch (error) {
      // Classic BPF has no program's id.
      throw (error as SystemError).code === 'EEXIST' ? taken : error;
    }
    return isNew;
  }

  /** An interface that has another name now. */
  private detachFrom(indexes: readonly number[]): void {
    for (const index of indexes) {
      if (this.isOn(index)) this.addonOf().detachFilter(index, handleOf(this.instance), PRIORITY);
    }
  }

  /** Filters, not maps: it will carry again. */
  private detach(): void {
    if (!this.mayBeAttached) return;
    this.mayBeAttached = false;
    this.attached.clear();
    this.clsact.clear();
    detachEverywhere(this.addonOf(), this.instance, this.stateDirectory, true);
    allowFastPath(this.stateDirectory);
  }

  private isOn(index: number): boolean {
    return this.addonOf().queryFilter(index, handleOf(this.instance), PRIORITY) === this.loaded?.programId;
  }

  /** Maps are pinned when they are loaded, but `rules remove` takes the pins away. */
  private pinMaps(addon: FastPathAddon, { maps }: LoadedProgram): void {
    const directory = mountPins(addon, this.instance, this.stateDirectory);
    if (directory === '') return;
    const before = pinsIn(directory);
    for (const [name, fd] of Object.entries(maps)) {
      if (!before.includes(join(directory, name))) addon.pin(fd, join(directory, name));
    }
  }

  /** Only once it has taken the place of the one before, which is known by its pin. */
  private pinProgram(addon: FastPathAddon, { program, programId }: LoadedProgram): void {
    const directory = pinDirectory(this.stateDirectory);
    const path = join(directory, 'program');
    if (!addon.isBpffs(directory) || addon.pinnedProgramId(path) === programId) return;
    if (addon.pinnedProgramId(path) !== 0) unlinkSync(path);
    addon.pin(program, path);
  }
}

/** One line that says why the kernel will not carry. */
function explain({ code, message, log }: SystemError): string {
  const last = log?.trim().split('\n').at(-1);
  if (code === 'EPERM') return 'no right to load BPF programs (CAP_BPF and CAP_NET_ADMIN, and no user namespace)';
  return last === undefined ? message : `${message} (${last})`;
}

/** Where an instance's filters stand, and what it remembers of them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FastPathAddon } from './addon';

/** One priority for all instances: tc keeps the filters of one kind and priority together, and ours apart by handle. */
export const PRIORITY = 0xac5;
/** The program's name in the kernel, which keeps 15 characters. */
const PROGRAM_NAME = 'acsplit_carry';
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Handle of an instance's filters: FNV-1a of its name. Never 0. */
export function handleOf(instance: string): number {
  let hash = FNV_OFFSET;
  for (const byte of Buffer.from(instance)) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return hash >>> 0 || 1;
}

/** A bpffs of our own, so that a new engine finds the maps of a dead one. */
export function pinDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'fast-path');
}

/**
 * Makes it. Answers '' where it cannot be mounted, without CAP_SYS_ADMIN: then a new engine starts with fresh maps.
 */
export function mountPins(addon: FastPathAddon, instance: string, stateDirectory: string): string {
  const directory = pinDirectory(stateDirectory);
  // As the engine makes it: other users may pass through to the control socket.
  mkdirSync(stateDirectory, { recursive: true, mode: 0o711 });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (addon.isBpffs(directory)) return directory;
  try {
    addon.mountBpffs(directory, `acsplit@${instance}`);
    return directory;
  } catch {
    return '';
  }
}

/** What an engine pins there: the program's maps, and the program. The kernel has files of its own in a bpffs. */
const PINS: ReadonlySet<string> = new Set([
  ...['configurations', 'control', 'counters', 'flows4', 'flows6', 'foreign4', 'foreign6', 'interfaces'],
  ...['networks4', 'networks6', 'openings', 'overheard', 'ports', 'program', 'watched4', 'watched6', 'ways4'],
]);

/** Paths of what is pinned in a folder. */
export function pinsIn(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => PINS.has(name))
    .map((name) => join(directory, name));
}

/** What an instance remembers beside its pins. Program and interface ids are of one boot. */
export interface Memory {
  boot: string;
  programId: number;
  /** Indexes of interfaces that had no clsact qdisc before. */
  clsact: number[];
}

const file = (stateDirectory: string) => join(stateDirectory, 'fast-path.json');

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Undefined when nothing is remembered, or it is of another boot. */
export function recall(stateDirectory: string): Memory | undefined {
  try {
    const memory = JSON.parse(readFileSync(file(stateDirectory), 'utf8')) as Memory;
    return memory.boot === bootId() ? memory : undefined;
  } catch {
    return undefined;
  }
}

export function remember(stateDirectory: string, memory: Omit<Memory, 'boot'>): void {
  writeFileSync(file(stateDirectory), JSON.stringify({ boot: bootId(), ...memory }), { mode: 0o600 });
}

/** `rules remove` has it forgotten, and an engine that runs then attaches nothing until this allows it. */
export function allowFastPath(stateDirectory: string): void {
  if (recall(stateDirectory) === undefined) remember(stateDirectory, { programId: 0, clsact: [] });
}

/** Also of another boot, or of what a container calls one: its programs may still be attached. */
export function isRemembered(stateDirectory: string): boolean {
  return existsSync(file(stateDirectory));
}

export function forget(stateDirectory: string): void {
  rmSync(file(stateDirectory), { force: true });
}

/** Whether a program is one that an engine has attached. */
export function isOurs(addon: FastPathAddon, programId: number, stateDirectory: string | undefined): boolean {
  if (stateDirectory !== undefined) {
    if (recall(stateDirectory)?.programId === programId) return true;
    if (addon.pinnedProgramId(join(pinDirectory(stateDirectory), 'program')) === programId) return true;
  }
  return addon.programName(programId) === PROGRAM_NAME;
}

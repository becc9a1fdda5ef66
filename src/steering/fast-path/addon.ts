/** fast_path.node in TypeScript, loaded on first use. It alone needs libbpf, so a host without it still runs the engine. */
import { existsSync } from 'node:fs';
import * as path from 'node:path';

/** A system error of the addon, in Node's form. */
export interface SystemError extends Error {
  code: string;
  syscall: string;
  /** The last words of libbpf or the verifier. */
  log?: string;
}

export interface LoadedProgram {
  program: number;
  programId: number;
  /** Descriptors by name. */
  maps: Record<string, number>;
}

export interface HostLink {
  name: string;
  index: number;
  isEthernet: boolean;
}

/** Each function throws SystemError. */
export interface FastPathAddon {
  /** @param pins a folder of a bpffs, whose maps are reused, or '' @param sizes entries by map */
  load(object: Uint8Array, pins: string, sizes: Record<string, number>): LoadedProgram;
  pin(fd: number, path: string): void;
  /** 0: none. */
  pinnedProgramId(path: string): number;
  /** '' when there is none, or this process may not ask. */
  programName(id: number): string;
  /** Sums over all CPUs. */
  readCounters(fd: number, count: number): number[];
  runOnce(program: number, frame: Uint8Array, ifindex: number): { verdict: number; frame: Uint8Array };
  /** True when the interface had none. */
  makeClsact(ifindex: number): boolean;
  removeClsact(ifindex: number): void;
  countFilters(ifindex: number): number;
  /** Id of its program; 0: no filter there. */
  queryFilter(ifindex: number, handle: number, priority: number): number;
  attachFilter(ifindex: number, handle: number, priority: number, program: number, replaces: boolean): void;
  detachFilter(ifindex: number, handle: number, priority: number): void;
  mountBpffs(directory: string, name: string): void;
  unmountBpffs(directory: string): void;
  isBpffs(directory: string): boolean;
  links(): HostLink[];
  /** A descriptor that hears of changes to links, routes and rules. */
  openMonitor(): number;
  /** Whether it has heard of one since the last call. */
  drainMonitor(fd: number): boolean;
  /** `isLocked`: the value has a lock that the program takes. */
  updateMap(fd: number, key: Uint8Array, value: Uint8Array, isLocked?: boolean): void;
  /** False: it was not there. */
  deleteFromMap(fd: number, key: Uint8Array): boolean;
  /** Fills `value`; false: there is no such entry. */
  readMap(fd: number, key: Uint8Array, value: Uint8Array, isLocked?: boolean): boolean;
  /** A BPF ring buffer of that size: src/engine/worker/ring-reader.ts */
  mapRing(fd: number, bytes: number): { consumer: ArrayBuffer; producer: ArrayBuffer };
  /** Keys and values, one after the other. */
  readMapEntries(fd: number): Uint8Array;
}

const ROOT = path.join(__dirname, '..', '..', '..');
export const OBJECT_FILE = path.join(ROOT, 'native', 'fast-path', 'carry.bpf.o');
export const PROBE_FILE = path.join(ROOT, 'native', 'fast-path', 'probe.bpf.o');
const ADDON_FILE = path.join(ROOT, 'build', 'Release', 'fast_path.node');

/** A package brings no sources of ours to build. */
const REMEDY = existsSync(path.join(ROOT, 'src'))
  ? 'install libbpf-dev, then run npm run build'
  : 'install libbpf1, then acsplit again';

/** @throws Error, one line, when it was built without libbpf or does not load */
export function loadFastPathAddon(file = ADDON_FILE): FastPathAddon {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- a native module can only be required
    return require(file) as FastPathAddon;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'MODULE_NOT_FOUND' ? 'built without libbpf' : message.split('\n', 1)[0];
    throw new Error(`its addon is not there (${why}): ${REMEDY}`, { cause: error });
  }
}

/** The history's files: of each day (UTC) at most three, which are deleted together. */
import { readdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Segments; rows that are in no segment yet; events. */
export const SUFFIXES = ['sessions', 'recent', 'events'] as const;
export type Suffix = (typeof SUFFIXES)[number];

export const DAY_MS = 24 * 3600 * 1000;

/** `2026-11-30`. */
export function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}

/** When a day begins. */
export function beginningOf(day: string): number {
  return Date.parse(`${day}T00:00:00Z`);
}

export function pathOf(directory: string, day: string, suffix: Suffix): string {
  return join(directory, `${day}.${suffix}`);
}

/** Days that have files, the oldest first, with their bytes. @throws SystemError when the directory cannot be read */
export function listDays(directory: string): { day: string; bytes: number }[] {
  const bytes = new Map<string, number>();
  for (const name of readdirSync(directory)) {
    const match = /^(\d{4}-\d\d-\d\d)\.(\w+)$/.exec(name);
    if (!match || !(SUFFIXES as readonly string[]).includes(match[2])) continue;
    const size = statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
    bytes.set(match[1], (bytes.get(match[1]) ?? 0) + size);
  }
  return [...bytes].map(([day, size]) => ({ day, bytes: size })).sort((one, other) => (one.day < other.day ? -1 : 1));
}

export function deleteDay(directory: string, day: string): void {
  for (const suffix of SUFFIXES) {
    try {
      unlinkSync(pathOf(directory, day, suffix));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

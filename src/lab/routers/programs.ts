/** The programs of other packages that a router runs. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export const PROGRAMS = ['keepalived', 'redis-server'] as const;
export type Program = (typeof PROGRAMS)[number];

/** sbin is not in everybody's PATH. */
function everywhere(): string[] {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
}

/** Its path, or its name where it is nowhere. */
export function pathOf(program: Program): string {
  return find(program, everywhere()) ?? program;
}

/** Those that are nowhere. They are named as Debian's packages. */
export function missingPrograms(directories: readonly string[] = everywhere()): Program[] {
  return PROGRAMS.filter((program) => find(program, directories) === undefined);
}

function find(program: Program, directories: readonly string[]): string | undefined {
  return directories.map((directory) => join(directory, program)).find((path) => existsSync(path));
}

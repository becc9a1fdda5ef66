/** Either back end of iptables behind the plain names, as a distribution's alternatives would have it. */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type BackEnd = 'nft' | 'legacy';
export const BACK_ENDS: BackEnd[] = ['nft', 'legacy'];

/** Creates and fills a directory that goes first in PATH. */
export function linkBackEnd(directory: string, backEnd: BackEnd): void {
  mkdirSync(directory);
  for (const name of ['iptables', 'ip6tables']) {
    for (const verb of ['', '-save', '-restore']) {
      symlinkSync(systemProgram(`${name}-${backEnd}${verb}`), join(directory, `${name}${verb}`));
    }
  }
}

/** A program of the system, in sbin too, which is not in everybody's PATH. */
export function systemProgram(name: string): string {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const found = directories.map((directory) => join(directory, name)).find((file) => existsSync(file));
  if (found === undefined) throw new Error(`${name} is not installed`);
  return found;
}

/** Live rules from iptables-save, without parts that may differ: counters, comments, empty tables. */
export function withoutEmptyTables(saved: string): string {
  const lines = saved
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.replace(/\[\d+:\d+\]/, ''));
  const tables = lines.join('\n').split(/^(?=\*)/m);
  const isEmpty = (table: string) => !/^-A|^:\S+ -|^:\S+ DROP/m.test(table);
  return tables.filter((table) => !isEmpty(table)).join('');
}

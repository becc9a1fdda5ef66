/** The commands that doctor prints, as they are typed on this host. */

import { type Configuration, DEFAULT_CONFIGURATION_FILE } from '../configuration/configuration';
import { type Host } from './host';

/** `acsplit WORDS`, with the configuration where it is not the default one. */
export function acsplit(words: string, { file }: Configuration): string {
  return file === DEFAULT_CONFIGURATION_FILE ? `acsplit ${words}` : `acsplit ${words} -c ${quoted(file)}`;
}

/** For what only the operator can know. */
export function edit({ file }: Configuration): string {
  return `editor ${quoted(file)}`;
}

/** Ends a process: by its service where systemd would start it again otherwise. */
export function stop(pid: number, host: Pick<Host, 'read'>): string {
  const service = serviceOf(pid, host);
  return service === undefined ? `kill ${pid}` : `systemctl stop ${service}`;
}

/** Ends a process that hears no other signal, and starts what it was anew: by its service, or with `start`. */
export function restart(pid: number, host: Pick<Host, 'read'>, start: string): string {
  const service = serviceOf(pid, host);
  return service === undefined ? `kill -KILL ${pid} && ${start}` : `systemctl restart ${service}`;
}

function serviceOf(pid: number, host: Pick<Host, 'read'>): string | undefined {
  return /^0::.*\/([\w@.\\-]+\.service)\s*$/m.exec(host.read(`/proc/${pid}/cgroup`) ?? '')?.[1];
}

/** A setting of /proc/sys/net; a dot in an interface's name is a slash to sysctl(8). */
export function sysctl(setting: string, value: number, interfaceName = ''): string {
  return `sysctl -w ${setting.replace('IF', interfaceName.replaceAll('.', '/'))}=${value}`;
}

/** One word of a shell, whatever is in it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

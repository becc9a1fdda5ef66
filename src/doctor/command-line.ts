/** The commands that doctor prints, ready to be typed on this host. */

import { type Configuration, DEFAULT_CONFIGURATION_FILE } from '../configuration/configuration';
import { quoted } from '../steering/iptables';
import { type Host } from './host';

/** `acsplit WORDS`, with -c unless the configuration is the default one. */
export function acsplit(words: string, { file }: Configuration): string {
  return file === DEFAULT_CONFIGURATION_FILE ? `acsplit ${words}` : `acsplit ${words} -c ${quoted(file)}`;
}

/** A message that prints such commands, with -c in each. Without it, another instance's rules would be changed. */
export function withFile(text: string, { file }: Pick<Configuration, 'file'>): string {
  if (file === DEFAULT_CONFIGURATION_FILE) return text;
  return text.replace(
    /\bacsplit (?:rules (?:install|remove|check)|doctor)\b/g,
    (words) => `${words} -c ${quoted(file)}`,
  );
}

/** For faults that only the operator can fix. */
export function edit({ file }: Pick<Configuration, 'file'>): string {
  return `editor ${quoted(file)}`;
}

/** Ends a process: through its service if it has one, because systemd would restart it. */
export function stop(pid: number, host: Pick<Host, 'read'>): string {
  const service = serviceOf(pid, host);
  return service === undefined ? `kill ${pid}` : `systemctl stop ${service}`;
}

/** Kills a process that ignores other signals and starts it again: through its service, or with `start`. */
export function restart(pid: number, host: Pick<Host, 'read'>, start: string): string {
  const service = serviceOf(pid, host);
  return service === undefined ? `kill -KILL ${pid} && ${start}` : `systemctl restart ${service}`;
}

/** Stops a process in order and starts it again: through its service, or with `start`. */
export function restartInOrder(pid: number, host: Pick<Host, 'read'>, start: string): string {
  const service = serviceOf(pid, host);
  return service === undefined
    ? `kill ${pid} && tail --pid=${pid} -f /dev/null && ${start}`
    : `systemctl restart ${service}`;
}

function serviceOf(pid: number, host: Pick<Host, 'read'>): string | undefined {
  return /^0::.*\/([\w@.\\-]+\.service)\s*$/m.exec(host.read(`/proc/${pid}/cgroup`) ?? '')?.[1];
}

/** Sets a value in /proc/sys/net. A dot in an interface's name is written as a slash. sysctl(8) */
export function sysctl(setting: string, value: number, interfaceName = ''): string {
  return `sysctl -w ${setting.replace('IF', interfaceName.replaceAll('.', '/'))}=${value}`;
}

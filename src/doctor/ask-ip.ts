/** `ip -j`, as doctor's checks read it. */

import { Failure } from '../configuration/errors';
import { type Host } from './host';

/** Runs `ip -j WORDS`. @throws Failure if `ip` is not installed */
export function askIp<Answer>(host: Host, words: readonly string[]): Answer | undefined {
  const { status, stdout, stderr, error } = host.run('ip', ['-j', ...words]);
  if (error) throw new Failure(`doctor: ip cannot be run (${error.message}); on Debian: apt-get install iproute2`);
  if (status !== 0) return undefined;
  try {
    return JSON.parse(stdout === '' ? '[]' : stdout) as Answer;
  } catch (cause) {
    throw new Failure(`doctor: ip ${words.join(' ')} printed no JSON (${stderr.trim()}); is iproute2 too old?`, {
      cause,
    });
  }
}

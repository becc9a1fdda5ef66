/**
 * Who may see what. The page's files, the status and the hour's rates tell no more than /metrics does, so they are open.
 * What names a CPE or a person needs a connection over loopback, or the token where one is configured.
 *
 * A name in a browser's address bar can be made to lead here (DNS rebinding), and then the attacker's page reads what ours
 * would. An IP address cannot: `Host` must be one, or a name that only this host has.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

/** What a proxy adds: the connection over loopback is then its own, and not the reader's. */
const OF_PROXIES = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

/** Whether the request is for this host by a name that nobody else can give it. */
export function isForUs({ headers: { host = '' } }: Pick<IncomingMessage, 'headers'>, own = hostname()): boolean {
  const [, ipv6, name] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(host) ?? [];
  if (ipv6 !== undefined) return isIP(ipv6) === 6;
  if (name === undefined) return false;
  const lower = name.toLowerCase();
  return isIP(name) === 4 || lower === 'localhost' || (own !== '' && lower === own.toLowerCase());
}

/** Whether another site's page sent it. Browsers tell; curl does not. */
export function isCrossSite({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  const site = headers['sec-fetch-site'];
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}

export interface Asker {
  headers: IncomingMessage['headers'];
  remoteAddress: string | undefined;
}

/**
 * Whether the request may see what names CPEs and people.
 * @param token undefined: none is configured, and only loopback may; null: it is configured and unreadable, and nobody may
 */
export function maySeeNames({ headers, remoteAddress = '' }: Asker, token: string | null | undefined): boolean {
  if (token === null) return false;
  if (token !== undefined) return isSame(/^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '', token);
  return isLoopback(remoteAddress) && !OF_PROXIES.some((name) => headers[name] !== undefined);
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

/** In a time that tells nothing of the token. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

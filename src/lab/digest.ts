/** HTTP digest authentication with MD5 and qop=auth, as TR-069 asks of Connection Requests. (RFC 2617 section 3) */
import { createHash, randomBytes } from 'node:crypto';

export interface Credentials {
  username: string;
  password: string;
}

const REALM = 'connection request';

/** A fresh WWW-Authenticate value, and the nonce in it. */
export function challenge(): { header: string; nonce: string } {
  const nonce = randomBytes(16).toString('hex');
  return { nonce, header: `Digest realm="${REALM}", qop="auth", nonce="${nonce}", algorithm=MD5` };
}

/** The Authorization value that answers a WWW-Authenticate value. */
export function authorize(challengeHeader: string, credentials: Credentials, method: string, uri: string): string {
  const { realm = '', nonce = '' } = fields(challengeHeader);
  const [nc, cnonce] = ['00000001', randomBytes(8).toString('hex')];
  const response = digest({ realm, nonce, nc, cnonce, uri }, credentials, method);
  return (
    `Digest username="${credentials.username}", realm="${realm}", nonce="${nonce}", uri="${uri}", ` +
    `qop=auth, nc=${nc}, cnonce="${cnonce}", response="${response}", algorithm=MD5`
  );
}

/** Whether an Authorization value proves the credentials for a nonce issued by the caller. */
export function isAuthorized(
  header: string | undefined,
  nonce: string,
  credentials: Credentials,
  method: string,
): boolean {
  if (header === undefined || !header.startsWith('Digest ')) return false;
  const given = fields(header);
  if (given.nonce !== nonce || given.username !== credentials.username || given.realm !== REALM) return false;
  const { nc = '', cnonce = '', uri = '' } = given;
  return given.response === digest({ realm: REALM, nonce, nc, cnonce, uri }, credentials, method);
}

interface Parts {
  realm: string;
  nonce: string;
  nc: string;
  cnonce: string;
  uri: string;
}

function digest(parts: Parts, { username, password }: Credentials, method: string): string {
  const secret = md5(`${username}:${parts.realm}:${password}`);
  const request = md5(`${method}:${parts.uri}`);
  return md5([secret, parts.nonce, parts.nc, parts.cnonce, 'auth', request].join(':'));
}

function fields(header: string): Record<string, string> {
  const pairs = header.matchAll(/(\w+)=(?:"([^"]*)"|([^\s,]*))/g);
  return Object.fromEntries([...pairs].map((match) => [match[1] as string, match[2] ?? match[3] ?? '']));
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

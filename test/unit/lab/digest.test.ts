/** Digest authentication of Connection Requests: both ends of it, against each other and against an impostor. */
import { createHash } from 'node:crypto';
import { authorize, challenge, isAuthorized } from '../../../src/lab/digest';

const CREDENTIALS = { username: 'itms', password: 'secret' };

describe('digest authentication', () => {
  it('accepts the right password, for the issued nonce and this method', () => {
    const { header, nonce } = challenge();
    const proof = authorize(header, CREDENTIALS, 'GET', '/wake');
    expect(isAuthorized(proof, nonce, CREDENTIALS, 'GET')).toBe(true);
  });

  it.each([
    ['another password', { ...CREDENTIALS, password: 'guess' }, 'GET', undefined],
    ['another user', { ...CREDENTIALS, username: 'acs' }, 'GET', undefined],
    ['another method', CREDENTIALS, 'POST', undefined],
    ['an old nonce', CREDENTIALS, 'GET', challenge().nonce],
  ])('refuses %s', (_name, credentials, method, otherNonce) => {
    const { header, nonce } = challenge();
    const proof = authorize(header, credentials, method, '/wake');
    expect(isAuthorized(proof, otherNonce ?? nonce, CREDENTIALS, 'GET')).toBe(false);
  });

  it.each([undefined, '', 'Basic aXRtczpzZWNyZXQ=', 'Digest '])('refuses %p', (header) => {
    expect(isAuthorized(header, challenge().nonce, CREDENTIALS, 'GET')).toBe(false);
  });

  it('computes what RFC 2617 section 3.2.2.1 says', () => {
    const proof = authorize('Digest realm="r", qop="auth", nonce="n"', { username: 'u', password: 'p' }, 'GET', '/');
    const cnonce = /cnonce="([0-9a-f]+)"/.exec(proof)?.[1];
    const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
    const expected = md5(`${md5('u:r:p')}:n:00000001:${cnonce}:auth:${md5('GET:/')}`);
    expect(proof).toContain(`response="${expected}"`);
  });
});

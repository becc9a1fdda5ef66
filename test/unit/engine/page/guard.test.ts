/** Who may see the page, and who may see names on it. */
import { isCrossSite, isForUs, maySeeNames } from '../../../../src/engine/page/guard';

describe('Host: an IP address, localhost or the name of this host; a name that an attacker can make lead here is refused', () => {
  test.each([
    '127.0.0.1:9547',
    '10.1.0.1',
    '[::1]:9547',
    '[2001:db8::1]',
    'localhost:9547',
    'LOCALHOST',
    'router-7:9547',
    'Router-7',
  ])('%s: answered', (host) => {
    expect(isForUs({ headers: { host } }, 'router-7')).toBe(true);
  });
  test.each([
    'attacker.example:9547',
    'localhost.attacker.example',
    'router-7.attacker.example',
    '127.0.0.1.attacker.example',
    '127.0.0.1@attacker.example',
    '127.1',
    '[127.0.0.1]',
    '[::1',
    '',
    'localhost:9547, attacker.example',
    undefined,
  ])('%s: refused', (host) => {
    expect(isForUs({ headers: { host } }, 'router-7')).toBe(false);
  });
});

test.each([
  [undefined, false],
  ['none', false],
  ['same-origin', false],
  ['same-site', true],
  ['cross-site', true],
])('Sec-Fetch-Site: %s, asked by another site: %p', (site, expected) => {
  expect(isCrossSite({ headers: site === undefined ? {} : { 'sec-fetch-site': site } })).toBe(expected);
});

describe('names of CPEs and people', () => {
  test.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])(
    'over loopback (%s) without a token: shown',
    (from) => {
      expect(maySeeNames({ headers: {}, remoteAddress: from }, undefined)).toBe(true);
    },
  );
  test.each(['10.1.0.9', '2001:db8::9', '::ffff:10.1.0.9', '1127.0.0.1', undefined])('from %s: hidden', (from) => {
    expect(maySeeNames({ headers: {}, remoteAddress: from }, undefined)).toBe(false);
  });
  test.each(['x-forwarded-for', 'forwarded', 'via', 'x-real-ip'])(
    'through a proxy on this host (%s): hidden',
    (name) => {
      expect(maySeeNames({ headers: { [name]: '10.1.0.9' }, remoteAddress: '127.0.0.1' }, undefined)).toBe(false);
    },
  );
  test.each([
    ['Bearer 0123456789abcdef', true],
    ['bearer 0123456789abcdef', true],
    ['Bearer 0123456789abcdeg', false],
    ['Bearer ', false],
    ['0123456789abcdef', false],
    [undefined, false],
  ])('with a token configured, Authorization: %s, shown: %p, over loopback or not', (authorization, expected) => {
    for (const remoteAddress of ['127.0.0.1', '10.1.0.9']) {
      expect(maySeeNames({ headers: { authorization }, remoteAddress }, '0123456789abcdef')).toBe(expected);
    }
  });
  test('with a token that cannot be read: hidden from everybody', () => {
    const headers = { authorization: 'Bearer null' };
    expect(maySeeNames({ headers, remoteAddress: '127.0.0.1' }, null)).toBe(false);
  });
});

/** Addresses and networks of both families: valid ones, and text that only looks like one. */
import {
  formatAddress,
  formatIpv4,
  formatIpv6,
  isInNetwork,
  parseAddress,
  parseIpv4,
  parseIpv4Network,
  parseIpv6,
  parseNetwork,
} from '../../../src/packet/address';

describe('addresses', () => {
  test.each([
    ['0.0.0.0', 0],
    ['10.1.0.1', 0x0a010001],
    ['127.255.255.255', 0x7fffffff],
    ['128.0.0.0', -0x80000000],
    ['255.255.255.255', -1],
  ])('%s is int32 %i, and back', (text, address) => {
    expect(parseIpv4(text)).toBe(address);
    expect(formatIpv4(address)).toBe(text);
  });

  test.each([
    [''],
    ['10.1.0'],
    ['10.1.0.1.2'],
    ['10.1.0.256'],
    ['10.1.0.-1'],
    ['10.1.0.1 '],
    ['10.1.0.1\n'],
    ['10.1.0.01'],
    ['010.1.0.1'],
    ['10.1.0.0x1'],
    ['10..0.1'],
    ['１0.1.0.1'],
    ['10.1.0.1/16'],
    ['::1'],
  ])('%j is no address', (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  });
});

describe('networks', () => {
  test.each([
    ['10.1.0.0/16', '10.1.255.255', '10.2.0.0'],
    ['10.1.2.3/32', '10.1.2.3', '10.1.2.2'],
    ['10.1.2.2/31', '10.1.2.3', '10.1.2.4'],
    ['128.0.0.0/1', '255.255.255.255', '127.255.255.255'],
    ['192.168.64.0/18', '192.168.127.255', '192.168.128.0'],
  ])('%s holds %s, not %s', (text, inside, outside) => {
    const network = parseIpv4Network(text) ?? { base: 0, mask: 0 };
    const holds = (address: string) => ((parseIpv4(address) ?? 0) & network.mask) === network.base;
    expect([holds(inside), holds(outside)]).toEqual([true, false]);
  });

  test('0.0.0.0/0 holds everything', () => {
    expect(parseIpv4Network('0.0.0.0/0')).toEqual({ base: 0, mask: 0 });
  });

  test.each([
    ['10.1.0.0'],
    ['10.1.0.0/'],
    ['10.1.0.0/33'],
    ['10.1.0.0/-1'],
    ['10.1.0.1/16'],
    ['10.1/16'],
    ['0.0.0.1/0'],
  ])('%j is no network', (text) => {
    expect(parseIpv4Network(text)).toBeUndefined();
  });
});

describe('IPv6 addresses', () => {
  const words = (...parts: number[]) => Int32Array.from(parts);

  test.each([
    ['::', words(0, 0, 0, 0)],
    ['::1', words(0, 0, 0, 1)],
    ['2001:db8::1', words(0x20010db8, 0, 0, 1)],
    ['fd00:1:2:3:4:5:6:7', words(0xfd000001, 0x00020003, 0x00040005, 0x00060007)],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', words(-1, -1, -1, -1)],
    ['2001:db8::', words(0x20010db8, 0, 0, 0)],
    ['::ffff:10.1.0.1', words(0, 0, 0xffff, 0x0a010001)],
    ['2001:db8:0:1:1:1:1:1', words(0x20010db8, 0x00000001, 0x00010001, 0x00010001)],
    ['2001:0:0:1::1', words(0x20010000, 1, 0, 1)],
  ])('%s, and back', (text, address) => {
    expect(parseIpv6(text)).toEqual(address);
    expect(formatIpv6(address)).toBe(text);
    expect(formatAddress(parseAddress(text)!)).toBe(text);
  });

  test.each([
    ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::10.1.0.1', '::a01:1'],
    ['1::2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['fe80:0:0:0:1:0:0:0', 'fe80::1:0:0:0'],
  ])('%s is canonically %s', (text, canonical) => {
    expect(formatIpv6(parseIpv6(text)!)).toBe(canonical);
  });

  test.each([
    [''],
    [':'],
    [':::'],
    ['1:2:3:4:5:6:7'],
    ['1:2:3:4:5:6:7:8:9'],
    ['1:2:3:4:5:6:7:8::'],
    ['::1:2:3:4:5:6:7:8'],
    ['1::2::3'],
    ['12345::'],
    ['g::'],
    ['fe80::1%eth0'],
    ['::10.1.0'],
    ['::10.1.0.1:1'],
    ['10.1.0.1::'],
    ['1:2:3:4:5:6:7:10.1.0.1'],
    [':1::'],
    ['::1:'],
    [' ::1'],
    ['2001:db8::/32'],
    ['10.1.0.1'],
  ])('%j is no IPv6 address', (text) => {
    expect(parseIpv6(text)).toBeUndefined();
  });
});

describe('networks of either family', () => {
  test.each([
    ['10.1.0.0/16', '10.1.255.255', '10.2.0.0'],
    ['2001:db8::/32', '2001:db8:ffff::', '2001:db9::'],
    ['2001:db8:0:40::/58', '2001:db8:0:7f:ffff::1', '2001:db8:0:80::'],
    ['2001:db8::8000:0:0/81', '2001:db8::ffff:1:1', '2001:db8::7fff:1:1'],
    ['fd00::1/128', 'fd00::1', 'fd00::2'],
    ['fd00::/64', 'fd00::ffff', 'fd00:0:0:1::'],
    ['::/0', 'ffff::', '10.1.0.1'],
    ['0.0.0.0/0', '255.1.1.1', '::1'],
  ])('%s holds %s, not %s', (text, inside, outside) => {
    const network = parseNetwork(text)!;
    expect(isInNetwork(parseAddress(inside)!, network)).toBe(true);
    expect(isInNetwork(parseAddress(outside)!, network)).toBe(false);
  });

  test.each([
    ['::/129'],
    ['2001:db8::1/64'],
    ['2001:db8::'],
    ['2001:db8::/'],
    ['2001:db8::/-1'],
    ['/64'],
    ['1.2.3.4/33'],
  ])('%j is no network', (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });
});

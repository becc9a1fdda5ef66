/** IPv4 addresses and networks: what is one, and what only looks like one. */
import { formatIpv4, parseIpv4, parseIpv4Network } from '../../../src/packet/address';

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

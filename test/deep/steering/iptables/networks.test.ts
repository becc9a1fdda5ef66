/** Many networks: all in one set, few in matches on quoted packets. */

import { formatIpv4, parseNetwork } from '../../../../src/packet/address';
import { renderRules } from '../../../../src/steering/iptables';
import { asText, contains } from '../../../../src/steering/iptables/family';
import { quotable, setEntries } from '../../../../src/steering/iptables/networks';
import { ITMS, plain } from '../../../unit/steering/iptables/topologies';

const networks = (...texts: string[]) => texts.map((text) => parseNetwork(text)!);
const MANY = Array.from({ length: 4096 }, (_, index) => `${formatIpv4((100 << 24) | (index << 9))}/24`);

it('a set holds each network once, and halves instead of everything', () => {
  expect(setEntries(networks('10.1.0.0/16', '10.1.0.0/16', '10.2.3.4/32'))).toEqual(['10.1.0.0/16', '10.2.3.4']);
  expect(setEntries(networks('0.0.0.0/0'))).toEqual(['0.0.0.0/1', '128.0.0.0/1']);
  expect(setEntries(networks('::/0'))).toEqual(['8000::/1', '::/1']);
});

it('up to 64 networks are matched exactly, more by networks around them', () => {
  expect(quotable(networks(...MANY.slice(0, 64))).map(asText)).toEqual(MANY.slice(0, 64));
  const hulls = quotable(networks(...MANY));
  expect(hulls.length).toBeLessThanOrEqual(64);
  for (const network of networks(...MANY)) expect(hulls.some((hull) => contains(hull, network))).toBe(true);
  expect(hulls.every((hull) => contains(parseNetwork('100.0.0.0/10')!, hull))).toBe(true);
});

it('single addresses among many networks stay as they are, in both families', () => {
  const single = ['10.9.9.9/32', '192.0.2.1/32'];
  const hulls = quotable(networks(...MANY.slice(0, 70), ...single));
  expect(hulls.map(asText)).toEqual(expect.arrayContaining(single));
  const v6 = Array.from({ length: 70 }, (_, index) => `2001:db8:${index.toString(16)}::/48`);
  expect(quotable(networks(...v6, '2001:db9::1/128')).map(asText)).toContain('2001:db9::1/128');
});

it('4096 networks make no more rules than 64', () => {
  const rules = (count: number) => {
    const cpe = { ...plain.cpe, address: { ipv4: '10.1.0.1' }, networks: MANY.slice(0, count) };
    return renderRules({ ...plain, cpe }, ITMS).match(/^-[AI]/gm)!.length;
  };
  expect(rules(4096)).toBeLessThanOrEqual(rules(64));
});

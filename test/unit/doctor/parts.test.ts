/** The text-processing parts of doctor: sample addresses, shell quoting. */

import { stop, sysctl } from '../../../src/doctor/command-line';
import { remedyOfAddon } from '../../../src/doctor/kernel';
import { sampleOf, withPrefix } from '../../../src/doctor/places';
import { quoted } from '../../../src/steering/iptables';

describe('a sample address of a network', () => {
  test.each([
    ['10.1.0.0/16', [], '10.1.128.2'],
    ['10.1.0.0/16', ['10.1.128.2'], '10.1.128.3'],
    ['0.0.0.0/0', [], '128.0.0.2'],
    ['192.0.2.0/30', ['192.0.2.0', '192.0.2.1'], '192.0.2.2'],
    ['192.0.2.9/32', [], '192.0.2.9'],
    ['2001:db8:1::/64', ['2001:db8:1::8000:2'], '2001:db8:1::8000:3'],
    ['2001:db8::/32', [], '2001:db8::8000:2'],
    ['2001:db8::1/128', [], '2001:db8::1'],
    ['192.0.2.9/32', ['192.0.2.9'], '192.0.2.9'],
  ])('%s, without %j: %s', (network, taken, expected) => {
    expect(sampleOf(network, taken)).toBe(expected);
  });

  test('an ACS address takes the length of the network that holds it', () => {
    expect(withPrefix('10.1.0.1', ['10.0.0.0/24', '10.1.0.0/16'])).toBe('10.1.0.1/16');
    expect(withPrefix('2001:db8::1', ['10.1.0.0/16', '2001:db8::/48'])).toBe('2001:db8::1/48');
    expect(withPrefix('2001:db8::1', [])).toBe('2001:db8::1/128');
    expect(withPrefix('192.0.2.1', ['10.1.0.0/16'])).toBe('192.0.2.1/32');
  });
});

describe('commands', () => {
  test('a dot in an interface’s name is a slash to sysctl', () => {
    expect(sysctl('net.ipv4.conf.IF.rp_filter', 2, 'eth0.7')).toBe('sysctl -w net.ipv4.conf.eth0/7.rp_filter=2');
  });
  test('one word, whatever is in it', () => {
    expect(quoted('/run/acsplit')).toBe('/run/acsplit');
    expect(quoted(`/my run/it's`)).toBe(`'/my run/it'\\''s'`);
  });
  test('a process is ended by its service, where it has one', () => {
    const host = (cgroup: string | undefined) => ({ read: () => cgroup });
    expect(stop(7, host('0::/system.slice/snort@eth0.service\n'))).toBe('systemctl stop snort@eth0.service');
    expect(stop(7, host('0::/user.slice/user-0.slice/session-1.scope\n'))).toBe('kill 7');
    expect(stop(7, host(undefined))).toBe('kill 7');
  });
});

test('an addon that does not load: built by npm, and in the Debian package looked at', () => {
  expect(remedyOfAddon('/usr/lib/acsplit')).toEqual({ mend: null, see: 'dpkg --verify acsplit' });
  expect(remedyOfAddon('/opt/a b')).toEqual({ mend: "npm --prefix '/opt/a b' run install" });
});

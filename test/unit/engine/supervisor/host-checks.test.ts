/** What the host must provide: interfaces from /proc/net/dev, forwarding from /proc/sys. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findHostWarnings, requireInterfaces } from '../../../../src/engine/supervisor/host-checks';
import { type Topology } from '../../../../src/splitter/topology';

const topology: Topology = {
  cpe: { interfaces: [{ in: 'eth0', out: 'eth0' }], address: { ipv4: '10.1.0.1' }, networks: ['10.1.0.0/16'] },
  itms: { interface: 'eth1.7', address: { ipv4: '10.2.0.2' } },
  collectors: [{ name: 'c1', interface: 'eth2', address: { ipv4: '10.3.0.2' } }],
  reportPorts: [7547],
  itmsPorts: [],
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'acsplit-host-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function interfaces(...names: string[]): string {
  const file = join(directory, 'dev');
  const rows = names.map((name) => `${name.padStart(6)}:    3193      29    0    0    0     0          0         0`);
  writeFileSync(file, ['Inter-|   Receive', ' face |bytes    packets', ...rows, ''].join('\n'));
  return file;
}

describe('interfaces', () => {
  test('all there', () => {
    expect(() => requireInterfaces(topology, interfaces('lo', 'eth0', 'eth1.7', 'eth2'))).not.toThrow();
  });

  const rows: [string, string[], string][] = [
    [
      'the first',
      ['lo', 'eth2', 'eth1.7'],
      'cpe.interface: interface "eth0" does not exist on this host (it has eth1.7, eth2)',
    ],
    ['the second', ['lo', 'eth0'], 'itms.interface: interface "eth1.7" does not exist on this host (it has eth0)'],
    [
      "a collector's",
      ['eth0', 'eth1.7'],
      'collectors.c1.interface: interface "eth2" does not exist on this host (it has eth0, eth1.7)',
    ],
    ['all', ['lo'], 'cpe.interface: interface "eth0" does not exist on this host (it has only lo)'],
  ];
  test.each(rows)('missing: %s', (_, present, expected) => {
    expect(() => requireInterfaces(topology, interfaces(...present))).toThrow(expected);
  });
});

describe('forwarding', () => {
  function settings(forward: string, perInterface: string): string {
    mkdirSync(join(directory, 'ipv4'), { recursive: true });
    writeFileSync(join(directory, 'ipv4', 'ip_forward'), `${forward}\n`);
    for (const name of ['eth0', 'eth1.7', 'eth2']) {
      mkdirSync(join(directory, 'ipv4', 'conf', name), { recursive: true });
      writeFileSync(join(directory, 'ipv4', 'conf', name, 'forwarding'), `${name === 'eth1.7' ? perInterface : '1'}\n`);
    }
    return directory;
  }

  test('on', () => expect(findHostWarnings(topology, settings('1', '1'))).toEqual([]));
  test('off altogether: one warning', () => {
    expect(findHostWarnings(topology, settings('0', '0'))).toEqual([
      'this host does not forward packets: sysctl -w net.ipv4.ip_forward=1',
    ]);
  });
  test('off for one interface, whose dot sysctl wants as a slash', () => {
    expect(findHostWarnings(topology, settings('1', '0'))).toEqual([
      'eth1.7 does not forward packets: sysctl -w net.ipv4.conf.eth1/7.forwarding=1',
    ]);
  });
  test('nothing to read: nothing to say', () => expect(findHostWarnings(topology, directory)).toEqual([]));
});

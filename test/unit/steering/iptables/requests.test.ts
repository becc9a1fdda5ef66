/** requestAddresses and requestPorts: which connections of the servers to CPEs are ours. */

import { renderRules } from '../../../../src/steering/iptables';
import { type Topology } from '../../../../src/splitter/topology';
import { HOLD, ITMS, plain } from './topologies';
import { type Router, trace, type TracedPacket } from './tracer';

const router: Router = {
  addresses: ['10.1.0.1', '10.2.0.1', '10.3.0.1'],
  routes: [
    ['10.1.', 'eth0'],
    ['10.2.', 'eth1'],
    ['10.3.', 'eth2'],
  ],
};
const [ACS, ITMS_HOST, CPE, WAKER] = ['10.1.0.1', '10.2.0.2', '10.1.1.1', '10.3.0.4'];
const engine = (queue: number) => (queue === 0 ? { destination: ITMS_HOST } : { source: ACS });

const PORTS = [7170, 7547, ...Array.from({ length: 16 }, (_, index) => 30_000 + index)];
const narrow: Topology = {
  ...plain,
  collectors: [{ ...plain.collectors[0], requestAddresses: [{ ipv4: WAKER, ipv6: '2001:db8:3::4' }] }],
  requestPorts: PORTS,
};

const request = (port: number, source = ITMS_HOST): TracedPacket => {
  const from = source === ITMS_HOST ? 'eth1' : 'eth2';
  return { in: from, source, destination: CPE, sourcePort: 40_000, destinationPort: port, flags: 'S' };
};
const answer = (port: number): TracedPacket => ({
  ...{ in: 'eth0', source: CPE, destination: ACS, sourcePort: port, destinationPort: 40_000, flags: 'S.' },
});

describe.each([
  ['hold', HOLD],
  ['itms', ITMS],
])('with `%s`', (_name, steering) => {
  const rules = renderRules(narrow, steering);

  it.each(PORTS)('a request to port %s of the list is ours, and so is its answer', (port) => {
    expect(trace(rules, router, request(port), engine)).toEqual([
      'untracked',
      'queue 1',
      `out eth0 as ${ACS} > ${CPE}`,
    ]);
    expect(trace(rules, router, answer(port), engine).slice(0, 2)).toEqual(['untracked', 'queue 0']);
  });

  it('what a server opens to another port is not, engine alive and dead', () => {
    for (const state of [engine, 'dead'] as const) {
      expect(trace(rules, router, request(22), state)).toEqual([`out eth0 as ${ITMS_HOST} > ${CPE}`]);
      expect(trace(rules, router, request(22, WAKER), state)).toEqual([`out eth0 as ${WAKER} > ${CPE}`]);
    }
  });

  it('reports are ours as ever', () => {
    const session = {
      in: 'eth0',
      source: CPE,
      destination: ACS,
      sourcePort: 50_000,
      destinationPort: 7547,
      flags: 'S',
    };
    expect(trace(rules, router, session, engine).slice(0, 2)).toEqual(['untracked', 'queue 0']);
    const reply = { ...request(50_000), sourcePort: 7547, flags: 'S.' };
    expect(trace(rules, router, reply, engine).slice(0, 2)).toEqual(['untracked', 'queue 1']);
  });

  it('a further address that wakes CPEs is steered like the server’s own', () => {
    expect(trace(rules, router, request(7547, WAKER), engine).slice(0, 2)).toEqual(['untracked', 'queue 2']);
    expect(trace(renderRules(plain, steering), router, request(7547, WAKER), engine)).toEqual([
      `out eth0 as ${WAKER} > ${CPE}`,
    ]);
  });
});

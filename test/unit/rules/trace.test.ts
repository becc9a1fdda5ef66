/** Single packets walked through the rendered rules: what is steered, what is held, what is left alone. */

import { renderRules } from '../../../src/rules';
import { type Topology } from '../../../src/splitter/topology';
import { manyPorts, plain, severalNetworks, sharedInterface } from './topologies';
import { type Router, trace, type TracedPacket } from './tracer';

const ACS = '10.1.0.1';
const ITMS = '10.2.0.2';
const COLLECTOR = '10.3.0.2';
const CPE = '10.1.1.1';
const OUTSIDE = '192.0.2.9';

const router: Router = {
  addresses: [ACS, '10.2.0.1', '10.3.0.1'],
  routes: [
    ['10.1.', 'eth0'],
    ['10.2.', 'eth1'],
    ['10.3.', 'eth2'],
    ['', 'eth3'],
  ],
};

/** An engine that has armed nothing: CPEs go to the ITMS, servers appear as the ACS. */
const engine = (queue: number) => (queue === 0 ? { destination: ITMS } : { source: ACS });

/** As careful a firewall as operators have: nothing is forwarded that conntrack does not know. */
const STRICT_HOST = `*filter
:FORWARD DROP [0:0]
:INPUT DROP [0:0]
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT`;

/** A careless one, which accepts whatever comes. */
const CARELESS_HOST = `*filter
:FORWARD ACCEPT [0:0]
:INPUT ACCEPT [0:0]
-A FORWARD -j ACCEPT
-A INPUT -j ACCEPT
COMMIT`;

type Row = [claim: string, packet: TracedPacket, outcome: string[]];

const STEERED: Row[] = [
  [
    'a CPE opens a session: rewritten before routing, so it leaves towards the ITMS',
    { in: 'eth0', source: CPE, destination: ACS, destinationPort: 7547, flags: 'S' },
    ['untracked', 'queue 0', `out eth1 as ${CPE} > ${ITMS}`],
  ],
  [
    'a CPE answers a Connection Request, on a port that only the engine knows',
    { in: 'eth0', source: CPE, destination: ACS, destinationPort: 40123, sourcePort: 30005, flags: 'S.' },
    ['untracked', 'queue 0', `out eth1 as ${CPE} > ${ITMS}`],
  ],
  [
    'the ITMS answers a session: its address is hidden behind routing',
    { in: 'eth1', source: ITMS, destination: CPE, sourcePort: 7547, flags: 'S.' },
    ['untracked', 'queue 1', `out eth0 as ${ACS} > ${CPE}`],
  ],
  [
    'the collector wakes a CPE, whatever port the CPE listens on',
    { in: 'eth2', source: COLLECTOR, destination: CPE, destinationPort: 7547, flags: 'S' },
    ['untracked', 'queue 2', `out eth0 as ${ACS} > ${CPE}`],
  ],
];

const LEFT_ALONE: Row[] = [
  [
    'ssh from a CPE network to the ACS address: a SYN to another port is the host’s own [P11]',
    { in: 'eth0', source: '10.1.9.9', destination: ACS, destinationPort: 22, flags: 'S', state: 'NEW' },
    ['delivered'],
  ],
  [
    'the rest of that ssh connection: a socket knows it',
    { in: 'eth0', source: '10.1.9.9', destination: ACS, destinationPort: 22, hasSocket: true, state: 'ESTABLISHED' },
    ['delivered'],
  ],
  [
    'the answer to a connection that the host itself opened from the ACS address',
    {
      in: 'eth0',
      source: '10.1.9.9',
      destination: ACS,
      destinationPort: 41000,
      flags: 'S.',
      hasSocket: true,
      state: 'ESTABLISHED',
    },
    ['delivered'],
  ],
  [
    'the answer to traffic that was masqueraded behind the ACS address: not from a CPE network, so it stays tracked',
    { in: 'eth0', source: '198.51.100.7', destination: ACS, destinationPort: 45000, flags: 'S.', state: 'ESTABLISHED' },
    ['delivered'],
  ],
  [
    'the ITMS’s own traffic to a fourth network stays tracked, and may be masqueraded',
    { in: 'eth1', source: ITMS, destination: OUTSIDE, destinationPort: 443, flags: 'S', state: 'ESTABLISHED' },
    [`out eth3 as ${ITMS} > ${OUTSIDE}`],
  ],
  [
    'the ITMS talks to the router’s ACS address itself',
    { in: 'eth1', source: ITMS, destination: ACS, destinationPort: 22, flags: 'S', state: 'NEW' },
    ['delivered'],
  ],
  [
    'a ping from the ITMS to a CPE',
    { in: 'eth1', source: ITMS, destination: CPE, protocol: 'icmp', state: 'ESTABLISHED' },
    [`out eth0 as ${ITMS} > ${CPE}`],
  ],
  [
    'another machine of the ITMS’s network talks to a CPE',
    { in: 'eth1', source: '10.2.0.77', destination: CPE, destinationPort: 80, state: 'ESTABLISHED' },
    [`out eth0 as 10.2.0.77 > ${CPE}`],
  ],
];

describe.each([
  ['where the host forwards everything', CARELESS_HOST],
  ['where the host’s policy is DROP and INVALID is dropped', STRICT_HOST],
])('%s', (_where, host) => {
  const rules = [host, renderRules(plain, { first: 0 })];

  it.each(STEERED)('steered: %s', (_claim, packet, outcome) => {
    // Without notrack conntrack, which sees one direction, would call every one of these INVALID.
    expect(trace(rules, router, { ...packet, state: 'INVALID' }, engine)).toEqual(outcome);
  });

  it.each(LEFT_ALONE)('left alone: %s', (_claim, packet, outcome) => {
    expect(trace(rules, router, packet, engine)).toEqual(outcome);
  });

  it.each(LEFT_ALONE)('left alone while no engine runs: %s', (_claim, packet, outcome) => {
    expect(trace(rules, router, packet, 'hold')).toEqual(outcome);
  });

  it.each(STEERED)('held while no engine runs: %s', (_claim, packet) => {
    expect(trace(rules, router, packet, 'hold').at(-1)).toBe('held');
  });
});

describe('what escapes the queues (mangle not yet in, or already out) is held by the guards', () => {
  const withoutMangle = [CARELESS_HOST, renderRules(plain, { first: 0 }).split('*mangle')[0]];
  const rows: Row[] = [
    [
      'a CPE’s session never meets the local stack, which would reset it',
      STEERED[0][1],
      ['untracked', 'dropped by filter INPUT'],
    ],
    ['nor does a CPE’s answer to a Connection Request', STEERED[1][1], ['untracked', 'dropped by filter INPUT']],
    [
      'the ITMS’s answer never reaches a CPE with its own source',
      STEERED[2][1],
      ['untracked', 'dropped by filter FORWARD'],
    ],
    ['nor does the collector’s Connection Request', STEERED[3][1], ['untracked', 'dropped by filter FORWARD']],
  ];
  it.each(rows)('%s', (_claim, packet, outcome) => {
    expect(trace(withoutMangle, router, packet, engine)).toEqual(outcome);
  });

  it('what the engine returns unchanged is held as well', () => {
    const rules = [CARELESS_HOST, renderRules(plain, { first: 0 })];
    expect(trace(rules, router, STEERED[0][1], () => ({})).at(-1)).toBe('dropped by filter INPUT');
    expect(trace(rules, router, STEERED[2][1], () => ({})).at(-1)).toBe('dropped by filter FORWARD');
  });
});

it('a source that is rewritten before routing would be martian: why it happens in FORWARD', () => {
  const early = `*mangle
:ACSPLIT-EARLY - [0:0]
-A PREROUTING -s 10.2.0.2/32 -i eth1 -p tcp -j NFQUEUE --queue-num 1
COMMIT`;
  expect(trace(early, router, STEERED[2][1], engine)).toEqual(['queue 1', 'martian']);
});

describe('a server is known by interface and address together', () => {
  const queueOf = (topology: Topology, packet: TracedPacket) =>
    trace(
      renderRules(topology, { first: 4 }),
      {
        ...router,
        routes: [
          ['10.1.', 'eth0'],
          ['', 'none'],
        ],
      },
      packet,
      engine,
    ).find((step) => step.startsWith('queue'));
  const from = (source: string, name: string): TracedPacket => ({ in: name, source, destination: CPE, flags: 'S' });

  it('ITMS and collectors on one interface have different queues', () => {
    expect(queueOf(sharedInterface, from('10.2.0.2', 'bond0.20'))).toBe('queue 5');
    expect(queueOf(sharedInterface, from('10.2.0.3', 'bond0.20'))).toBe('queue 6');
    expect(queueOf(sharedInterface, from('10.2.0.4', 'bond0.20'))).toBe('queue 6');
    expect(queueOf(sharedInterface, from('10.3.0.2', 'eth2'))).toBe('queue 6');
  });

  it('a server’s address on another’s interface is nobody’s', () => {
    expect(queueOf(sharedInterface, from('10.3.0.2', 'bond0.20'))).toBeUndefined();
  });
});

it('every one of seventeen steered ports is steered', () => {
  const rules = renderRules(manyPorts, { first: 0 });
  for (const port of [...manyPorts.reportPorts, ...manyPorts.itmsPorts]) {
    const packet = { in: 'eth0', source: CPE, destination: ACS, destinationPort: port, flags: 'S' };
    expect([port, ...trace(rules, router, packet, engine)]).toEqual([port, 'untracked', 'queue 0', expect.any(String)]);
  }
  const other = { in: 'eth0', source: CPE, destination: ACS, destinationPort: 9003, flags: 'S' };
  expect(trace(rules, router, other, engine)).toEqual(['delivered']);
});

it('servers inside a CPE network talk to each other with their tracking', () => {
  const wide: Router = {
    addresses: ['100.64.0.1'],
    routes: [
      ['10.3.', 'eth2'],
      ['', 'ppp-aggr'],
    ],
  };
  const packet = { in: 'eth1', source: ITMS, destination: COLLECTOR, destinationPort: 5432, flags: 'S' };
  expect(trace(renderRules(severalNetworks, { first: 0 }), wide, packet, engine)).toEqual([
    `out eth2 as ${ITMS} > ${COLLECTOR}`,
  ]);
  const woken = { in: 'eth1', source: ITMS, destination: '172.16.5.9', destinationPort: 7547, flags: 'S' };
  expect(trace(renderRules(severalNetworks, { first: 0 }), wide, woken, engine)[0]).toBe('untracked');
});

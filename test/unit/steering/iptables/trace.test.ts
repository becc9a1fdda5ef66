/** Single packets walked through the rendered rules: what is steered, what is held, what is left alone. */

import { type Family } from '../../../../src/packet/address';
import { renderRules } from '../../../../src/steering/iptables';
import { type Topology } from '../../../../src/splitter/topology';
import { HOLD, ITMS as SENDING, manyPorts, plain, severalNetworks, sharedInterface } from './topologies';
import { type Connection, type Router, trace, type TracedPacket } from './tracer';

/** The same network in both families. */
interface Places {
  family: Family;
  acs: string;
  itms: string;
  collector: string;
  cpe: string;
  /** A machine of the operator's in a CPE network. */
  admin: string;
  /** Another host next to the ITMS. */
  neighbour: string;
  outside: string;
  /** A router between this host and the CPEs, or the servers, whose address is in no network that we know. */
  hop: string;
  router: Router;
}

const IPV4: Places = {
  family: 'ipv4',
  acs: '10.1.0.1',
  itms: '10.2.0.2',
  collector: '10.3.0.2',
  cpe: '10.1.1.1',
  admin: '10.1.9.9',
  neighbour: '10.2.0.77',
  outside: '192.0.2.9',
  hop: '172.31.0.9',
  router: {
    addresses: ['10.1.0.1', '10.2.0.1', '10.3.0.1'],
    routes: [
      ['10.1.', 'eth0'],
      ['10.2.', 'eth1'],
      ['10.3.', 'eth2'],
      ['', 'eth3'],
    ],
  },
};

const IPV6: Places = {
  family: 'ipv6',
  acs: '2001:db8:1::1',
  itms: '2001:db8:2::2',
  collector: '2001:db8:3::2',
  cpe: '2001:db8:1:1::8',
  admin: '2001:db8:1:9::9',
  neighbour: '2001:db8:2::77',
  outside: '2001:db8:ffff::9',
  hop: 'fd00::9',
  router: {
    addresses: ['2001:db8:1::1', '2001:db8:2::1', '2001:db8:3::1'],
    routes: [
      ['2001:db8:1:', 'eth0'],
      ['2001:db8:2:', 'eth1'],
      ['2001:db8:3:', 'eth2'],
      ['', 'eth3'],
    ],
  },
};

const { acs: ACS, itms: ITMS, collector: COLLECTOR, cpe: CPE, router } = IPV4;

/** An engine that has armed nothing: CPEs go to the ITMS, servers appear as the ACS; errors as what they quote. */
const engineOf =
  ({ acs, itms, hop }: Places) =>
  (queue: number, { error, destination }: TracedPacket) => {
    if (queue === 0) return { destination: itms };
    if (queue < 3) return error ? { source: hop } : { source: acs };
    return destination === acs ? { destination: itms } : {};
  };
const engine = engineOf(IPV4);

/** As careful a firewall as operators have: nothing is forwarded that conntrack does not know. */
const STRICT_HOST = `*filter
:FORWARD DROP [0:0]
:INPUT DROP [0:0]
:OUTPUT DROP [0:0]
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A OUTPUT -m conntrack --ctstate INVALID -j DROP
-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -m conntrack --ctstate INVALID -j DROP
-A OUTPUT -m conntrack --ctstate INVALID -j DROP
COMMIT`;

/** A careless one, which accepts whatever comes. */
const CARELESS_HOST = `*filter
:FORWARD ACCEPT [0:0]
:INPUT ACCEPT [0:0]
-A FORWARD -j ACCEPT
-A INPUT -j ACCEPT
COMMIT`;

type Row = [claim: string, packet: TracedPacket, outcome: string[]];

/** An ICMP error about a packet; conntrack knows the connections that are not ours. */
function about(
  packet: Pick<TracedPacket, 'in' | 'source' | 'destination'>,
  quotedSource: string,
  quotedDestination: string,
  more: Partial<TracedPacket> = { state: 'RELATED' },
  protocol: 'tcp' | 'udp' = 'tcp',
  types: [ipv4: number, ipv6: number] = [3, 2],
): TracedPacket {
  const type = types[packet.source.includes(':') ? 1 : 0];
  const error = { type, source: quotedSource, destination: quotedDestination, protocol };
  return { ...packet, protocol: 'icmp', error, state: 'RELATED', ...more };
}

const steered = ({ acs, itms, collector, cpe }: Places): Row[] => [
  [
    'a CPE opens a session: rewritten before routing, so it leaves towards the ITMS',
    { in: 'eth0', source: cpe, destination: acs, destinationPort: 7547, flags: 'S' },
    ['untracked', 'queue 0', `out eth1 as ${cpe} > ${itms}`],
  ],
  [
    'a CPE answers a Connection Request, on a port that only the engine knows',
    { in: 'eth0', source: cpe, destination: acs, destinationPort: 40123, sourcePort: 30005, flags: 'S.' },
    ['untracked', 'queue 0', `out eth1 as ${cpe} > ${itms}`],
  ],
  [
    'the ITMS answers a session: its address is hidden behind routing',
    { in: 'eth1', source: itms, destination: cpe, sourcePort: 7547, flags: 'S.' },
    ['untracked', 'queue 1', `out eth0 as ${acs} > ${cpe}`],
  ],
  [
    'the collector wakes a CPE, whatever port the CPE listens on',
    { in: 'eth2', source: collector, destination: cpe, destinationPort: 7547, flags: 'S' },
    ['untracked', 'queue 2', `out eth0 as ${acs} > ${cpe}`],
  ],
];

const leftAlone = ({ acs, itms, cpe, admin, neighbour, outside, hop }: Places): Row[] => [
  [
    'ssh from a CPE network to the ACS address: a SYN to another port is the host’s own [P11]',
    { in: 'eth0', source: admin, destination: acs, destinationPort: 22, flags: 'S', state: 'NEW' },
    ['delivered'],
  ],
  [
    'the rest of that ssh connection: a socket knows it',
    { in: 'eth0', source: admin, destination: acs, destinationPort: 22, hasSocket: true, state: 'ESTABLISHED' },
    ['delivered'],
  ],
  [
    'the answer to a connection that the host itself opened from the ACS address',
    {
      in: 'eth0',
      source: admin,
      destination: acs,
      destinationPort: 41000,
      flags: 'S.',
      hasSocket: true,
      state: 'ESTABLISHED',
    },
    ['delivered'],
  ],
  [
    'the answer to traffic that was masqueraded behind the ACS address: not from a CPE network, so it stays tracked',
    { in: 'eth0', source: outside, destination: acs, destinationPort: 45000, flags: 'S.', state: 'ESTABLISHED' },
    ['delivered'],
  ],
  [
    'the ITMS’s own traffic to a fourth network stays tracked, and may be masqueraded',
    { in: 'eth1', source: itms, destination: outside, destinationPort: 443, flags: 'S', state: 'ESTABLISHED' },
    [`out eth3 as ${itms} > ${outside}`],
  ],
  [
    'the ITMS talks to the router’s ACS address itself',
    { in: 'eth1', source: itms, destination: acs, destinationPort: 22, flags: 'S', state: 'NEW' },
    ['delivered'],
  ],
  [
    'a ping from the ITMS to a CPE',
    { in: 'eth1', source: itms, destination: cpe, protocol: 'icmp', state: 'ESTABLISHED' },
    [`out eth0 as ${itms} > ${cpe}`],
  ],
  [
    'another machine of the ITMS’s network talks to a CPE',
    { in: 'eth1', source: neighbour, destination: cpe, destinationPort: 80, state: 'ESTABLISHED' },
    [`out eth0 as ${neighbour} > ${cpe}`],
  ],
  [
    'an error about a connection that the host itself opened from the ACS address: a socket has sent it',
    about({ in: 'eth0', source: hop, destination: acs }, acs, admin, { hasSocket: true, state: 'RELATED' }),
    ['delivered'],
  ],
  [
    'an error about traffic that was masqueraded behind the ACS address',
    about({ in: 'eth0', source: hop, destination: acs }, acs, outside),
    ['delivered'],
  ],
  [
    'an error about what the host itself sent to a server',
    about({ in: 'eth1', source: hop, destination: acs }, acs, itms),
    ['delivered'],
  ],
  [
    'an error about what a CPE sent to another machine behind this router',
    about({ in: 'eth1', source: hop, destination: cpe }, cpe, neighbour),
    [`out eth0 as ${hop} > ${cpe}`],
  ],
  [
    'an error about what a server sent to a network where no CPE lives',
    about({ in: 'eth3', source: hop, destination: itms }, itms, outside),
    [`out eth1 as ${hop} > ${itms}`],
  ],
  [
    'an error about UDP between the ACS address and a CPE',
    about({ in: 'eth0', source: cpe, destination: acs }, acs, cpe, {}, 'udp'),
    ['delivered'],
  ],
  [
    'an error about UDP between a CPE and the ITMS',
    about({ in: 'eth1', source: itms, destination: cpe }, cpe, itms, {}, 'udp'),
    [`out eth0 as ${itms} > ${cpe}`],
  ],
  [
    'an error of this host about traffic that is not ours',
    about({ source: acs, destination: cpe }, cpe, outside),
    [`out eth0 as ${acs} > ${cpe}`],
  ],
  [
    'a ping of this host',
    { source: acs, destination: cpe, protocol: 'icmp', state: 'ESTABLISHED' },
    [`out eth0 as ${acs} > ${cpe}`],
  ],
  [
    'a redirect, an echo, and whatever else quotes nothing that failed',
    { ...about({ in: 'eth0', source: hop, destination: acs }, acs, cpe, {}, 'tcp', [5, 137]) },
    ['delivered'],
  ],
];

/** Errors about ours, before they are translated. */
const errorsAboutOurs = ({ acs, itms, collector, cpe, hop }: Places): Row[] => [
  [
    'a router on the CPEs’ side cannot send on what bears the ACS address',
    about({ in: 'eth0', source: hop, destination: acs }, acs, cpe),
    ['untracked', 'queue 0', `out eth1 as ${hop} > ${itms}`],
  ],
  [
    'so says a CPE itself',
    about({ in: 'eth0', source: cpe, destination: acs }, acs, cpe),
    ['untracked', 'queue 0', `out eth1 as ${cpe} > ${itms}`],
  ],
  [
    'a router on the ITMS’s side cannot send on what a CPE sent',
    about({ in: 'eth1', source: hop, destination: cpe }, cpe, itms),
    ['untracked', 'queue 1', `out eth0 as ${hop} > ${cpe}`],
  ],
  [
    'the collector’s host says so itself',
    about({ in: 'eth2', source: collector, destination: cpe }, cpe, collector),
    ['untracked', 'queue 2', `out eth0 as ${hop} > ${cpe}`],
  ],
  [
    'this host cannot send on what a CPE sent: the error quotes the server',
    about({ source: acs, destination: cpe }, cpe, itms),
    ['queue 3', `out eth0 as ${acs} > ${cpe}`],
  ],
  [
    'this host cannot reach a CPE: the error is for the ACS address, which is its own',
    about({ source: acs, destination: acs }, acs, cpe),
    ['queue 3', `out eth1 as ${acs} > ${itms}`],
  ],
  [
    'this host cannot send on what a server sent, which was not rewritten yet: right as it is',
    about({ source: acs, destination: itms }, itms, cpe),
    [`out eth1 as ${acs} > ${itms}`],
  ],
];

/** A session of a CPE's that nat has sent to the ITMS, and a Connection Request of the ITMS's, as conntrack has them. */
const sessionOf = ({ acs, itms, cpe }: Places): Connection => ({
  ...{ originalSource: cpe, originalDestination: acs },
  ...{ replySource: itms, replyDestination: cpe },
});
const requestOf = ({ acs, itms, cpe }: Places): Connection => ({
  ...{ originalSource: itms, originalDestination: cpe },
  ...{ replySource: cpe, replyDestination: acs },
});

/** With `itms` while no engine runs: what begins now. */
const fallback = (places: Places): Row[] => {
  const { acs, itms, cpe, hop } = places;
  const [session, request] = [sessionOf(places), requestOf(places)];
  const known = (connection: Connection) => ({ state: 'ESTABLISHED', connection });
  return [
    [
      'a CPE opens a session: nat sends it to the ITMS',
      { in: 'eth0', source: cpe, destination: acs, destinationPort: 7547, flags: 'S' },
      ['DNAT', `out eth1 as ${cpe} > ${itms}`],
    ],
    [
      'the rest of that session',
      { in: 'eth0', source: cpe, destination: acs, destinationPort: 7547, ...known(session) },
      [`out eth1 as ${cpe} > ${itms}`],
    ],
    [
      'the ITMS answers it: the CPE sees the ACS address',
      { in: 'eth1', source: itms, destination: cpe, sourcePort: 7547, flags: 'S.', ...known(session) },
      [`out eth0 as ${acs} > ${cpe}`],
    ],
    [
      'the ITMS wakes a CPE, which sees the ACS address',
      { in: 'eth1', source: itms, destination: cpe, destinationPort: 7547, flags: 'S' },
      ['SNAT', `out eth0 as ${acs} > ${cpe}`],
    ],
    [
      'the CPE answers that, on a port that no rule names',
      { in: 'eth0', source: cpe, destination: acs, destinationPort: 40123, flags: 'S.', ...known(request) },
      [`out eth1 as ${cpe} > ${itms}`],
    ],
    [
      'a router on the CPEs’ side cannot send on what the ITMS sent in that session',
      { ...about({ in: 'eth0', source: hop, destination: acs }, acs, cpe), connection: session },
      [`out eth1 as ${hop} > ${itms}`],
    ],
    [
      'a router on the ITMS’s side cannot send on what the CPE sent in that session',
      { ...about({ in: 'eth1', source: hop, destination: cpe }, cpe, itms), connection: session },
      [`out eth0 as ${acs} > ${cpe}`],
    ],
    [
      'this host says so itself to the CPE: conntrack translates what it quotes',
      { ...about({ source: acs, destination: cpe }, cpe, itms), connection: session },
      [`out eth0 as ${acs} > ${cpe}`],
    ],
  ];
};

/** With `itms` while no engine runs: what the engine was deciding, whichever way conntrack picks it up; and collectors. */
const stalled = (places: Places): [claim: string, packet: TracedPacket, heldBy: string][] => {
  const { acs, itms, collector, cpe } = places;
  return [
    [
      'a session that has begun before',
      { in: 'eth0', source: cpe, destination: acs, destinationPort: 7547 },
      'dropped by filter INPUT',
    ],
    [
      'a CPE’s answer to a Connection Request from before',
      { in: 'eth0', source: cpe, destination: acs, destinationPort: 40123, sourcePort: 30005 },
      'dropped by filter INPUT',
    ],
    [
      'what the ITMS sends in a session from before',
      { in: 'eth1', source: itms, destination: cpe, sourcePort: 7547 },
      'dropped by filter FORWARD',
    ],
    [
      'what the collector sends in a session from before',
      { in: 'eth2', source: collector, destination: cpe, sourcePort: 7547 },
      'dropped by filter FORWARD',
    ],
    [
      'the collector wakes a CPE: the engine could not go on with that',
      { in: 'eth2', source: collector, destination: cpe, destinationPort: 7547, flags: 'S' },
      'dropped by filter FORWARD',
    ],
  ];
};

/** A host that would hide from the ITMS who talks to it, and sends the report port elsewhere. */
const translatingHost = ({ acs, outside }: Places) => `*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d ${acs} -p tcp -m tcp --dport 7547 -j DNAT --to-destination ${outside}
-A POSTROUTING -o eth1 -j MASQUERADE
COMMIT`;

describe.each([
  ['IPv4, where the host forwards everything', IPV4, CARELESS_HOST],
  ['IPv4, where the host’s policy is DROP and INVALID is dropped', IPV4, STRICT_HOST],
  ['IPv6, where the host forwards everything', IPV6, CARELESS_HOST],
  ['IPv6, where the host’s policy is DROP and INVALID is dropped', IPV6, STRICT_HOST],
])('%s', (_where, places, host) => {
  const rules = [host, renderRules(plain, HOLD, places.family)];
  const { router } = places;
  const engine = engineOf(places);

  it.each([...steered(places), ...errorsAboutOurs(places)])('steered: %s', (_claim, packet, outcome) => {
    // Without notrack conntrack, which sees one direction, would call every one of these INVALID.
    expect(trace(rules, router, { ...packet, state: 'INVALID' }, engine)).toEqual(outcome);
  });

  it.each(leftAlone(places))('left alone: %s', (_claim, packet, outcome) => {
    expect(trace(rules, router, packet, engine)).toEqual(outcome);
  });

  it.each(leftAlone(places))('left alone while no engine runs: %s', (_claim, packet, outcome) => {
    expect(trace(rules, router, packet, 'dead')).toEqual(outcome);
  });

  it.each(steered(places))('held while no engine runs: %s', (_claim, packet) => {
    expect(trace(rules, router, packet, 'dead').at(-1)).toBe('held');
  });

  describe('with `itms`', () => {
    const sending = [host, translatingHost(places), renderRules(plain, SENDING, places.family)];

    it.each([...steered(places), ...errorsAboutOurs(places)])('steered: %s', (_claim, packet, outcome) => {
      expect(trace(sending, router, { ...packet, state: 'INVALID' }, engine)).toEqual(outcome);
    });

    it.each(leftAlone(places).filter(([, { destination }]) => destination !== places.itms))(
      'left alone, engine alive and dead: %s',
      (_claim, packet, outcome) => {
        expect(trace([host, sending[2]], router, packet, engine)).toEqual(outcome);
        expect(trace([host, sending[2]], router, packet, 'dead')).toEqual(outcome);
      },
    );

    it.each(fallback(places))('while no engine runs: %s', (_claim, packet, outcome) => {
      expect(trace(sending, router, packet, 'dead')).toEqual(outcome);
    });

    it.each(stalled(places))('held while no engine runs: %s', (_claim, packet, heldBy) => {
      expect(trace(sending, router, { ...packet, state: 'NEW' }, 'dead')).toEqual([heldBy]);
      expect(trace(sending, router, { ...packet, state: 'INVALID' }, 'dead').at(-1)).toMatch(/^dropped by/);
    });

    it('what conntrack knows from then is the engine’s again when it returns', () => {
      for (const [, packet] of fallback(places).filter(([, { in: from, error }]) => from !== undefined && !error)) {
        expect(trace(sending, router, packet, engine).slice(0, 2)).toEqual([
          'untracked',
          expect.stringMatching(/^queue/),
        ]);
      }
    });
  });

  it('each type of error is steered, and no other type of ICMP', () => {
    const steeredTypes = Array.from({ length: 256 }, (_, type) => type).filter((type) => {
      const packet = about({ in: 'eth0', source: places.hop, destination: places.acs }, places.acs, places.cpe);
      return trace(rules, router, { ...packet, error: { ...packet.error!, type } }, engine).includes('queue 0');
    });
    expect(steeredTypes).toEqual(places.family === 'ipv4' ? [3, 11, 12] : [1, 2, 3, 4]);
  });
});

const STEERED = steered(IPV4);

describe('what escapes the queues (mangle not yet in, or already out) is held by the guards', () => {
  const withoutMangle = [CARELESS_HOST, renderRules(plain, HOLD).split('*mangle')[0]];
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
    const rules = [CARELESS_HOST, renderRules(plain, HOLD)];
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
      renderRules(topology, { ...HOLD, first: 4 }),
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

  it('a server’s address on another’s interface is not that server', () => {
    expect(queueOf(sharedInterface, from('10.3.0.2', 'bond0.20'))).toBeUndefined();
  });
});

it('every one of seventeen steered ports is steered', () => {
  const rules = renderRules(manyPorts, HOLD);
  for (const port of [...manyPorts.reportPorts, ...manyPorts.itmsPorts]) {
    const packet = { in: 'eth0', source: CPE, destination: ACS, destinationPort: port, flags: 'S' };
    expect([port, ...trace(rules, router, packet, engine)]).toEqual([port, 'untracked', 'queue 0', expect.any(String)]);
  }
  const other = { in: 'eth0', source: CPE, destination: ACS, destinationPort: 9003, flags: 'S' };
  expect(trace(rules, router, other, engine)).toEqual(['delivered']);
});

it('as many ports as the configuration takes, 64 of reports and 64 of the ITMS, are steered, and no other', () => {
  const reportPorts = Array.from({ length: 64 }, (_, i) => 7000 + 2 * i);
  const itmsPorts = Array.from({ length: 64 }, (_, i) => 9000 + 2 * i);
  const rules = renderRules({ ...manyPorts, reportPorts, itmsPorts }, HOLD);
  for (const destinationPort of [...reportPorts, ...itmsPorts]) {
    const packet = { in: 'eth0', source: CPE, destination: ACS, flags: 'S' };
    const story = [destinationPort, ...trace(rules, router, { ...packet, destinationPort }, engine)];
    expect(story).toEqual([destinationPort, 'untracked', 'queue 0', expect.any(String)]);
    expect(trace(rules, router, { ...packet, destinationPort: destinationPort + 1 }, engine)).toEqual(['delivered']);
  }
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
  expect(trace(renderRules(severalNetworks, HOLD), wide, packet, engine)).toEqual([
    `out eth2 as ${ITMS} > ${COLLECTOR}`,
  ]);
  const woken = { in: 'eth1', source: ITMS, destination: '172.16.5.9', destinationPort: 7547, flags: 'S' };
  expect(trace(renderRules(severalNetworks, HOLD), wide, woken, engine)[0]).toBe('untracked');
});

/** Single packets walked through the rendered rules: what is steered, what is held, what is left alone. */
import { renderRules } from '../../../../src/steering/iptables';
import { type Topology } from '../../../../src/splitter/topology';
import {
  HOLD,
  ITMS as SENDING,
  manyPorts,
  plain,
  severalNetworks,
  sharedInterface,
} from '../../../unit/steering/iptables/topologies';
import { type Router, trace, type TracedPacket } from '../../../unit/steering/iptables/tracer';
import {
  IPV4,
  IPV6,
  engineOf,
  engine,
  STRICT_HOST,
  CARELESS_HOST,
  type Row,
  about,
} from '../../../unit/steering/iptables/trace-places';
import {
  steered,
  leftAlone,
  errorsAboutOurs,
  fallback,
  stalled,
  translatingHost,
} from '../../../unit/steering/iptables/trace-rows';

const { acs: ACS, itms: ITMS, collector: COLLECTOR, cpe: CPE, router } = IPV4;

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

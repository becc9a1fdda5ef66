/**
 * What CPEs open to a server's own address is not ours: whole conversations walked through the rules, engine alive and
 * dead, with `itms` and `hold`; and what a forger may send without exempting a session. docs/decisions/direct.md
 */

import { type Family } from '../../../../src/packet/address';
import { renderRules } from '../../../../src/steering/iptables';
import { HOLD, ITMS, plain } from '../../../unit/steering/iptables/topologies';
import {
  type Connection,
  KernelSets,
  type Router,
  trace,
  type Trace,
  type TracedPacket,
} from '../../../unit/steering/iptables/tracer';

interface Places {
  family: Family;
  acs: string;
  cpe: string;
  servers: [what: string, address: string, interfaceName: string][];
  router: Router;
}

const PLACES: Places[] = [
  {
    family: 'ipv4',
    acs: '10.1.0.1',
    cpe: '10.1.1.1',
    servers: [
      ['ITMS', '10.2.0.2', 'eth1'],
      ['collector', '10.3.0.2', 'eth2'],
    ],
    router: {
      addresses: ['10.1.0.1', '10.2.0.1', '10.3.0.1'],
      routes: [
        ['10.1.', 'eth0'],
        ['10.2.', 'eth1'],
        ['10.3.', 'eth2'],
      ],
    },
  },
  {
    family: 'ipv6',
    acs: '2001:db8:1::1',
    cpe: '2001:db8:1:1::8',
    servers: [
      ['ITMS', '2001:db8:2::2', 'eth1'],
      ['collector', '2001:db8:3::2', 'eth2'],
    ],
    router: {
      addresses: ['2001:db8:1::1', '2001:db8:2::1', '2001:db8:3::1'],
      routes: [
        ['2001:db8:1:', 'eth0'],
        ['2001:db8:2:', 'eth1'],
        ['2001:db8:3:', 'eth2'],
      ],
    },
  },
];

const CPE_PORT = 45_000;
const [WEB, REPORT] = [8099, 7547];

/** A host that accepts what conntrack knows or what begins, and drops what is INVALID. */
const HOST = `*filter
:FORWARD DROP [0:0]
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -m conntrack --ctstate NEW,RELATED,ESTABLISHED -j ACCEPT
COMMIT`;

/** One CPE, one server and the router between them, whose sets live on from packet to packet. */
class Wire {
  readonly sets = new KernelSets();
  private readonly known: Connection;

  constructor(
    private readonly rules: string[],
    private readonly places: Places,
    readonly server: string,
    readonly serverInterface: string,
    private readonly port: number,
    private readonly engine: 'alive' | 'dead',
  ) {
    const [source, destination] = [places.cpe, server];
    this.known = {
      ...{ originalSource: source, originalDestination: destination },
      ...{ replySource: destination, replyDestination: source },
    };
  }

  fromCpe(flags: string, more: Partial<TracedPacket> = {}): Trace {
    const { cpe } = this.places;
    return this.send({
      ...{ in: 'eth0', source: cpe, destination: this.server, flags },
      ...{ sourcePort: CPE_PORT, destinationPort: this.port, ...more },
    });
  }

  fromServer(flags: string, more: Partial<TracedPacket> = {}): Trace {
    return this.send({
      ...{ in: this.serverInterface, source: this.server, destination: this.places.cpe, flags },
      ...{ sourcePort: this.port, destinationPort: CPE_PORT, ...more },
    });
  }

  /** As a packet of the direct connection that conntrack has seen both ends of. */
  get established(): Partial<TracedPacket> {
    return { state: 'ESTABLISHED', connection: { ...this.known }, isAssured: true };
  }

  get answered(): Partial<TracedPacket> {
    return { state: 'ESTABLISHED', connection: { ...this.known } };
  }

  send(packet: TracedPacket): Trace {
    const { acs, servers, router } = this.places;
    const engine = (queue: number) => (queue === 0 ? { destination: servers[0]![1] } : { source: acs });
    return trace(this.rules, router, packet, this.engine === 'alive' ? engine : 'dead', this.sets);
  }

  /** What a packet that nobody touches leaves as. */
  get forth(): Trace {
    return [`out ${this.serverInterface} as ${this.places.cpe} > ${this.server}`];
  }
  get back(): Trace {
    return [`out eth0 as ${this.server} > ${this.places.cpe}`];
  }

  handshake(): void {
    expect(this.fromCpe('S')).toEqual(this.forth);
    expect(this.fromServer('S.', this.answered)).toEqual(this.back);
    expect(this.fromCpe('.', this.established)).toEqual(this.forth);
  }
}

const rows = PLACES.flatMap((places) =>
  places.servers.flatMap(([what, server, interfaceName]) =>
    [WEB, REPORT].flatMap((port) =>
      [HOLD, ITMS].flatMap((steering) =>
        (['alive', 'dead'] as const).map((engine) => {
          const title = `${places.family}, ${what}:${port}, ${steering.onEngineDown}, engine ${engine}`;
          const rules = [HOST, renderRules(plain, steering, places.family)];
          return [title, () => new Wire(rules, places, server, interfaceName, port, engine)] as const;
        }),
      ),
    ),
  ),
);

describe.each(rows)('%s', (_title, wireOf) => {
  it('a direct connection opens, talks and closes untouched, and conntrack sees both ends', () => {
    const wire = wireOf();
    wire.handshake();
    for (let i = 0; i < 3; i++) {
      expect(wire.fromServer('.', wire.established)).toEqual(wire.back);
      expect(wire.fromCpe('.', wire.established)).toEqual(wire.forth);
    }
    expect(wire.fromServer('F.', { ...wire.established, expiresSeconds: 120 })).toEqual(wire.back);
    expect(wire.fromCpe('F.', { ...wire.established, expiresSeconds: 60 })).toEqual(wire.forth);
    expect(wire.fromServer('.', { ...wire.established, expiresSeconds: 120 })).toEqual(wire.back);
  });

  it('a refusal reaches the CPE', () => {
    const wire = wireOf();
    wire.fromCpe('S');
    expect(wire.fromServer('R.', { ...wire.answered, sequence: 0 })).toEqual(wire.back);
  });

  it('a connection from before the rules is known by its next acknowledgement', () => {
    const wire = wireOf();
    expect(wire.fromCpe('.', wire.established)).toEqual(wire.forth);
    expect(wire.fromServer('.', wire.established)).toEqual(wire.back);
  });
});

/** No packet of the server leaves with the server's own address. */
const isSteered = (told: Trace, wire: Wire) => {
  expect(told).not.toEqual(wire.back);
  expect(told[0]).toBe('untracked');
};

describe.each(rows.filter(([title]) => title.endsWith('engine alive')))('a forger, %s', (_title, wireOf) => {
  it('one SYN exempts no data, no FIN and no reset of a running session', () => {
    const wire = wireOf();
    wire.fromCpe('S');
    for (const flags of ['.', 'P.', 'F.', 'R.', 'R']) isSteered(wire.fromServer(flags), wire);
  });

  it('nor does a SYN with any ACK behind it: conntrack has not seen the server’s SYN+ACK', () => {
    const wire = wireOf();
    wire.fromCpe('S');
    wire.fromCpe('.', { state: 'INVALID' });
    wire.fromCpe('.', { state: 'NEW' });
    // The server answers a SYN onto its running connection with an ACK. That goes the session's way.
    isSteered(wire.fromServer('.'), wire);
    expect(wire.sets.holding().filter((name) => name.includes('DIRECT'))).toEqual([]);
  });

  it('nor an ACK that does not fit the server’s SYN+ACK', () => {
    const wire = wireOf();
    wire.fromCpe('S');
    wire.fromServer('S.', wire.answered);
    wire.fromCpe('.', { state: 'INVALID' });
    isSteered(wire.fromServer('.'), wire);
  });

  it('the CPE’s own RST against a SYN+ACK that it did not ask for ends even the SYN’s entry', () => {
    const wire = wireOf();
    wire.fromCpe('S');
    wire.fromServer('S.', wire.answered);
    wire.fromCpe('R', wire.answered);
    expect(wire.sets.holding()).toEqual([]);
    isSteered(wire.fromServer('S.'), wire);
  });

  it('a Connection Request is never exempt', () => {
    const wire = wireOf();
    wire.handshake();
    isSteered(wire.fromServer('S'), wire);
  });

  it('a known connection exempts the one server that it is to, and that CPE’s port', () => {
    const wire = wireOf();
    wire.handshake();
    isSteered(wire.fromServer('.', { destinationPort: CPE_PORT + 1 }), wire);
    const port = wire.fromServer('.', wire.established).length === 1 ? WEB + 1 : 0;
    expect(port).not.toBe(0);
  });
});

describe.each(PLACES)('a session on the same port, $family', (places) => {
  it.each(['alive', 'dead'] as const)('through the ACS address ends the exemption, engine %s', (engine) => {
    const [, server, interfaceName] = places.servers[0]!;
    const rules = [HOST, renderRules(plain, ITMS, places.family)];
    const wire = new Wire(rules, places, server, interfaceName, REPORT, engine);
    wire.handshake();
    expect(wire.sets.holding()).toHaveLength(2);
    const session = { destination: places.acs, destinationPort: REPORT };
    expect(wire.fromCpe('S', session).at(-1)).toBe(wire.forth[0]);
    expect(wire.sets.holding()).toEqual([]);
    if (engine === 'alive') isSteered(wire.fromServer('S.'), wire);
  });
});

it('the sets of steered ports and of others are apart', () => {
  const [places] = PLACES;
  const rules = [HOST, renderRules(plain, HOLD, 'ipv4')];
  const web = new Wire(rules, places!, '10.2.0.2', 'eth1', WEB, 'alive');
  web.handshake();
  isSteered(web.fromServer('.', { sourcePort: REPORT }), web);
});

/** Packets, and what becomes of each: rows for both families. */
import { type Connection, type TracedPacket } from './tracer';
import { type Places, type Row, about } from './trace-places';

export const steered = ({ acs, itms, collector, cpe }: Places): Row[] => [
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

export const leftAlone = ({ acs, itms, cpe, admin, neighbour, outside, hop }: Places): Row[] => [
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
export const errorsAboutOurs = ({ acs, itms, collector, cpe, hop }: Places): Row[] => [
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
export const sessionOf = ({ acs, itms, cpe }: Places): Connection => ({
  ...{ originalSource: cpe, originalDestination: acs },
  ...{ replySource: itms, replyDestination: cpe },
});
export const requestOf = ({ acs, itms, cpe }: Places): Connection => ({
  ...{ originalSource: itms, originalDestination: cpe },
  ...{ replySource: cpe, replyDestination: acs },
});

/** With `itms` while no engine runs: what begins now. */
export const fallback = (places: Places): Row[] => {
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
export const stalled = (places: Places): [claim: string, packet: TracedPacket, heldBy: string][] => {
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
export const translatingHost = ({ acs, outside }: Places) => `*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d ${acs} -p tcp -m tcp --dport 7547 -j DNAT --to-destination ${outside}
-A POSTROUTING -o eth1 -j MASQUERADE
COMMIT`;

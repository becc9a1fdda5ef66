/** What the network answers when it is asked, and what doctor makes of it. */

import { type Host } from '../../../src/doctor/host';
import { CONFIGURATION, done, plantedHost } from './planted-host';
import { named } from './planted-findings';

const json = (value: unknown) => done(JSON.stringify(value));
const ADDRESSES = [
  { ifname: 'eth0', address: '02:00:00:00:00:10', addr_info: [{ local: '10.1.0.1', prefixlen: 16 }] },
  { ifname: 'eth1', address: '02:00:00:00:00:11', addr_info: [{ local: '10.2.0.1', prefixlen: 24 }] },
  { ifname: 'eth2', address: '02:00:00:00:00:12', addr_info: [{ local: '10.3.0.1', prefixlen: 24 }] },
];
const LINKS = ADDRESSES.map(({ ifname }) => ({ ifname, mtu: 1500, flags: ['UP'] }));

interface Network {
  /** MACs that answer, by address; the servers answer with one of theirs otherwise. */
  macs?: Record<string, string[]>;
  neighbours?: object[];
  /** Of connections, by address: `connected 2400` after so many ms. */
  outcomes?: Record<string, string>;
  /** What is lost: `10.2.0.2 1500`, `10.2.0.2 from 10.1.0.1`, `10.2.0.2`. */
  lost?: string[];
  told?: number;
  /** The gateway to the ITMS. */
  gateway?: string;
}

function hostOf({ macs = {}, neighbours = [], outcomes = {}, lost = [], told = 0, gateway }: Network): Host {
  const itms = { dev: 'eth1', ...(gateway === undefined ? {} : { gateway }) };
  const planted = plantedHost({
    programs: {
      'ip -j address show': json(ADDRESSES),
      'ip -j -d link show': json(LINKS),
      'ip -j -4 route get fibmatch 10.2.0.2': json([itms]),
      'ip -j -4 route get fibmatch 10.3.0.2': json([{ dev: 'eth2' }]),
      'ip -j -4 route get fibmatch 10.1.': json([{ dev: 'eth0' }]),
      'ip -j neighbour show': json(neighbours),
    },
  });
  return {
    ...planted,
    askMacs: (asks) =>
      asks.map(({ address }) => macs[address] ?? (address === '10.1.0.1' ? [] : ['02:00:00:00:00:99'])),
    connect: (address) => {
      const [outcome = 'connected', answerMs = '10'] = (outcomes[address] ?? '').split(' ').filter(Boolean);
      return Promise.resolve({
        outcome: outcome === 'late' ? 'connected' : outcome,
        connectMs: outcome === 'late' ? 1010 : 1,
        answerMs: Number(answerMs),
      });
    },
    echo: (asks) =>
      asks.map(({ address, bytes, from }) => {
        const isLost = [address, `${address} ${bytes}`, `${address} from ${from}`].some((what) => lost.includes(what));
        return { isAnswered: !isLost, mtu: isLost && bytes > 100 ? told : 0 };
      }),
  };
}

const DEAD: Network = {
  macs: { '10.2.0.2': [] },
  outcomes: { '10.2.0.2': 'silent' },
  lost: ['10.2.0.2', '10.2.0.2 1500'],
};

const rows: [string, string, Network, string, string | null][] = [
  ['all well', 'neighbours', {}, '2 hosts next to us answer (2 of them told their MAC)', null],
  ['all well', 'servers', {}, '2 servers answer on their report ports; 2 of them also answer the ACS address', null],
  ['all well', 'mtu', {}, '1500 bytes on every side; 2 of 2 servers answer a ping of full size', null],
  ['a dead server', 'neighbours', DEAD, 'nobody answers ARP for 10.2.0.2 on eth1 (the ITMS): it is down', null],
  ['a dead server, told once', 'servers', DEAD, '2 servers answer', null],
  ['a dead server', 'mtu', DEAD, '1 of 2 servers answer a ping of full size', null],
  [
    'a host that ignores our way of asking, and lives',
    'neighbours',
    { macs: { '10.2.0.2': [] } },
    '2 hosts next to us answer',
    null,
  ],
  [
    'a router in front, which is another host than the kernel has noted',
    'neighbours',
    {
      gateway: '10.2.0.254',
      neighbours: [{ dst: '10.2.0.254', dev: 'eth1', lladdr: '02:00:00:00:00:77', state: ['PERMANENT'] }],
    },
    'packets to 10.2.0.254 on eth1 (the ITMS) go to MAC 02:00:00:00:00:77 (PERMANENT), but 02:00:00:00:00:99 has',
    'ip neighbour delete 10.2.0.254 dev eth1',
  ],
  [
    'two hosts with one address',
    'neighbours',
    { macs: { '10.3.0.2': ['02:00:00:00:00:01', '02:00:00:00:00:02'] } },
    '2 hosts (02:00:00:00:00:01, 02:00:00:00:00:02) answer ARP for 10.3.0.2 on eth2 (collector c1)',
    null,
  ],
  [
    'another host with the ACS address',
    'neighbours',
    { macs: { '10.1.0.1': ['02:00:00:00:00:01'] } },
    'another host (02:00:00:00:00:01) answers ARP for the ACS address 10.1.0.1 on eth0',
    null,
  ],
  [
    'our own other interface on the same wire answers',
    'neighbours',
    { macs: { '10.1.0.1': ['02:00:00:00:00:12'] } },
    '2 hosts next to us answer',
    null,
  ],
  [
    'a server that refuses',
    'servers',
    { outcomes: { '10.2.0.2': 'ECONNREFUSED' } },
    'the ITMS (10.2.0.2) refuses connections to port 7547',
    null,
  ],
  [
    'a server that is silent but answers pings',
    'servers',
    { outcomes: { '10.3.0.2': 'silent' } },
    'collector c1 (10.3.0.2) does not answer on port 7547, though it is up',
    null,
  ],
  [
    'a server that accepts, and hangs',
    'servers',
    { outcomes: { '10.2.0.2': 'mute' } },
    'the ITMS (10.2.0.2) accepts connections to port 7547 and then says nothing: its program hangs',
    null,
  ],
  [
    'a server that accepts, and resets',
    'servers',
    { outcomes: { '10.2.0.2': 'reset' } },
    'the ITMS (10.2.0.2) accepts connections to port 7547 and resets them',
    null,
  ],
  [
    'a server that is slow',
    'servers',
    { outcomes: { '10.2.0.2': 'connected 2400' } },
    'the ITMS (10.2.0.2) took 2.4 s to answer on port 7547',
    null,
  ],
  [
    'a server that loses SYNs',
    'servers',
    { outcomes: { '10.2.0.2': 'late' } },
    'the ITMS (10.2.0.2) took 1.0 s to accept a connection to port 7547',
    null,
  ],
  [
    'our own firewall, where no server answers us',
    'servers',
    { outcomes: { '10.2.0.2': 'silent', '10.3.0.2': 'silent' }, lost: ['10.2.0.2', '10.3.0.2'] },
    'no server answers connections or pings of this host itself, though their next hops do',
    null,
  ],
  [
    'a router that says unreachable',
    'servers',
    { outcomes: { '10.2.0.2': 'EHOSTUNREACH' } },
    'the ITMS (10.2.0.2), port 7547 cannot be reached (EHOSTUNREACH)',
    null,
  ],
  [
    'no way back, behind a router',
    'servers',
    { gateway: '10.2.0.254', lost: ['10.2.0.2 from 10.1.0.1'] },
    'do not come back: there and on 10.2.0.254, route 10.1.0.0/16 through this router',
    null,
  ],
  [
    'a server that answers no ping proves nothing',
    'servers',
    { lost: ['10.2.0.2', '10.2.0.2 from 10.1.0.1'] },
    '2 servers answer on their report ports; 1 of them also',
    null,
  ],
  [
    'a narrower way, told by a router',
    'mtu',
    { gateway: '10.2.0.254', lost: ['10.2.0.2 1500'], told: 1400 },
    'the way to the ITMS (10.2.0.2) carries 1400 bytes of 1500',
    'ip route replace 10.2.0.2 via 10.2.0.254 dev eth1 mtu lock 1400 && iptables -t mangle -I FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
  ],
  [
    'a narrower way that nobody tells of',
    'mtu',
    { lost: ['10.2.0.2 1500', '10.2.0.2 1492', '10.2.0.2 1480'] },
    'loses packets of 1500 bytes without an error, those of 1476 arrive',
    'ip route replace 10.2.0.2 dev eth1 mtu lock 1476 && iptables -t mangle -I FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
  ],
];

test.each(rows)('%s: %s', async (_, check, network, says, mend) => {
  const [found, ...others] = await named(check).find(hostOf(network), CONFIGURATION);
  expect(others).toEqual([]);
  expect(found.message).toContain(says);
  expect(found.mend).toBe(mend);
});

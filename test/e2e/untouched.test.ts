/**
 * Everything that is not ours crosses a splitter's host as if acsplit were not there: the same packets are sent in three
 * worlds, without the bundle, with the bundle and no engine, and with both. Whoever receives something receives the same.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Actor } from '../../src/lab/actor';
import { cli, configurationText, Engine } from '../../src/lab/engine';
import { World } from '../../src/lab/world';
import { ADDRESSES, cpeAddress, FAMILY } from './support/family';
import { icmp, other, packet, PROTOCOLS, tcp, udp, type Carried } from './support/raw-packets';
import { DIST } from './support/stage';
import { type Peer, type PeerEvent } from './support/tcp-end';

jest.setTimeout(240_000);

const { acs, itms, collector, outside, routers } = ADDRESSES;
const CPE = cpeAddress(2, 1);
const IS_IPV6 = FAMILY === 'ipv6';
const ROLES = ['cpe', 'itms', 'collector', 'outside'] as const;
type Sender = (typeof ROLES)[number];
const OWN: Record<Sender, string> = { cpe: CPE, itms, collector, outside };

const [SYN, ACK] = [0x02, 0x10];
const [ECHO, UNREACHABLE, TOO_BIG]: [number, number][] = IS_IPV6
  ? [[128, 0], [1, 4], [2, 0]]
  : [[8, 0], [3, 3], [3, 4]]; // prettier-ignore
const echo = icmp(acs, ECHO!, 0x00070001, Buffer.from('is anybody there?'));
/** An error about a packet: IPv4 quotes the header and eight bytes, IPv6 as much as fits. */
const about = (kind: [number, number], source: string, destination: string, carried: Carried): Carried =>
  icmp(source, kind, IS_IPV6 ? 1300 : 1300, packet(source, destination, carried).subarray(0, IS_IPV6 ? 80 : 28));

type Row = [what: string, from: Sender, to: string, carried: Carried];
const ROWS: Row[] = [
  ['UDP from a CPE to the ITMS', 'cpe', itms, udp(4000, 161, 'trap')],
  ['UDP from the ITMS to a CPE', 'itms', CPE, udp(4000, 161, 'get')],
  ['UDP from the collector to a CPE', 'collector', CPE, udp(4000, 7547, 'stun')],
  ['UDP to a closed port of the ACS address, and the answer', 'cpe', acs, udp(4001, 7547, 'nobody')],
  ['UDP from a CPE to the Internet', 'cpe', outside, udp(4000, 53, 'query')],
  ['UDP from the Internet to a CPE', 'outside', CPE, udp(53, 4000, 'answer')],
  ['a ping of the ACS address, and its answer', 'cpe', acs, echo],
  ['a ping of the ITMS by a CPE', 'cpe', itms, echo],
  ['a ping of a CPE by the ITMS', 'itms', CPE, echo],
  ['a ping of the router by the collector', 'collector', routers.collector, echo],
  ['OSPF from a CPE to the ACS address', 'cpe', acs, other(PROTOCOLS.ospf, 'hello, neighbour')],
  ['OSPF from a CPE to the ITMS', 'cpe', itms, other(PROTOCOLS.ospf, 'hello, neighbour')],
  ['OSPF from the ITMS to a CPE', 'itms', CPE, other(PROTOCOLS.ospf, 'hello, neighbour')],
  ['VRRP from the ITMS to a CPE', 'itms', CPE, other(PROTOCOLS.vrrp, 'advertisement')],
  ['GRE from a CPE to the collector', 'cpe', collector, other(PROTOCOLS.gre, 'a tunnel to somewhere')],
  ['ESP from the collector to a CPE', 'collector', CPE, other(PROTOCOLS.esp, 'nobody can read this')],
  ['SCTP from a CPE to the ITMS', 'cpe', itms, other(PROTOCOLS.sctp, 'not a right chunk')],
  ['TCP from a CPE to the Internet, and the answer', 'cpe', outside, tcp(5000, 443, SYN)],
  ['TCP from the Internet to a CPE, and the answer', 'outside', CPE, tcp(5000, 8081, SYN)],
  ['TCP from the ITMS to the Internet', 'itms', outside, tcp(5000, 443, SYN)],
  ['TCP from the Internet to the collector, and the answer', 'outside', collector, tcp(5000, 8081, SYN)],
  ['TCP from the ITMS to the collector, and the answer', 'itms', collector, tcp(5000, 5432, SYN)],
  ['TCP from the ITMS to the router, and the answer', 'itms', routers.itms, tcp(5000, 22, SYN)],
  ['a SYN from a CPE to a closed port of the host, and its answer', 'cpe', acs, tcp(5000, 2222, SYN)],
  ['an error about a CPE’s TCP to the Internet', 'outside', CPE, about(TOO_BIG!, CPE, outside, tcp(5000, 443, ACK))],
  ['an error about a CPE’s UDP to the ITMS', 'itms', CPE, about(UNREACHABLE!, CPE, itms, udp(4000, 161, 'trap'))],
  ['an error about the ITMS’s UDP to a CPE', 'cpe', itms, about(UNREACHABLE!, itms, CPE, udp(4000, 161, 'get'))],
  ['an error about UDP of the ACS address', 'cpe', acs, about(UNREACHABLE!, acs, CPE, udp(123, 123, 'ntp'))],
  ['an error about the ITMS’s TCP to the Internet', 'outside', itms, about(TOO_BIG!, itms, outside, tcp(9, 443, ACK))],
];

type Bundle = 'nothing' | 'rules alone' | 'rules and engine';

/** What each host received, in order, without what a kernel chooses by chance. */
async function received(bundle: Bundle): Promise<Record<string, string[]>> {
  const world = await World.create({
    cpes: [CPE],
    family: FAMILY,
    outside: true,
    programs: join(DIST, 'lab'),
  });
  try {
    // Kernels limit how many errors they send, which would make a difference by chance.
    const limits = IS_IPV6
      ? ['net.ipv6.icmp.ratelimit=0']
      : ['net.ipv4.icmp_ratelimit=0', 'net.ipv4.icmp_msgs_per_sec=100000', 'net.ipv4.icmp_msgs_burst=100000'];
    for (const role of [...ROLES, 'split'] as const) await world.run(role, ['sysctl', '-qe', '-w', ...limits]);
    const engine = bundle === 'rules and engine' ? await Engine.start(world) : undefined;
    if (bundle === 'rules alone') {
      const file = join(world.directory, 'acsplit.yaml');
      writeFileSync(file, configurationText(world.directory, { family: FAMILY }));
      await world.run('split', cli(world, 'rules', 'install', '-c', file));
    }
    const peers = new Map<Sender, Peer>();
    for (const role of ROLES) {
      const argv = ['python3', join(__dirname, 'support', 'peer.py')];
      const peer: Peer = await Actor.launch<PeerEvent>(world, role, role, argv);
      await peer.ask('watch', { like: acs });
      peers.set(role, peer);
    }
    const seen = (role: Sender) =>
      peers
        .get(role)!
        .events.flatMap((event) => (event.event === 'packet' ? [event.hex] : []))
        .filter((hex) => !isNeighbourDiscovery(hex));
    const at: Record<string, string[]> = {};
    for (const [index, [what, from, to, carried]] of ROWS.entries()) {
      const before = ROLES.map((role) => seen(role).length);
      await peers.get(from)!.ask('packet', { hex: packet(OWN[from], to, carried).toString('hex') });
      // A packet behind it on the same way, twice so that answers come through as well: then what was sent has arrived,
      // since nothing of this waits in a queue.
      for (const round of ['there', 'back']) {
        for (const [near, far] of [
          ...ROLES.map((role) => [from, role]),
          ...ROLES.map((role) => [role, from]),
        ] as const) {
          if (near === far) continue;
          const text = `mark ${index} ${round} ${near} ${far}`;
          const mark = packet(OWN[near], OWN[far], udp(9, 9, text));
          await peers.get(near)!.ask('packet', { hex: mark.toString('hex') });
          const end = Buffer.from(text).toString('hex');
          const isMark = (event: PeerEvent) => event.event === 'packet' && event.hex.endsWith(end);
          await peers.get(far)!.until(isMark, `the mark behind "${what}" from ${near} at ${far}`);
        }
      }
      const news = ROLES.flatMap((role, i) =>
        seen(role)
          .slice(before[i])
          .filter((hex) => !Buffer.from(hex, 'hex').includes('mark '))
          .map((hex) => `${role}: ${withoutChance(hex)}`),
      );
      at[what] = news;
    }
    expect((await engine?.status())?.packets.received ?? 0).toBe(0);
    return at;
  } finally {
    await world.close();
  }
}

function isNeighbourDiscovery(hex: string): boolean {
  const bytes = Buffer.from(hex, 'hex');
  const isMulticastReport = IS_IPV6 && bytes[6] === 0;
  return isMulticastReport || (IS_IPV6 && bytes[6] === PROTOCOLS.icmpv6 && bytes[40]! >= 130 && bytes[40]! <= 143);
}

/** IPv4 identification, and with it the header's checksum; IPv6 flow label: the kernel's choice in what it sends itself. */
function withoutChance(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  if (IS_IPV6) bytes.writeUInt32BE(bytes.readUInt32BE(0) & ~0xfffff, 0);
  else bytes.fill(0, 4, 6).fill(0, 10, 12);
  return bytes.toString('hex');
}

describe('what is not ours', () => {
  let plain: Record<string, string[]>;

  beforeAll(async () => {
    plain = await received('nothing');
  });

  it('arrives at all where nothing is installed', () => {
    const toHosts = ROWS.filter(([, , to]) => to !== acs && !Object.values(routers).includes(to));
    for (const [what, from, to, carried] of toHosts) {
      // What arrives has one hop less to live.
      const sent = packet(OWN[from], to, carried);
      const [role] = ROLES.filter((one) => OWN[one] === to);
      expect([
        what,
        plain[what]!.some((text) => text.startsWith(`${role}: `) && text.endsWith(sent.subarray(-8).toString('hex'))),
      ]).toEqual([what, true]);
    }
    const answered = ROWS.filter(([what]) => what.includes('answer') && what.includes('and '));
    for (const [what] of answered) expect([what, plain[what]!.length > 0]).toEqual([what, true]);
  });

  it.each<Bundle>(['rules alone', 'rules and engine'])('arrives the same with %s', async (bundle) => {
    expect(await received(bundle)).toEqual(plain);
  });
});

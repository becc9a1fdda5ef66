/**
 * A small world on one machine: network namespaces joined by veth pairs, addresses as in the README.
 *
 *   cpe namespace                 split namespace                     itms namespace
 *   eth0 10.1.x.x ─────────────── eth0 10.1.0.1   eth1 10.2.0.1 ───── eth0 10.2.0.2
 *   (one address per CPE)                         eth2 10.3.0.1 ───── eth0 10.3.0.2, 10.3.0.3   collector namespace
 *                                                 eth3 10.4.0.1 ───── eth0 10.4.0.2             outside namespace
 *
 * The splitter's namespace forwards, with strict reverse path filtering, as routers do. The outside namespace, a fourth
 * network unrelated to TR-069, is created on demand.
 */
import { type Family } from '../packet/address';
import { ipBatch } from './namespaces';
import { FORWARD, Rooms } from './rooms';

export { end } from './rooms';

export type Role = 'cpe' | 'split' | 'itms' | 'collector' | 'outside';
/** Hosts that may have a router in front of them. */
export type Side = 'cpe' | 'itms' | 'collector';
/** Every namespace. */
export type Room = Role | `${Side}hop`;

/** All addresses of one family. */
export interface Places {
  acs: string;
  itms: string;
  collector: string;
  secondCollector: string;
  outside: string;
  cpeNetwork: string;
  /** The splitter's addresses on the other links; on the CPEs' link it is the ACS address. */
  routers: { itms: string; collector: string; outside: string };
  /** Prefix of the addresses between hops, followed by the numbers of the link and of its end. */
  transit: string;
}

export const PLACES: Readonly<Record<Family, Places>> = {
  ipv4: {
    acs: '10.1.0.1',
    itms: '10.2.0.2',
    collector: '10.3.0.2',
    secondCollector: '10.3.0.3',
    outside: '10.4.0.2',
    cpeNetwork: '10.1.0.0/16',
    routers: { itms: '10.2.0.1', collector: '10.3.0.1', outside: '10.4.0.1' },
    transit: '10.9.',
  },
  ipv6: {
    acs: '2001:db8:1::1',
    itms: '2001:db8:2::2',
    collector: '2001:db8:3::2',
    secondCollector: '2001:db8:3::3',
    outside: '2001:db8:4::2',
    cpeNetwork: '2001:db8:1::/64',
    routers: { itms: '2001:db8:2::1', collector: '2001:db8:3::1', outside: '2001:db8:4::1' },
    transit: 'fd09::',
  },
};

/** The addresses that the lab uses. */
export const ADDRESSES = PLACES.ipv4;

export const REPORT_PORT = 7547;

export interface WorldOptions {
  /** Addresses of the CPEs, all on the one interface of the CPEs' namespace. */
  cpes: readonly string[];
  /** Default: IPv4. */
  family?: Family;
  /** Adds the fourth network. */
  outside?: boolean;
  /** Adds a router between the splitter and each of CPEs, ITMS and collection servers, e.g. to put a small MTU behind it. */
  hops?: boolean;
  /** Directory of the actors' compiled programs. */
  programs?: string;
}

export class World extends Rooms<Room> {
  readonly family: Family;
  /** All addresses except those of the CPEs. */
  readonly places: Places;

  private constructor(private readonly options: WorldOptions) {
    const hops = options.hops === true ? (['cpehop', 'itmshop', 'collectorhop'] as const) : [];
    const outside = options.outside === true ? (['outside'] as const) : [];
    super(['cpe', 'split', 'itms', 'collector', ...outside, ...hops], options.programs ?? __dirname);
    this.family = options.family ?? 'ipv4';
    this.places = PLACES[this.family];
  }

  /** Builds the world. First removes what dead runs left behind. Cleans up if it fails half way. */
  static async create(options: WorldOptions): Promise<World> {
    const world = new World(options);
    try {
      await world.found();
      if (world.family === 'ipv6') await world.trustAddresses();
      await world.wire();
      await world.tune();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  /** Disables duplicate address detection: a tentative link-local address cannot resolve neighbours for a second or two. */
  private async trustAddresses(): Promise<void> {
    const script = 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad';
    await Promise.all(this.rooms.map((role) => this.run(role, ['sh', '-c', script])));
  }

  private async wire(): Promise<void> {
    const { acs, routers, ...hosts } = this.places;
    await ipBatch(['link set lo up'], this.namespace('split'));
    const [cpeBits, serverBits] = this.family === 'ipv6' ? [64, 64] : [16, 24];
    await this.join(0, 'cpe', acs, this.options.cpes, cpeBits);
    await this.join(1, 'itms', routers.itms, [hosts.itms], serverBits);
    await this.join(2, 'collector', routers.collector, [hosts.collector, hosts.secondCollector], serverBits);
    if (this.options.outside === true) await this.join(3, 'outside', routers.outside, [hosts.outside], serverBits);
  }

  /** The splitter's interface `index`, and the hosts behind it. */
  private async join(index: number, role: Side | 'outside', router: string, hosts: readonly string[], bits: number) {
    if (this.options.hops === true && role !== 'outside') return this.joinOverHop(index, role, router, hosts);
    const near = `eth${index}`;
    const routerLines = [
      `link add ${near} type veth peer name eth0 netns ${this.namespace(role)}`,
      this.addressLine(`${router}/${bits}`, near),
      `link set ${near} up`,
    ];
    const hostLines = [
      'link set lo up',
      ...hosts.map((address) => this.addressLine(`${address}/${bits}`, 'eth0')),
      'link set eth0 up',
      `route add ${this.everywhere} via ${router}`,
    ];
    await ipBatch(routerLines, this.namespace('split'));
    await ipBatch(hostLines, this.namespace(role));
  }

  /** split ethN ── eth0 hop eth1 ── eth0 host, with routes to the other networks. */
  private async joinOverHop(index: number, role: Side, router: string, hosts: readonly string[]) {
    const { transit } = this.places;
    const [separator, single, pair] = this.family === 'ipv6' ? [':', 128, 112] : ['.', 32, 24];
    const place = (link: number, end: number) => `${transit}${link}${separator}${end}`;
    const [left, right] = [index * 2 + 1, index * 2 + 2];
    const near = `eth${index}`;
    const hop: Room = `${role}hop`;
    const network = role === 'cpe' ? this.places.cpeNetwork : undefined;
    const behind = network === undefined ? hosts.map((address) => `${address}/${single}`) : [network];
    await ipBatch(
      [
        `link add ${near} type veth peer name eth0 netns ${this.namespace(hop)}`,
        this.addressLine(`${router}/${single}`, near),
        this.addressLine(`${place(left, 1)}/${pair}`, near),
        `link set ${near} up`,
        ...behind.map((destination) => `route add ${destination} via ${place(left, 2)}`),
      ],
      this.namespace('split'),
    );
    await ipBatch(
      [
        'link set lo up',
        this.addressLine(`${place(left, 2)}/${pair}`, 'eth0'),
        'link set eth0 up',
        `link add eth1 type veth peer name eth0 netns ${this.namespace(role)}`,
        this.addressLine(`${place(right, 1)}/${pair}`, 'eth1'),
        'link set eth1 up',
        `route add ${this.everywhere} via ${place(left, 1)}`,
        // The ACS address is inside the CPEs' network.
        `route add ${router}/${single} via ${place(left, 1)}`,
        ...behind.map((destination) => `route add ${destination} via ${place(right, 2)}`),
      ],
      this.namespace(hop),
    );
    await ipBatch(
      [
        'link set lo up',
        this.addressLine(`${place(right, 2)}/${pair}`, 'eth0'),
        ...hosts.map((address) => this.addressLine(`${address}/${single}`, 'lo')),
        'link set eth0 up',
        `route add ${this.everywhere} via ${place(right, 1)}`,
      ],
      this.namespace(role),
    );
    await this.run(hop, ['sh', '-e', '-c', FORWARD]);
  }

  private get everywhere(): string {
    return this.family === 'ipv6' ? '::/0' : 'default';
  }

  /** Without duplicate address detection an IPv6 address is usable at once. */
  private addressLine(address: string, device: string): string {
    return `address add ${address} dev ${device}${this.family === 'ipv6' ? ' nodad' : ''}`;
  }

  private async tune(): Promise<void> {
    const script = [FORWARD, 'for filter in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 > "$filter"; done'];
    await this.run('split', ['sh', '-e', '-c', script.join('\n')]);
  }
}

/**
 * Several routers that share the ACS address and the servers' gateways, in network namespaces:
 *
 *   cpe ── lan0 ─ eth0 a eth1 ─ lan1 ── itms
 *            └─── eth0 b eth1 ─┘              eth2 of both ─ lan2 ── collector,    eth3 of both ─ lan3
 *
 * The switches are bridges in a namespace of their own, so a router that loses power takes no switch with it. Both families.
 */
import { ipBatch } from '../namespaces';
import { FORWARD, Rooms } from '../rooms';
import { PLACES, type Places } from '../world';
import { bothOf, LINKS, ownAddresses, type RouterName, ROUTERS } from './places';

export type RouterRoom = 'cpe' | 'itms' | 'collector' | 'switch' | RouterName;

export interface RouterWorldOptions {
  /** Addresses of the CPEs, of either family. */
  cpes: readonly string[];
  /** Default: two. */
  routers?: 2 | 3;
  /** Directory of the actors' compiled programs. */
  programs?: string;
}

export class RouterWorld extends Rooms<RouterRoom> {
  readonly routers: readonly RouterName[];
  /** For actors: of IPv4. */
  readonly places: Places = PLACES.ipv4;

  private constructor(private readonly options: RouterWorldOptions) {
    const routers = ROUTERS.slice(0, options.routers ?? 2);
    super(['cpe', 'itms', 'collector', 'switch', ...routers], options.programs ?? `${__dirname}/..`);
    this.routers = routers;
  }

  /** Cleans up if it fails half way. */
  static async create(options: RouterWorldOptions): Promise<RouterWorld> {
    const world = new RouterWorld(options);
    try {
      await world.found();
      await world.tune();
      await world.wire();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  /** A router's end of a link, in the switch's namespace. */
  port(router: RouterName, link: number): string {
    return `${router}${link}`;
  }

  /** Pulls cables out at the switch, or puts them in. */
  async cable(router: RouterName, links: readonly number[], state: 'up' | 'down'): Promise<void> {
    const lines = links.map((link) => `link set ${this.port(router, link)} ${state}`);
    await ipBatch(lines, this.namespace('switch'));
  }

  private async tune(): Promise<void> {
    const dad = 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad';
    await Promise.all(this.rooms.map((room) => this.run(room, ['sh', '-c', dad])));
    const arp = [
      'echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore',
      'echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce',
    ];
    const routing = [FORWARD, ...arp].join('\n');
    await Promise.all(this.routers.map((router) => this.run(router, ['sh', '-e', '-c', routing])));
  }

  private async wire(): Promise<void> {
    const hosts = LINKS.flatMap(({ host }, link) => (host === undefined ? [] : [{ host, link }]));
    const bridges = LINKS.flatMap((_, link) => [
      `link add lan${link} type bridge mcast_snooping 0`,
      `link set lan${link} up`,
    ]);
    const plug = (port: string, link: number, end: string, room: RouterRoom) => [
      `link add ${port} type veth peer name ${end} netns ${this.namespace(room)}`,
      `link set ${port} master lan${link} up`,
    ];
    const toHosts = hosts.flatMap(({ host, link }) => plug(host, link, 'eth0', host));
    const toRouters = this.routers.flatMap((router) =>
      LINKS.flatMap((_, link) => plug(this.port(router, link), link, `eth${link}`, router)),
    );
    await ipBatch([...bridges, ...toHosts, ...toRouters], this.namespace('switch'));
    await Promise.all([
      ...hosts.map(({ host, link }) => this.wireHost(host, link)),
      ...this.routers.map((router) => this.wireRouter(router)),
    ]);
  }

  private async wireHost(host: 'cpe' | 'itms' | 'collector', link: number): Promise<void> {
    const addresses = {
      cpe: this.options.cpes,
      itms: bothOf(({ itms }) => itms),
      collector: [...bothOf(({ collector }) => collector), ...bothOf(({ secondCollector }) => secondCollector)],
    }[host];
    const gateways = bothOf(({ acs, routers }) => (host === 'cpe' ? acs : routers[host]));
    await ipBatch(
      [
        'link set lo up',
        ...addresses.map((address) => addressLine(address, link, 'eth0')),
        'link set eth0 up',
        `route add default via ${gateways[0]}`,
        // CPEs may all be of IPv4.
        ...(addresses.some((address) => address.includes(':')) ? [`route add ::/0 via ${gateways[1]}`] : []),
      ],
      this.namespace(host),
    );
  }

  private async wireRouter(router: RouterName): Promise<void> {
    const lines = LINKS.flatMap((_, link) => [
      ...ownAddresses(link, router).map((address) => addressLine(address, link, `eth${link}`)),
      `link set eth${link} up`,
    ]);
    await ipBatch(['link set lo up', ...lines], this.namespace(router));
  }
}

function addressLine(address: string, link: number, device: string): string {
  const isIpv6 = address.includes(':');
  return `address add ${address}/${isIpv6 ? 64 : LINKS[link]!.bits4} dev ${device}${isIpv6 ? ' nodad' : ''}`;
}

/**
 * Two routers with acsplit and real keepalived, which share the ACS address and the gateways' addresses:
 *
 *   cpe ── switch ┬ eth0 router A (split)   eth1, eth2 ┬ switch ── itms,      switch ── collector
 *                 └ eth0 router B (outside) eth1, eth2 ┘
 *
 * Each host's namespace holds the switch that it is behind, which floods every frame to both routers. Knows no test
 * framework: the test takes two of the kinds, `npm run prove keepalived` all.
 */
import { type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Status } from '../../../src/engine/report/status';
import { cli, configurationText, pause } from '../../../src/lab/engine';
import { end, PLACES, type Places, REPORT_PORT, type Role, World } from '../../../src/lab/world';
import { type Family } from '../../../src/packet/address';
import { type OnEngineDown } from '../../../src/splitter/topology';
import { type BackEnd, linkBackEnd } from './back-end';
import { Peer } from './rules-host';
import { DIST } from './stage';
import { FAST_PATH } from './fast-path';

/**
 * Without a virtual MAC; with one for the ACS address, whose packets come in by a macvlan; and the same where the kernel's
 * ARP is left as it is, so that CPEs learn the parent's MAC too.
 */
export const KINDS = ['no virtual MAC', 'use_vmac', 'use_vmac, ARP by default'] as const;
export type Kind = (typeof KINDS)[number];

/** A neighbour solicitation is answered by the interface that has the address alone: IPv6 has no third kind. */
export function kindsOf(family: Family): readonly Kind[] {
  return family === 'ipv4' ? KINDS : ['no virtual MAC', 'use_vmac'];
}

export interface KeepalivedOptions {
  family: Family;
  kind: Kind;
  backEnd: BackEnd;
  onEngineDown: OnEngineDown;
}

/** Where a session arrived, and what the router that does not have the addresses made of the flood. */
export interface KeepalivedStory {
  /** Whose `ip address` had the ACS address, before and after the switch. */
  masters: string[];
  /** Servers that saw the woken CPE's session, and one of another CPE, on the first master. */
  woken: string[];
  other: string[];
  /** Packets that the standby router's engine received meanwhile, and what its rules counted with its engine dead. */
  standbyReceived: number;
  wokenWhileStandbyDead: string[];
  /** Servers that saw a session after the switch. */
  afterSwitch: string[];
  /** Frames for the virtual MAC, or for A's, that reached B's wire: without them nothing was shown. */
  flooded: number;
}

const ROUTERS = ['split', 'outside'] as const satisfies readonly Role[];
type Router = (typeof ROUTERS)[number];
const VRRP_INTERFACE = 'vrrp.51';
const PATIENCE_MS = 30_000;
/** Longer than the entries of the dead-man's set live. */
const TAKEOVER_MS = 5000;
const LINES = 20;

/** One family's part: the addresses besides those of PLACES, and what VRRP makes of a family. */
const PARTS = {
  ipv4: {
    cpes: ['10.1.1.1', '10.1.1.2', '10.1.1.3', '10.1.1.4'],
    /** Each router's own, link by link. */
    own: [
      ['10.1.0.2', '10.1.0.3'],
      ['10.2.0.11', '10.2.0.12'],
      ['10.3.0.11', '10.3.0.12'],
    ],
    bits: [16, 24, 24],
    everywhere: 'default',
    nodad: '',
    /** RFC 9568, 7.3. */
    virtualMac: '00:00:5e:00:01:33',
  },
  ipv6: {
    cpes: ['2001:db8:1::1:1', '2001:db8:1::1:2', '2001:db8:1::1:3', '2001:db8:1::1:4'],
    own: [
      ['2001:db8:1::b', '2001:db8:1::c'],
      ['2001:db8:2::b', '2001:db8:2::c'],
      ['2001:db8:3::b', '2001:db8:3::c'],
    ],
    bits: [64, 64, 64],
    everywhere: '::/0',
    nodad: ' nodad',
    virtualMac: '00:00:5e:00:02:33',
  },
} as const;

/** The links: the host behind each, and the address that moves. */
const linksOf = (family: Family) => {
  const { acs, routers } = PLACES[family];
  const { own, bits } = PARTS[family];
  return [
    { role: 'cpe', moving: acs, own: own[0], bits: bits[0] },
    { role: 'itms', moving: routers.itms, own: own[1], bits: bits[1] },
    { role: 'collector', moving: routers.collector, own: own[2], bits: bits[2] },
  ] as const;
};
type Link = ReturnType<typeof linksOf>[number];

/** What every story must tell, `flooded` aside. */
export const RIGHT: Omit<KeepalivedStory, 'flooded'> = {
  masters: ['A', 'B'],
  woken: ['c1'],
  other: ['itms'],
  standbyReceived: 0,
  wokenWhileStandbyDead: ['c1'],
  afterSwitch: ['c1'],
};

export async function tellKeepalived(options: KeepalivedOptions): Promise<KeepalivedStory> {
  const { family } = options;
  const { cpes } = PARTS[family];
  const world = await World.create({ family, cpes, outside: true, programs: join(DIST, 'lab') });
  const stage = new TwoRouters(world, options);
  try {
    await stage.build();
    return await stage.tell();
  } finally {
    await stage.close();
  }
}

class TwoRouters {
  private readonly keepers = new Map<Router, ChildProcess>();
  private readonly engines = new Map<Router, ChildProcess>();
  private readonly servers = new Map<string, Peer>();
  private readonly family: Family;
  private readonly places: Places;
  private readonly part: (typeof PARTS)[Family];
  private readonly links: ReturnType<typeof linksOf>;

  constructor(
    private readonly world: World,
    private readonly options: KeepalivedOptions,
  ) {
    this.family = options.family;
    this.places = PLACES[this.family];
    this.part = PARTS[this.family];
    this.links = linksOf(this.family);
    linkBackEnd(this.binaries, options.backEnd);
  }

  private get vmac(): boolean {
    return this.options.kind !== 'no virtual MAC';
  }

  private get binaries(): string {
    return join(this.world.directory, 'back-end');
  }

  private directory(router: Router): string {
    return join(this.world.directory, router === 'split' ? 'a' : 'b');
  }

  private shell(role: Role, ...lines: string[]): Promise<string> {
    return this.world.run(role, ['sh', '-e', '-c', lines.join('\n')]);
  }

  private acsplit(router: Router, ...words: string[]): Promise<string> {
    const path = [this.binaries, process.env.PATH ?? ''].join(delimiter);
    const command = cli(this.world, ...words, '-c', join(this.directory(router), 'acsplit.yaml'));
    return this.world.run(router, ['env', `PATH=${path}`, ...command]);
  }

  private async status(router: Router): Promise<Status> {
    return JSON.parse(await this.acsplit(router, 'status', '--json')) as Status;
  }

  async build(): Promise<void> {
    // The link to the outside is no part of this; router B's own are to have A's names.
    await this.shell('outside', 'ip link set eth0 down', 'ip link set eth0 name spare');
    for (const [index, link] of this.links.entries()) await this.connect(index, link);
    for (const router of ROUTERS) {
      // Packets that come in by the macvlan have a way back by its parent.
      const filters = 'for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > "$file"; done';
      await this.shell(router, filters, 'echo 1 > /proc/sys/net/ipv4/ip_forward');
      if (this.family === 'ipv6') await this.shell(router, 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
      // Else the parent answers for the ACS address as well, and gives its own MAC where it asks for a CPE's.
      const arp = ['arp_ignore=1', 'arp_announce=2'].map((setting) => `sysctl -qw net.ipv4.conf.all.${setting}`);
      if (this.family === 'ipv4' && this.options.kind === 'use_vmac') await this.shell(router, ...arp);
      mkdirSync(this.directory(router));
      this.configure(router);
    }
    const { itms, collector } = this.places;
    for (const [name, role, address] of [
      ['itms', 'itms', itms],
      ['c1', 'collector', collector],
    ] as const) {
      this.servers.set(name, await Peer.start(this.world, role, ['listen', address, String(REPORT_PORT)], 'ready'));
    }
  }

  /** Makes a switch of the host's namespace, and its own interface the switch's. */
  private async connect(index: number, { role, bits, moving, own }: Link): Promise<void> {
    const near = `eth${index}`;
    const { everywhere, nodad } = this.part;
    const ip = this.family === 'ipv6' ? 'ip -6' : 'ip -4';
    await this.shell(
      role,
      // Nothing is learned, so everything is flooded.
      'ip link add lan type bridge ageing_time 0 mcast_snooping 0',
      `addresses=$(${ip} -o address show dev eth0 scope global | awk '{ print $4 }')`,
      `${ip} route flush dev eth0`,
      'ip address flush dev eth0',
      `for address in $addresses; do ip address add "$address" dev lan${nodad}; done`,
      'ip link set eth0 master lan',
      'ip link set lan up',
      `ip route add ${everywhere} via ${moving}`,
      `ip link add to-b type veth peer name ${near} netns ${this.world.namespace('outside')}`,
      'ip link set to-b master lan up',
    );
    await this.shell('split', `ip address delete ${moving}/${bits} dev ${near}`);
    for (const [at, router] of ROUTERS.entries()) {
      await this.shell(router, `ip address add ${own[at]}/${bits} dev ${near}${nodad}`, `ip link set ${near} up`);
    }
  }

  private configure(router: Router): void {
    const directory = this.directory(router);
    const { family, kind, onEngineDown } = this.options;
    const text = configurationText(directory, { family, onEngineDown, fastPath: FAST_PATH });
    const apart = `{ in: ${VRRP_INTERFACE}, out: eth0 }`;
    const interfaces: Record<Kind, string> = {
      'no virtual MAC': 'eth0',
      use_vmac: apart,
      'use_vmac, ARP by default': `[eth0, ${apart}]`,
    };
    writeFileSync(join(directory, 'acsplit.yaml'), text.replace('interface: eth0', `interface: ${interfaces[kind]}`));
    const instances = this.links.map(({ bits, moving }, index) =>
      [
        `vrrp_instance link${index} {`,
        `  state BACKUP`,
        `  interface eth${index}`,
        `  virtual_router_id ${51 + index}`,
        `  priority ${router === 'split' ? 150 : 100}`,
        '  advert_int 0.2',
        ...(this.vmac && index === 0 ? [`  use_vmac ${VRRP_INTERFACE}`, '  vmac_xmit_base'] : []),
        '  virtual_ipaddress {',
        // The first address of a virtual router of IPv6 is link-local. RFC 9568, 5.2.9
        ...(family === 'ipv6' ? [`    fe80::${51 + index}/64`] : []),
        `    ${moving}/${bits}`,
        '  }',
        '}',
      ].join('\n'),
    );
    const group = `vrrp_sync_group all { group { ${this.links.map((_, index) => `link${index}`).join(' ')} } }`;
    const globals = `global_defs { router_id ${router} vrrp_version 3 }`;
    writeFileSync(join(directory, 'keepalived.conf'), [globals, ...instances, group, ''].join('\n'));
  }

  /** keepalived keeps its process ids in files whose paths are given. */
  private keep(router: Router): void {
    const at = (name: string) => join(this.directory(router), name);
    const files = ['-f', at('keepalived.conf'), '-p', at('main.pid'), '-r', at('vrrp.pid'), '-c', at('checkers.pid')];
    const child = this.world.start(router, ['keepalived', '-n', '-l', '-P', ...files]);
    for (const stream of [child.stdout!, child.stderr!]) stream.resume();
    this.keepers.set(router, child);
  }

  private async run(router: Router): Promise<void> {
    await this.acsplit(router, 'rules', 'install');
    const path = [this.binaries, process.env.PATH ?? ''].join(delimiter);
    const command = cli(this.world, 'run', '-c', join(this.directory(router), 'acsplit.yaml'));
    const child = this.world.start(router, ['env', `PATH=${path}`, ...command]);
    let said = '';
    child.stdout!.resume();
    child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    this.engines.set(router, child);
    await until(() => {
      if (child.exitCode !== null) throw new Error(`the engine of ${router} ended: ${said}`);
      return said.includes('"event":"ready"');
    }, `the engine of ${router}`);
  }

  private async master(): Promise<string> {
    const having: string[] = [];
    for (const router of ROUTERS) {
      const addresses = await this.shell(router, 'ip -o address show');
      if (addresses.includes(` ${this.places.acs}/`)) having.push(router === 'split' ? 'A' : 'B');
    }
    return having.join();
  }

  private async untilMaster(name: string): Promise<void> {
    let found = '';
    await until(
      async () => (found = await this.master()) === name,
      () => `${name} to be master, found ${found}`,
    );
  }

  /** A CPE opens a session and says some lines; answers the servers that have accepted it. */
  private async session(cpe: string): Promise<string[]> {
    const peer = new Peer(this.world, 'cpe', ['connect', cpe, this.places.acs, String(REPORT_PORT)]);
    await peer.until('connected');
    for (let line = 0; line < LINES; line++) await peer.echo(`line ${line} of ${cpe}`);
    await peer.stop();
    // Whatever a flood has led elsewhere has arrived by now.
    await pause(300);
    const names = [...this.servers].filter(([, server]) =>
      server.events.some(({ event, from }) => event === 'accepted' && from === cpe),
    );
    return names.map(([name]) => name);
  }

  private async wake(router: Router, cpe: string): Promise<void> {
    await this.acsplit(router, 'activate', cpe, '--collector', 'c1');
  }

  private async countFlood(): Promise<number> {
    const mac = this.vmac
      ? this.part.virtualMac
      : (await this.shell('split', 'cat /sys/class/net/eth0/address || ip -br link show eth0')).trim();
    const text = await this.shell(
      'outside',
      `timeout 3 tcpdump -i eth0 -c 5 -nn -Q in "ether dst ${mac} and tcp" 2>/dev/null | wc -l || true`,
    );
    return Number(text.trim());
  }

  async tell(): Promise<KeepalivedStory> {
    const [wokenCpe, otherCpe, laterCpe, lastCpe] = this.part.cpes;
    for (const router of ROUTERS) this.keep(router);
    await this.untilMaster('A');
    // B's macvlan, too, is there by now: rules for an interface that does not exist are refused.
    for (const router of ROUTERS) await this.run(router);
    await this.wake('split', wokenCpe);
    const flood = this.countFlood();
    await pause(300);
    const woken = await this.session(wokenCpe);
    const other = await this.session(otherCpe);
    const flooded = await flood;
    const standbyReceived = (await this.status('outside')).packets.received;
    await end(this.engines.get('outside')!);
    await pause(TAKEOVER_MS);
    await this.wake('split', laterCpe);
    const wokenWhileStandbyDead = await this.session(laterCpe);
    await this.run('outside');
    const masters = [await this.master()];
    await end(this.keepers.get('split')!);
    await this.untilMaster('B');
    masters.push(await this.master());
    await this.wake('outside', lastCpe);
    const afterSwitch = await this.session(lastCpe);
    return { masters, woken, other, standbyReceived, wokenWhileStandbyDead, afterSwitch, flooded };
  }

  async close(): Promise<void> {
    for (const child of [...this.keepers.values(), ...this.engines.values()]) await end(child);
    await this.world.close();
  }
}

async function until(condition: () => boolean | Promise<boolean>, what: string | (() => string)): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; !(await condition()); await pause(50)) {
    if (Date.now() > deadline) {
      throw new Error(`waited ${PATIENCE_MS} ms for ${typeof what === 'string' ? what : what()}`);
    }
  }
}

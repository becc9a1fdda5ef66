/** The host between two narrow links, in every shape that the fast path must carry through. */
import { type Side } from '../../../src/lab/world';
import { narrow, narrowNear } from './errors';
import { ADDRESSES, FAMILY, IPTABLES } from './family';
import { type TcpStage } from './tcp-stage';
import { PYTHON } from '../../support/tools';

const IP = FAMILY === 'ipv6' ? '-6' : '-4';
const ETHERNET = 1500;
const SPLITTERS = { cpe: 'eth0', itms: 'eth1' } as const;
const SIDES = ['cpe', 'itms'] as const;
type NarrowSide = (typeof SIDES)[number];

export const MTUS = [1280, 1400, 1492, ETHERNET] as const;
/** The far link of a side, the splitter's own one, or its route to the side's hosts. */
export const PLACES = ['link', 'device', 'route'] as const;
/** What the splitter's interfaces are. */
export const DEVICES = ['veth', 'bridge', 'macvlan'] as const;

export interface Path {
  mtu: (typeof MTUS)[number];
  side: NarrowSide;
  place: (typeof PLACES)[number];
  device: (typeof DEVICES)[number];
  /** Segments and checksums are left to the interfaces, as usual. */
  offloads: boolean;
  /** One packet of a hundred, before the splitter and behind it, both ways. */
  loses: boolean;
}

/** All of them; MTU 1500 is nowhere narrow, so once. */
export function allPaths(): Path[] {
  const narrow = MTUS.filter((mtu) => mtu !== ETHERNET);
  const narrowings: Pick<Path, 'mtu' | 'side' | 'place'>[] = narrow.flatMap((mtu) =>
    SIDES.flatMap((side) => PLACES.map((place) => ({ mtu, side, place }))),
  );
  narrowings.push({ mtu: ETHERNET, side: 'cpe', place: 'link' });
  const bools = [true, false];
  return DEVICES.flatMap((device) =>
    bools.flatMap((offloads) =>
      bools.flatMap((loses) => narrowings.map((narrowing) => ({ ...narrowing, device, offloads, loses }))),
    ),
  );
}

/** Runs `happen` on this path, and leaves the world as it was. */
export async function onPath(stage: TcpStage, path: Path, happen: () => Promise<void>): Promise<void> {
  const { mtu, side, place, device, offloads, loses } = path;
  const undo: (() => Promise<unknown>)[] = [];
  const change = async (act: () => Promise<unknown>, back: () => Promise<unknown>): Promise<void> => {
    undo.unshift(back);
    await act();
  };
  try {
    if (device !== 'veth') {
      for (const link of SIDES.map((one) => SPLITTERS[one])) {
        await change(
          () => replace(stage, link, device),
          () => restore(stage, link),
        );
      }
    }
    if (!offloads)
      await change(
        () => offload(stage, false),
        () => offload(stage, true),
      );
    if (mtu !== ETHERNET) {
      await change(
        () => narrowed(stage, side, place, mtu),
        () => narrowed(stage, side, place, ETHERNET),
      );
    }
    if (loses)
      await change(
        () => lose(stage, '-I'),
        () => lose(stage, '-D'),
      );
    await happen();
  } finally {
    for (const back of undo) await back();
  }
}

async function narrowed(stage: TcpStage, side: Side, place: Path['place'], bytes: number): Promise<void> {
  if (place === 'link') return narrow(stage, side, bytes);
  if (place === 'device') return narrowNear(stage, side, bytes);
  const to = side === 'cpe' ? stage.world.places.cpeNetwork : ADDRESSES.itms;
  const [route] = (await stage.world.run('split', ['ip', IP, 'route', 'show', to])).split('\n');
  const plain = route!.replace(/ mtu (lock )?\d+/, '').split(' ');
  const metric = bytes === ETHERNET ? [] : ['mtu', ...(FAMILY === 'ipv4' ? ['lock'] : []), String(bytes)];
  const words = plain.filter((word) => word !== '').concat(metric);
  await stage.world.run('split', ['ip', IP, 'route', 'replace', ...words]);
}

/** The interface's name goes to a device on top of it, with its addresses and routes. */
async function replace(stage: TcpStage, link: string, device: 'bridge' | 'macvlan'): Promise<void> {
  const below = `${link}-below`;
  const split = (...words: string[]): Promise<string> => stage.world.run('split', words);
  // Where the kernel has br_netfilter; otherwise iptables, and the engine, would come before the bridge's own filter.
  const setting = `/proc/sys/net/bridge/bridge-nf-call-${FAMILY === 'ipv6' ? 'ip6tables' : 'iptables'}`;
  await split('sh', '-c', `if [ -e ${setting} ]; then echo 0 > ${setting}; fi`);
  const kept = await keep(stage, link);
  await split('ip', 'address', 'flush', 'dev', link, 'scope', 'global');
  await split('ip', 'link', 'set', link, 'name', below);
  if (device === 'bridge') {
    await split('ip', 'link', 'add', link, 'type', 'bridge');
    await split('ip', 'link', 'set', below, 'master', link);
  } else {
    await split('ip', 'link', 'add', 'link', below, 'name', link, 'type', 'macvlan', 'mode', 'private');
  }
  await give(stage, link, kept);
}

async function restore(stage: TcpStage, link: string): Promise<void> {
  const kept = await keep(stage, link);
  await stage.world.run('split', ['ip', 'link', 'delete', link]);
  await stage.world.run('split', ['ip', 'link', 'set', `${link}-below`, 'name', link]);
  await give(stage, link, kept);
}

interface Kept {
  addresses: string[];
  routes: string[];
}

async function keep(stage: TcpStage, link: string): Promise<Kept> {
  const lines = async (...words: string[]) =>
    (await stage.world.run('split', ['ip', IP, ...words])).split('\n').filter((line) => line !== '');
  const addresses = await lines('-o', 'address', 'show', 'dev', link, 'scope', 'global');
  const routes = await lines('route', 'show', 'dev', link);
  return {
    addresses: addresses.map((line) => /inet6? (\S+)/.exec(line)![1]!),
    routes: routes.filter((line) => line.includes(' via ')).map((line) => line.replace(/ (pref|linkdown).*/, '')),
  };
}

async function give(stage: TcpStage, link: string, { addresses, routes }: Kept): Promise<void> {
  const ip = (...words: string[]): Promise<string> => stage.world.run('split', ['ip', IP, ...words]);
  await ip('link', 'set', link, 'up');
  for (const address of addresses) {
    await ip('address', 'replace', address, 'dev', link, ...(FAMILY === 'ipv6' ? ['nodad'] : []));
  }
  // The link's hardware address may be another one now.
  const hop = link === 'eth0' ? 'cpehop' : 'itmshop';
  await stage.world.run(hop, ['ip', IP, 'neigh', 'flush', 'dev', 'eth0']);
  for (const route of routes) await ip('route', 'replace', ...route.trim().split(' '), 'dev', link);
}

/** On every interface of the splitter and of the hosts. linux/ethtool.h: checksums, both ways, TSO, GSO, GRO. */
async function offload(stage: TcpStage, isOn: boolean): Promise<void> {
  const program = `
import array, fcntl, os, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _, name in socket.if_nameindex():
    for command in (${isOn ? '0x15, 0x17, 0x1f, 0x24, 0x2c' : '0x2c, 0x24, 0x1f, 0x17, 0x15'}):
        value = array.array('B', struct.pack('II', command, ${isOn ? 1 : 0}))
        try:
            fcntl.ioctl(s, 0x8946, struct.pack('16sP', name.encode(), value.buffer_info()[0]))
        except OSError:
            pass
`;
  const rooms = ['split', 'cpe', 'itms', 'collector', 'cpehop', 'itmshop', 'collectorhop'] as const;
  for (const room of rooms) await stage.world.run(room, [PYTHON, '-c', program]);
}

async function lose(stage: TcpStage, action: '-I' | '-D'): Promise<void> {
  const rule = ['-p', 'tcp', '-m', 'statistic', '--mode', 'random', '--probability', '0.01', '-j', 'DROP'];
  for (const room of ['cpehop', 'itmshop', 'collectorhop'] as const) {
    await stage.world.run(room, [IPTABLES, '-w', action, 'FORWARD', ...rule]);
  }
}

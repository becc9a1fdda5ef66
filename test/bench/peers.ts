/** The alternatives to acsplit, each at its best, and acsplit. */
import { type ChildProcess } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { cli, configurationText, pause } from '../../src/lab/engine';
import { ADDRESSES, REPORT_PORT } from '../../src/lab/world';
import { type EngineDriverOptions } from './engine-driver';
import { eventually } from '../e2e/support/run-host';
import { ACTIVATED_CPES, LIVE_CAPACITY, NETWORKS } from './population';
import { type Mode, type Rig, type Targets } from './rig';

export interface Peer {
  name: string;
  modes: readonly Mode[];
  targets: Targets;
  /** Run before anything is measured. */
  warmUp?: readonly Mode[];
  /** Before each mode: until it has done all that the one before has left it to do. */
  settle?(rig: Rig): Promise<void>;
  /** Puts it in the place of the splitter; answers its process, where it has one. */
  start(rig: Rig): Promise<ChildProcess | undefined>;
}

const TO_ACS: Targets = [ADDRESSES.acs, ADDRESSES.acs];
const EVERYTHING = ['bulk', 'churn', 'flood', 'latency'] as const;
const FIRST_QUEUE = 0;
/** Of the cluster's status, a second between them. */
const MOST_LOOKS = 180;

/** Names for the rulesets: what a diverted CPE is, and the CPEs that are activated beforehand. */
const DEFINITIONS = `
define ACS = ${ADDRESSES.acs}
define ITMS = ${ADDRESSES.itms}
define COLLECTOR = ${ADDRESSES.collector}
define REPORT = ${REPORT_PORT}
`;

function activatedElements(): string {
  const element = (n: number) => `10.1.${64 + (n >> 8)}.${n & 255} timeout 1h`;
  return `elements = { ${Array.from({ length: ACTIVATED_CPES }, (_, n) => element(n)).join(', ')} }`;
}

const conntrackNat = `${DEFINITIONS}
table ip nat {
  chain steer {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "eth0" ip daddr $ACS tcp dport $REPORT ip saddr ${NETWORKS.collectors} dnat to $COLLECTOR
    iifname "eth0" ip daddr $ACS tcp dport $REPORT dnat to $ITMS
  }
}`;

const remembered = `
  set remembered {
    type ipv4_addr
    size 1048576
    flags dynamic,timeout
    timeout 60s
    ${activatedElements()}
  }`;

/** The whole story with conntrack: a collector's FIN remembers the CPE. */
const nftConntrack = `${DEFINITIONS}
table ip sl {${remembered}
  chain learn {
    type filter hook forward priority mangle; policy accept;
    iifname "eth2" oifname "eth0" ip saddr $COLLECTOR tcp flags & fin == fin update @remembered { ip daddr timeout 60s }
  }
  chain steer {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "eth0" ip daddr $ACS tcp dport $REPORT ip saddr @remembered dnat to $COLLECTOR
    iifname "eth0" ip daddr $ACS tcp dport $REPORT dnat to $ITMS
  }
  chain hide {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "eth0" snat to $ACS
  }
}`;

/** Report traffic only, without conntrack: a map from connection to server. */
const nftStateless = `${DEFINITIONS}
table ip sl {${remembered}
  map conns {
    type ipv4_addr . inet_service : ipv4_addr
    size 1048576
    flags dynamic,timeout
    timeout 60s
  }
  chain steer {
    type filter hook prerouting priority raw; policy accept;
    iifname { "eth1", "eth2" } notrack accept
    ip daddr != $ACS accept
    tcp dport != $REPORT accept
    notrack
    tcp flags & (syn|ack) == syn ip saddr @remembered update @conns { ip saddr . tcp sport : $COLLECTOR }
    ip daddr set ip saddr . tcp sport map @conns accept
    ip daddr set $ITMS
  }
  chain hide {
    type filter hook postrouting priority srcnat; policy accept;
    oifname "eth0" ip saddr set $ACS
  }
}`;

const haproxyConfiguration = `
global
  nbthread 1
  maxconn 2000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option splice-auto
frontend acs
  bind ${ADDRESSES.acs}:${REPORT_PORT} backlog 4096
  use_backend collector if { src ${NETWORKS.collectors} }
  default_backend itms
backend itms
  stick-table type ip size 1m expire 60s
  stick on src
  server itms ${ADDRESSES.itms}:${REPORT_PORT}
backend collector
  stick-table type ip size 1m expire 60s
  stick on src
  server collector ${ADDRESSES.collector}:${REPORT_PORT}
`;

/** acsplit's own rules: every peer behind NFQUEUE gets its packets by them, as if its engine always gave verdicts. */
async function installRules(rig: Rig): Promise<void> {
  const file = rig.path('acsplit.yaml');
  writeFileSync(file, configurationText(rig.world.directory, {}));
  await rig.world.run('split', cli(rig.world, 'rules', 'install', '-c', file));
  for (const half of ['0.0.0.0/1', '128.0.0.0/1']) {
    await rig.world.run('split', ['ipset', '-exist', 'add', 'ACSPLIT-ALIVE4', half, 'timeout', '0']);
  }
}

async function startDriver(rig: Rig, binding: EngineDriverOptions['binding']): Promise<ChildProcess> {
  await installRules(rig);
  const options: EngineDriverOptions = { binding, firstQueue: FIRST_QUEUE };
  const program = rig.program('test/bench/engine-driver.js');
  return rig.startPeer([process.execPath, program, JSON.stringify(options)]);
}

interface ProductOptions {
  modes: readonly Mode[];
  /** Of the configuration. */
  lines: readonly string[];
  before?: (rig: Rig) => Promise<string[]>;
}

/** The whole product: supervisor and worker, 100 000 live entries in each table. */
function product(name: string, { modes, lines: more, before }: ProductOptions): Peer {
  const start = async (rig: Rig) => {
    const file = rig.path('acsplit.yaml');
    const lines = [
      `cpe: { interface: eth0, address: ${ADDRESSES.acs}, networks: [10.0.0.0/8] }`,
      `itms: { interface: eth1, address: ${ADDRESSES.itms} }`,
      `collectors: [{ name: c1, interface: eth2, address: ${ADDRESSES.collector} }]`,
      `reportPorts: [${REPORT_PORT}]`,
      `ttl: { armed: 3600 }`,
      `tables: { capacity: ${LIVE_CAPACITY} }`,
      'onEngineDown: hold',
      `stateDirectory: ${rig.path('state')}`,
      ...more,
      ...((await before?.(rig)) ?? []),
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    await rig.world.run('split', [process.execPath, rig.program('test/bench/prepare-state.js'), file]);
    await rig.world.run('split', cli(rig.world, 'rules', 'install', '-c', file));
    const child = rig.world.start('split', cli(rig.world, 'run', '-c', file));
    child.stdout!.resume();
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await eventually('the engine', () => {
      if (child.exitCode !== null) throw new Error(said);
      return said.includes('"event":"ready"') || undefined;
    });
    return child;
  };
  const settle = (rig: Rig) => (before ? untilPublished(rig, rig.path('acsplit.yaml')) : Promise.resolve());
  return { name, modes, targets: TO_ACS, start, settle, warmUp: ['story', 'calm'] };
}

/** Stores on sockets of their own, as docs/cluster.md wants them. @returns lines of the configuration */
async function startStores(rig: Rig): Promise<string[]> {
  const stores = ['one', 'two'].map((name) => rig.path(`${name}.socket`));
  for (const store of stores) {
    const never = ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction'];
    rig.world.start('split', [
      'redis-server',
      '--port',
      '0',
      '--unixsocket',
      store,
      '--dir',
      rig.world.directory,
      ...never,
    ]);
    await eventually(`the store ${store}`, () => existsSync(store) || undefined);
  }
  return [`cluster: { group: g, name: a, stores: [${stores.map((store) => `{ address: ${store} }`).join(', ')}] }`];
}

/** All that the tables have told is in the stores. */
async function untilPublished(rig: Rig, file: string): Promise<void> {
  let stoodStill = 0;
  for (let before = -1, looks = 0; looks < MOST_LOOKS; looks++) {
    await pause(1000);
    const status = await rig.world.run('split', cli(rig.world, 'status', '--json', '-c', file));
    const { published } = (JSON.parse(status) as { cluster: { published: number } }).cluster;
    stoodStill = published > 0 && published === before ? stoodStill + 1 : 0;
    // A busy store may take a second for a call.
    if (stoodStill === 2) return;
    before = published;
  }
  throw new Error('the stores do not have all rows');
}

export const ACSPLIT = 'acsplit';
export const PLAIN = 'plain forwarding (the limit)';
export const CARRIED = 'acsplit, fastPath on';
export const UNCARRIED = 'acsplit, fastPath off';
export const ALONE = 'alone';
export const CLUSTERED = 'with two stores';
export const C = 'C, libnetfilter_queue';
export const HAPROXY = 'HAProxy, TCP mode';
export const KERNEL_NAT = 'kernel conntrack NAT';
export const NFT_CONNTRACK = 'nft ruleset, conntrack';
export const NFT_STATELESS = 'nft ruleset, stateless';

export const PEERS: readonly Peer[] = [
  {
    name: PLAIN,
    modes: EVERYTHING,
    targets: [ADDRESSES.collector, ADDRESSES.itms],
    start: () => Promise.resolve(undefined),
  },
  ruleset(KERNEL_NAT, EVERYTHING, conntrackNat),
  ruleset(NFT_CONNTRACK, [...EVERYTHING, 'story'], nftConntrack),
  ruleset(NFT_STATELESS, EVERYTHING, nftStateless),
  { name: HAPROXY, modes: ['bulk', 'churn', 'latency'], targets: TO_ACS, start: startHaproxy },
  {
    name: C,
    modes: EVERYTHING,
    targets: TO_ACS,
    start: async (rig) => {
      await installRules(rig);
      const [network] = NETWORKS.collectors.split('/');
      const words = [`${FIRST_QUEUE}`, ADDRESSES.acs, ADDRESSES.itms, ADDRESSES.collector, network, '255.255.224.0'];
      return rig.startPeer([rig.program('rewriter'), ...words]);
    },
  },
  { name: ACSPLIT, modes: [...EVERYTHING, 'story'], targets: TO_ACS, start: (rig) => startDriver(rig, 'addon') },
  { name: 'npm nfqueue', modes: EVERYTHING, targets: TO_ACS, start: (rig) => startDriver(rig, 'nfqueue') },
];

/** Those of the fast path's own benchmark. */
export const CARRYING_PEERS: readonly Peer[] = [
  ...PEERS.filter(({ name }) => [PLAIN, KERNEL_NAT, NFT_STATELESS].includes(name)),
  ruleset(NFT_CONNTRACK, ['story'], nftConntrack),
  product(CARRIED, { modes: [...EVERYTHING, 'calm', 'story'], lines: ['fastPath: on'] }),
  product(UNCARRIED, { modes: [...EVERYTHING, 'calm', 'story'], lines: ['fastPath: off'] }),
];

const CLUSTER_MODES = ['calm', 'story', 'paced', 'beside', 'churn'] as const;

/** Those of the cluster's benchmark; fastPath is as by default. */
export const CLUSTER_PEERS: readonly Peer[] = [
  product(ALONE, { modes: CLUSTER_MODES, lines: [] }),
  product(CLUSTERED, { modes: CLUSTER_MODES, lines: [], before: startStores }),
];

function ruleset(name: string, modes: readonly Mode[], rules: string): Peer {
  const start = async (rig: Rig) => {
    await rig.nft(rules);
    return undefined;
  };
  return { name, modes, targets: TO_ACS, start };
}

async function startHaproxy(rig: Rig): Promise<ChildProcess> {
  writeFileSync(rig.path('haproxy.cfg'), haproxyConfiguration);
  const child = rig.world.start('split', ['haproxy', '-db', '-f', rig.path('haproxy.cfg')]);
  await rig.untilListening('split');
  return child;
}

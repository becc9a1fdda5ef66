/**
 * What is not ours, as a product: every sender × every receiver × every protocol. The same packets are sent on a router
 * without the bundle and on one with it, in several states; each host must receive the same. Knows no test framework: the
 * test takes two states, `npm run prove untouched` all, with both back ends and families.
 */
import { writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Actor } from '../../../src/lab/actor';
import { cli, configurationText, Engine, type EngineOptions } from '../../../src/lab/engine';
import { PLACES, REPORT_PORT, World } from '../../../src/lab/world';
import { type Family } from '../../../src/packet/address';
import { type BackEnd, linkBackEnd } from './back-end';
import { type Carried, fragments, icmp, other, packet, PROTOCOLS, tcp, udp } from './raw-packets';
import { DIST } from './stage';
import { type Peer, type PeerEvent } from './tcp-end';
import { FAST_PATH } from './fast-path';
import { PYTHON } from '../../support/tools';

export const STATES = ['rules alone', 'rules alone, hold', 'auto', 'off', 'paused'] as const;
export type State = (typeof STATES)[number];

export interface UntouchedOptions {
  family: Family;
  backEnd: BackEnd;
  /** Absent: without the bundle. */
  state?: State;
}

const SENDERS = ['cpe', 'itms', 'collector', 'outside'] as const;
type Sender = (typeof SENDERS)[number];
/** Addresses of the router, by the network that they are in; that of the CPEs is the ACS address. */
const OWN_ADDRESSES = ['acs', 'router-itms', 'router-collector', 'router-outside'] as const;
type Party = Sender | (typeof OWN_ADDRESSES)[number];
const PARTIES: readonly Party[] = [...SENDERS, ...OWN_ADDRESSES];

const CPES: Readonly<Record<Family, string>> = { ipv4: '10.1.2.1', ipv6: '2001:db8:1::2:1' };
const FLAGS = { FIN: 0x01, SYN: 0x02, RST: 0x04, ACK: 0x10 };
/** First of the ports that name a row. */
const PORTS = 20_000;
/** Bytes of a datagram that comes in fragments of `FRAGMENT_BYTES`. */
const FRAGMENTED_BYTES = 2500;
const FRAGMENT_BYTES = 1000;
const ERRORS: Readonly<Record<Family, readonly (readonly [what: string, kind: [number, number]])[]>> = {
  ipv4: [['unreachable', [3, 3]], ['too big', [3, 4]], ['time exceeded', [11, 0]]],
  ipv6: [['unreachable', [1, 4]], ['too big', [2, 0]], ['time exceeded', [3, 0]]],
}; // prettier-ignore
/** Headers and the first bytes: what an error quotes. */
const QUOTED_BYTES: Readonly<Record<Family, number>> = { ipv4: 28, ipv6: 80 };
const MTU = 1300;
const IPV6_FRAGMENT = 44;
/** Of a packet that differs, in words. */
const SHOWN_DIGITS = 160;

/** A packet, or its fragments, and where it goes. */
export interface Row {
  what: string;
  from: Sender;
  to: Party;
  packets: Buffer[];
  /** Who may receive something else than without us; see `stray`. */
  except?: Sender;
}

function addressOf(party: Party, family: Family): string {
  const { acs, itms, collector, outside, routers } = PLACES[family];
  const own = { acs, 'router-itms': routers.itms, 'router-collector': routers.collector };
  return { ...own, 'router-outside': routers.outside, cpe: CPES[family], itms, collector, outside }[party];
}

const isServer = (party: Party): boolean => party === 'itms' || party === 'collector';

/** TCP between these two is what the splitter is for. */
function isSteered(from: Party, to: Party): boolean {
  return (from === 'cpe' && to === 'acs') || (isServer(from) && to === 'cpe');
}

/** Every row, in the order of sending. */
export function rowsOf(family: Family): Row[] {
  const pairs = SENDERS.flatMap((from) => PARTIES.filter((to) => to !== from).map((to) => [from, to] as const));
  let port = PORTS;
  return pairs.flatMap(([from, to]) => {
    const [source, destination] = [addressOf(from, family), addressOf(to, family)];
    const rows: Row[] = [];
    const add = (what: string, make: (port: number, mark: string) => Carried, more: Pick<Row, 'except'> = {}) => {
      port++;
      rows.push({ what, from, to, packets: [packet(source, destination, make(port, `row ${port}`))], ...more });
    };
    add('UDP', (own, mark) => udp(own, 161, mark));
    add('UDP to the report port', (own, mark) => udp(own, REPORT_PORT, mark));
    add('UDP from the report port', (own, mark) => udp(REPORT_PORT, own, mark));
    add('ping', (own, mark) => icmp(source, family === 'ipv6' ? [128, 0] : [8, 0], own, Buffer.from(mark)));
    for (const name of ['ospf', 'vrrp', 'gre', 'esp', 'sctp'] as const) {
      add(name.toUpperCase(), (_, mark) => other(PROTOCOLS[name], mark));
    }
    port++;
    const long = packet(source, destination, udp(port, 161, 'x'.repeat(FRAGMENTED_BYTES)));
    rows.push({ what: 'UDP in fragments', from, to, packets: fragments(long, FRAGMENT_BYTES) });
    addTcp(from, to, add);
    addErrors(from, to, family, add);
    return rows;
  });
}

type Add = (what: string, make: (port: number, mark: string) => Carried, more?: Pick<Row, 'except'>) => void;

function addTcp(from: Party, to: Party, add: Add): void {
  const { SYN, ACK, RST, FIN } = FLAGS;
  const segment = (what: string, flags: number, more?: Pick<Row, 'except'>) =>
    add(`TCP ${what}`, (own) => tcp(own, 443, flags), more);
  if (isServer(from) && to === 'cpe') return;
  add('TCP SYN to a closed port', (own) => tcp(own, 22, SYN));
  // Any other segment to the ACS address is taken for a CPE's answer to a Connection Request.
  if (from === 'cpe' && to === 'acs') return;
  add('TCP SYN to the report port', (own) => tcp(own, REPORT_PORT, SYN));
  add('TCP SYN from the report port', (own) => tcp(REPORT_PORT, own, SYN));
  // Of a connection known neither to conntrack nor to the rules: a server's own stack answers with a RST, which looks
  // like part of an unknown Connection Request, and is dropped.
  const stray: Pick<Row, 'except'> = from === 'cpe' && isServer(to) ? { except: 'cpe' } : {};
  segment('ACK of no connection', ACK, stray);
  segment('SYN+ACK of no connection', SYN | ACK, stray);
  segment('FIN of no connection', FIN | ACK, stray);
  segment('RST of no connection', RST);
}

/** Errors that `from` sends to `to` about a packet of `to`'s, to `from` or to a third host. */
function addErrors(from: Sender, to: Party, family: Family, add: Add): void {
  const receiver = addressOf(to, family);
  for (const [what, kind] of ERRORS[family]) {
    const about = (target: Party, carried: Carried): Carried =>
      icmp(receiver, kind, MTU, packet(receiver, addressOf(target, family), carried).subarray(0, QUOTED_BYTES[family]));
    add(`error, ${what}, about UDP`, (own) => about(from, udp(161, own, 'quoted')));
    // An error about a flow of ours is translated.
    if (
      isSteered(to, from) ||
      isSteered(from, to) ||
      (to === 'cpe' && isServer(from)) ||
      (from === 'cpe' && isServer(to))
    )
      continue;
    add(`error, ${what}, about TCP`, (own) => about(from, tcp(443, own, FLAGS.ACK)));
  }
}

/** What each host received, by row and host, without what a kernel chooses by chance. */
export async function received({ family, backEnd, state }: UntouchedOptions): Promise<Map<string, string[]>> {
  const world = await World.create({ cpes: [CPES[family]], family, outside: true, programs: join(DIST, 'lab') });
  try {
    await stopLimits(world);
    const engine = state === undefined ? undefined : await enter(world, backEnd, state);
    const peers = await startPeers(world);
    const at = new Map<string, string[]>();
    const rows = rowsOf(family);
    const pairs = new Map(rows.map((row) => [`${row.from} → ${row.to}`, row]));
    for (const [pair, { from, to }] of pairs) {
      const own = rows.filter((row) => row.from === from && row.to === to);
      for (const part of [own.filter(({ except }) => !except), own.filter(({ except }) => except)]) {
        if (part.length === 0) continue;
        const before = SENDERS.map((role) => peers.seen(role).length);
        await peers.send(
          from,
          part.flatMap(({ packets }) => packets),
        );
        await peers.catchUp(pair);
        for (const [index, role] of SENDERS.entries()) {
          if (part[0]!.except === role) continue;
          const name = `${pair}${part[0]!.except ? ', stray' : ''}, at ${role}`;
          at.set(
            name,
            peers
              .seen(role)
              .slice(before[index])
              .filter((hex) => !isMark(hex))
              .map(withoutChance)
              .sort(),
          );
        }
      }
    }
    const status = await engine?.status();
    if (status !== undefined) at.set('packets that the engine received', [unexpected(status.packets.received, rows)]);
    return at;
  } finally {
    await world.close();
  }
}

/** Only the answers to stray segments may reach the engine: three for each server. */
function unexpected(count: number, rows: readonly Row[]): string {
  return count <= rows.filter(({ except }) => except).length ? 'none but answers to strays' : `${count}`;
}

/** The rows that differ, in words; none where we are not noticed. */
export function differences(plain: ReadonlyMap<string, string[]>, with_: ReadonlyMap<string, string[]>): string[] {
  const engine = with_.get('packets that the engine received')?.[0];
  const received = [...plain].flatMap(([where, expected]) => {
    const got = with_.get(where) ?? [];
    const lacks = expected.filter((hex) => !got.includes(hex));
    const extra = got.filter((hex) => !expected.includes(hex));
    const counts = lacks.length + extra.length === 0 && got.length !== expected.length;
    return [
      ...lacks.map((hex) => `${where}: lacks ${hex.slice(0, SHOWN_DIGITS)}`),
      ...extra.map((hex) => `${where}: has ${hex.slice(0, SHOWN_DIGITS)}`),
      ...(counts ? [`${where}: ${got.length} packets instead of ${expected.length}`] : []),
    ];
  });
  return engine === undefined || engine.startsWith('none') ? received : [...received, `the engine received ${engine}`];
}

/** Kernels limit how many errors they send, IPv6 by the limits of IPv4 too, which would make a difference by chance. */
async function stopLimits(world: World): Promise<void> {
  const limits = [
    'net.ipv4.icmp_ratelimit=0',
    'net.ipv4.icmp_msgs_per_sec=1000000',
    'net.ipv4.icmp_msgs_burst=1000000',
    'net.ipv6.icmp.ratelimit=0',
  ];
  for (const role of [...SENDERS, 'split'] as const) await world.run(role, ['sysctl', '-qe', '-w', ...limits]);
}

async function enter(world: World, backEnd: BackEnd, state: State): Promise<Engine | undefined> {
  const binaries = join(world.directory, 'back-end');
  linkBackEnd(binaries, backEnd);
  const through = ['env', `PATH=${[binaries, process.env.PATH ?? ''].join(delimiter)}`];
  const file = join(world.directory, 'acsplit.yaml');
  const acsplit = (...words: string[]) => world.run('split', [...through, ...cli(world, ...words, '-c', file)]);
  const more: EngineOptions = {
    activation: state === 'off' ? 'off' : 'auto',
    onEngineDown: state === 'rules alone, hold' ? 'hold' : 'itms',
  };
  writeFileSync(file, configurationText(world.directory, { family: world.family, fastPath: FAST_PATH, ...more }));
  await acsplit('rules', 'install');
  if (state.startsWith('rules alone')) return undefined;
  const engine = await Engine.run(world, file, through);
  if (state === 'paused') await acsplit('pause');
  return engine;
}

class Peers {
  private round = 0;

  constructor(
    private readonly family: Family,
    private readonly peers: ReadonlyMap<Sender, Peer>,
  ) {}

  seen(role: Sender): string[] {
    return this.peers
      .get(role)!
      .events.flatMap((event) => (event.event === 'packet' ? [event.hex] : []))
      .filter((hex) => !this.isNeighbourDiscovery(hex));
  }

  async send(from: Sender, packets: readonly Buffer[]): Promise<void> {
    await this.peers.get(from)!.ask('packets', { hex: packets.map((bytes) => bytes.toString('hex')) });
  }

  /**
   * A packet behind what was sent, on every way, and once more so that answers come through as well: then what was sent has
   * arrived, since nothing of it waits in a queue.
   */
  async catchUp(what: string): Promise<void> {
    for (let turn = 0; turn < 3; turn++) {
      this.round++;
      for (const near of SENDERS) {
        const marks = SENDERS.filter((far) => far !== near).map((far) => {
          const text = this.mark(near, far);
          return packet(addressOf(near, this.family), addressOf(far, this.family), udp(9, 9, text));
        });
        await this.send(near, marks);
      }
      for (const near of SENDERS) {
        for (const far of SENDERS.filter((role) => role !== near)) {
          const end = Buffer.from(this.mark(near, far)).toString('hex');
          const isIt = (event: PeerEvent) => event.event === 'packet' && event.hex.endsWith(end);
          await this.peers.get(far)!.until(isIt, `the mark behind "${what}" from ${near} at ${far}`);
        }
      }
    }
  }

  private mark(near: Sender, far: Sender): string {
    return `mark ${this.round} ${near} ${far}`;
  }

  private isNeighbourDiscovery(hex: string): boolean {
    if (this.family === 'ipv4') return false;
    const bytes = Buffer.from(hex.slice(0, 84), 'hex');
    const isMulticastReport = bytes[6] === 0;
    return isMulticastReport || (bytes[6] === PROTOCOLS.icmpv6 && bytes[40]! >= 130 && bytes[40]! <= 143);
  }
}

async function startPeers(world: World): Promise<Peers> {
  const peers = new Map<Sender, Peer>();
  for (const role of SENDERS) {
    const argv = [PYTHON, join(__dirname, 'peer.py')];
    const peer: Peer = await Actor.launch<PeerEvent>(world, role, role, argv);
    await peer.ask('watch', { like: PLACES[world.family].acs });
    peers.set(role, peer);
  }
  return new Peers(world.family, peers);
}

/** A mark, or an error that quotes one; its port is closed. */
function isMark(hex: string): boolean {
  return Buffer.from(hex, 'hex').includes('mark ') || Buffer.from(hex, 'hex').includes(Buffer.from([0, 9, 0, 9]));
}

/**
 * IPv4 identification, and with it the header's checksum; IPv6 flow label, and the identification of fragments: the kernel's
 * choice in what it sends itself, or has put together and taken apart again (conntrack).
 */
function withoutChance(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  if (bytes[0]! >> 4 === 6) {
    bytes.writeUInt32BE((bytes.readUInt32BE(0) & 0xfff00000) >>> 0, 0);
    if (bytes[6] === IPV6_FRAGMENT) bytes.fill(0, 44, 48);
  } else bytes.fill(0, 4, 6).fill(0, 10, 12);
  return bytes.toString('hex');
}

/**
 * What the tests of ICMP errors share: a world with a router before each host, a firewall as strict as operators have it
 * on the splitter, narrow links, and what a sender's kernel has learned.
 *
 *     cpe ── cpehop ── split ── itmshop ────── itms
 *                        └───── collectorhop ── collector
 */
import { type Side } from '../../../src/lab/world';
import { FAMILY, IPTABLES } from './family';
import { type ConnectionRequest, type ReportConnection, TcpStage } from './tcp-stage';
import { type End } from './tcp-end';

/** An Ethernet's segment: what both ends announce, however narrow the links between them are. */
const SEGMENT_BYTES = FAMILY === 'ipv6' ? 1440 : 1460;

/** Bytes of a transfer: some hundred windows, so that it stalls if no error arrives. */
const LINE = `${'0123456789'.repeat(99)} end of line\n`;
const LINES = 2000;

/** INVALID dies everywhere, and what conntrack does not know is neither forwarded nor sent. */
const INVALID = '-m conntrack --ctstate INVALID -j DROP';
const KNOWN = '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT';
const NEIGHBOURS = [133, 134, 135, 136].flatMap((type) =>
  ['INPUT', 'OUTPUT'].map((chain) => `-A ${chain} -p ipv6-icmp -m icmp6 --icmpv6-type ${type} -j ACCEPT`),
);
const STRICT_RULES = [
  '*filter',
  ':INPUT DROP [0:0]',
  ':FORWARD DROP [0:0]',
  ':OUTPUT DROP [0:0]',
  ...(FAMILY === 'ipv6' ? NEIGHBOURS : []),
  ...['INPUT', 'FORWARD', 'OUTPUT'].flatMap((chain) => [`-A ${chain} ${INVALID}`, `-A ${chain} ${KNOWN}`]),
  'COMMIT',
  '*mangle',
  ...['PREROUTING', 'INPUT', 'FORWARD'].map((chain) => `-I ${chain} 1 ${INVALID}`),
  `-A OUTPUT ${INVALID}`,
  'COMMIT',
  '',
].join('\n');

export async function openErrorStage(cpes: readonly string[]): Promise<TcpStage> {
  const stage = await TcpStage.open({ cpes, hops: true });
  try {
    await stage.world.run('split', ['sh', '-c', `printf '%s' '${STRICT_RULES}' | ${IPTABLES}-restore --noflush -w 10`]);
    // However narrow its link, an end announces what its Ethernet would take: so packets meet the narrow link.
    for (const side of ['cpe', 'itms', 'collector'] as const) {
      const [, via] = /via (\S+)/.exec(await stage.world.run(side, ['ip', version(), 'route', 'show', 'default']))!;
      await stage.world.run(side, [
        ...['ip', version(), 'route', 'replace', 'default', 'via', via as string],
        ...['advmss', String(SEGMENT_BYTES)],
      ]);
    }
    return stage;
  } catch (error) {
    await stage.close();
    throw error;
  }
}

function version(): string {
  return FAMILY === 'ipv6' ? '-6' : '-4';
}

/** The link between a host and its router takes packets of at most `bytes`. */
export async function narrow(stage: TcpStage, side: Side, bytes: number): Promise<void> {
  await stage.world.run(`${side}hop`, ['ip', 'link', 'set', 'eth1', 'mtu', String(bytes)]);
  await stage.world.run(side, ['ip', 'link', 'set', 'eth0', 'mtu', String(bytes)]);
}

/** The link between the splitter and the router of a side. */
export async function narrowNear(stage: TcpStage, side: Side, bytes: number): Promise<void> {
  const index = ['cpe', 'itms', 'collector'].indexOf(side);
  await stage.world.run('split', ['ip', 'link', 'set', `eth${index}`, 'mtu', String(bytes)]);
  await stage.world.run(`${side}hop`, ['ip', 'link', 'set', 'eth0', 'mtu', String(bytes)]);
}

/** Forgets what every host has learned of paths. */
export async function forgetPaths(stage: TcpStage): Promise<void> {
  for (const side of ['cpe', 'itms', 'collector'] as const) {
    await stage.world.run(side, ['ip', version(), 'route', 'flush', 'cache']);
  }
}

/** The path MTU that a host's kernel has learned; undefined when it has learned none. */
export async function learnedMtu(stage: TcpStage, side: Side, to: string): Promise<number | undefined> {
  const said = await stage.world.run(side, ['ip', version(), 'route', 'get', to]);
  const mtu = /\bmtu (\d+)/.exec(said)?.[1];
  return mtu === undefined ? undefined : Number(mtu);
}

/** Sends two megabytes from one end to the other; all of it arrives. */
export async function transfer(from: End, to: End): Promise<void> {
  const sending = from.send(LINE, { times: LINES }).then(() => from.finish());
  const { bytes, ended } = await to.receiveAll();
  await sending;
  expect({ bytes, ended }).toEqual({ bytes: LINE.length * LINES, ended: 'finished' });
}

export async function closeBoth({ cpe, far }: ReportConnection | ConnectionRequest): Promise<void> {
  await Promise.all([cpe.close(), far.close()]);
}

/** A rule on a host, or a router, that answers what fits with an ICMP error; gone again after `happen`. */
export async function whileRefusing<T>(
  stage: TcpStage,
  room: Side | `${Side}hop`,
  chain: 'INPUT' | 'FORWARD',
  what: { ipv4: string; ipv6: string },
  happen: () => Promise<T>,
): Promise<T> {
  const rule = ['-p', 'tcp', '-j', 'REJECT', '--reject-with', what[FAMILY]];
  await stage.world.run(room, [IPTABLES, '-w', '-I', chain, ...rule]);
  try {
    return await happen();
  } finally {
    await stage.world.run(room, [IPTABLES, '-w', '-D', chain, ...rule]);
  }
}

/**
 * Where the engine's microseconds of a session go, with the fast path on: sampled by perf, told apart by the kernel's call
 * chain. The hosts are namespaces of the same machine, so their kernels' work on a packet that the engine sends on runs inside
 * its sendmsg, and counts as its CPU time.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { eventually } from '../e2e/support/run-host';
import { figure, table } from './numbers';
import { type Peer } from './peers';
import { processesOf, Rig } from './rig';

const MODES = ['calm', 'story'] as const;
const SAMPLES_PER_SECOND = '1999';
const WARM_UP_MS = 4000;
/** A sampler that does not end by itself is ended. */
const STOP_TIMEOUT_MS = 10_000;

/** A call chain, innermost first: symbols, and where the first one stands. */
interface Chain {
  symbols: readonly string[];
  object: string;
  isMainThread: boolean;
}

const calls =
  (pattern: RegExp) =>
  ({ symbols }: Chain): boolean =>
    symbols.some((symbol) => pattern.test(symbol));
const isSoftirq = calls(/^(handle_softirqs|__do_softirq|net_rx_action)$/);
const isSending = calls(/(^|_)sendmsg$/);

/** The first that a sample belongs to has it. */
const PARTS: readonly [what: string, belongs: (chain: Chain) => boolean][] = [
  ['hosts: their own TCP', (chain) => isSoftirq(chain) && calls(/^tcp_v[46]_rcv$/)(chain)],
  [
    'other packets: carried',
    (chain) => isSoftirq(chain) && calls(/^(tc_run|cls_bpf_classify|skb_do_redirect)$/)(chain),
  ],
  ['other packets: rules, routes, into the queue', isSoftirq],
  [
    'verdicts: the packet’s way on',
    (chain) => isSending(chain) && calls(/reinject|nf_hook|ip_(forward|output)/)(chain),
  ],
  ['verdicts: netlink', isSending],
  ['receiving and waiting', calls(/recvmmsg|epoll|schedule/)],
  ['maps of the fast path', calls(/sys_bpf|^map_(update|delete|lookup)_elem$/)],
  ['V8’s other threads: compiling, collecting', ({ isMainThread }) => !isMainThread],
  ['JavaScript', ({ object }) => /JIT|perf-\d+\.map|anon/.test(object)],
  ['Node and V8 on the main thread', ({ object }) => /(^|\/)node$/.test(object)],
  ['the addon, and the rest', () => true],
];

/** As many of the first are work that the engine's time is only charged with. */
const NOT_ITS_OWN = 3;

/** Lines for the page; a sentence where there is no perf. */
export async function profileEngine(programs: string, peer: Peer, milliseconds: number): Promise<string> {
  const columns: number[][] = [];
  try {
    const rig = await Rig.open(programs);
    try {
      const { pid } = (await peer.start(rig))!;
      for (const mode of peer.warmUp ?? []) await rig.load(mode, WARM_UP_MS, peer.targets, pid);
      for (const mode of MODES) {
        const file = rig.path(`perf-${mode}.data`);
        const stop = await sample(file, processesOf(pid!));
        const { cpuSeconds, all } = await rig.load(mode, milliseconds, peer.targets, pid);
        await stop();
        const shares = sharesOf(chainsOf(file));
        columns.push(shares.map((share) => (share * cpuSeconds * 1e6) / all));
      }
    } finally {
      await rig.close();
    }
  } catch (error) {
    return `Not sampled: ${(error as Error).message.split('\n')[0]}.`;
  }
  const sum = (from: number) => columns.map((column) => figure(column.slice(from).reduce((total, one) => total + one)));
  const rows = PARTS.map(([what], row) => [what, ...columns.map((column) => figure(column[row]))]);
  rows.push(['**all**', ...sum(0)], ['**all but hosts and other packets**', ...sum(NOT_ITS_OWN)]);
  return table(['µs of the engine', 'an undiverted session', 'a Connection Request and its session'], rows);
}

/** Starts to sample these processes. Answers how to stop. */
async function sample(file: string, pids: readonly number[]): Promise<() => Promise<void>> {
  const argv = ['record', '-q', '-g', '-F', SAMPLES_PER_SECOND, '-e', 'cpu-clock', '-o', file, '-p', pids.join(',')];
  const perf = spawn('perf', argv, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve, reject) => perf.once('close', () => resolve()).once('error', reject));
  ended.catch(() => undefined);
  await eventually('perf to sample', () => perf.exitCode !== null || existsSync(file) || undefined);
  return async () => {
    perf.kill('SIGINT');
    const impatience = setTimeout(() => perf.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended.finally(() => clearTimeout(impatience));
  };
}

function chainsOf(file: string): Chain[] {
  const argv = ['script', '-i', file, '-F', 'pid,tid,ip,sym,dso'];
  const said = execFileSync('perf', argv, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 30,
  });
  return said.split('\n\n').flatMap(chainOf);
}

/** Of the text of one sample: a line with "pid/tid", then "address symbol (object)" each. */
function chainOf(text: string): Chain[] {
  const [head, ...lines] = text.trim().split('\n');
  const ids = /(\d+)\/(\d+)/.exec(head);
  const frames = lines.map((line) => /^\s*[0-9a-f]+ (.+) \((.*)\)$/.exec(line)).filter((frame) => frame !== null);
  if (!ids || frames.length === 0) return [];
  const symbols = frames.map(([, symbol]) => symbol);
  return [{ symbols, object: frames[0][2], isMainThread: ids[1] === ids[2] }];
}

/** Of each of PARTS, from 0 to 1. */
function sharesOf(chains: readonly Chain[]): number[] {
  if (chains.length === 0) throw new Error('perf has no samples');
  const counts = PARTS.map(() => 0);
  for (const chain of chains) counts[PARTS.findIndex(([, belongs]) => belongs(chain))]++;
  return counts.map((count) => count / chains.length);
}

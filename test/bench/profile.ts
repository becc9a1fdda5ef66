/**
 * Where a process behind NFQUEUE spends its CPU time, sampled by perf under load; explains a row that falls short. Most
 * of it is the kernel's, since a packet's way out runs inside sendmsg.
 */
import { execFileSync, spawn } from 'node:child_process';
import { table } from './numbers';
import { ACSPLIT, C, PEERS } from './peers';
import { type Mode, Rig } from './rig';

const MODES = ['bulk', 'churn'] as const satisfies readonly Mode[];
const NAMES = [C, ACSPLIT] as const;
const SAMPLES_PER_SECOND = '1999';
/** A sampler that does not end by itself is ended. */
const STOP_TIMEOUT_MS = 10_000;

type Share = [what: string, belongs: (object: string, symbol: string) => boolean];

const kernel =
  (pattern: RegExp): Share[1] =>
  (object, symbol) =>
    object === '[kernel.kallsyms]' && pattern.test(symbol);

/** The first that a sample belongs to has it. */
const SHARES: readonly Share[] = [
  ['JavaScript, and Node itself', (object) => /JIT|perf-\d+\.map|^node$|anon/.test(object)],
  ['the addon, or the C program', (object) => /^(acsplit\.node|rewriter)$/.test(object)],
  ['copying bytes', kernel(/memcpy|memset|copy_(to|from)_(iter|user)|skb_copy_bits|check_object_size|skb_zerocopy/)],
  [
    'waking tasks and switching between them',
    kernel(
      /raw_spin_unlock_irq|finish_task_switch|schedule|wake|(en|de)queue_(task|entity)|pick_(next|eevdf)|update_curr/,
    ),
  ],
  [
    'the queue and its socket',
    kernel(/nfqnl|nfnetlink|netlink|recvm|sendm|skb_(recv|try_recv|wait)|datagram|nla_|epoll/),
  ],
  ['rules', kernel(/nft_|xt_|ipt_|nf_hook|_mt(_v\d)?$/)],
  ['memory', kernel(/alloc|free|slab|page|vmap|zone/)],
  ["the packet's way on: IP, TCP, veth", kernel(/./)],
  ['the rest', () => true],
];

/** A page's section; a sentence where there is no perf. */
export async function profile(programs: string, milliseconds: number): Promise<string> {
  const columns: number[][] = [];
  for (const mode of MODES) {
    for (const name of NAMES) {
      try {
        columns.push(shares(await sample(programs, name, mode, milliseconds)));
      } catch (error) {
        return `Not sampled: ${(error as Error).message.split('\n')[0]}.`;
      }
    }
  }
  const head = ['% of the process’s time', ...MODES.flatMap((mode) => NAMES.map((name) => `${mode}: ${name}`))];
  const rows = SHARES.map(([what], row) => [what, ...columns.map((column) => column[row].toFixed(0))]);
  return table(head, rows);
}

/** Lines of "percent;object;symbol". */
async function sample(programs: string, name: string, mode: Mode, milliseconds: number): Promise<string> {
  const peer = PEERS.find((one) => one.name === name)!;
  const rig = await Rig.open(programs);
  try {
    const { pid } = (await peer.start(rig))!;
    const file = rig.path('perf.data');
    const argv = ['record', '-q', '-F', SAMPLES_PER_SECOND, '-e', 'cpu-clock', '-o', file, '-p', `${pid}`];
    const perf = spawn('perf', argv, { stdio: 'ignore' });
    const ended = new Promise((resolve, reject) => perf.once('close', resolve).once('error', reject));
    ended.catch(() => undefined);
    await rig.load(mode, milliseconds, peer.targets, pid);
    perf.kill('SIGINT');
    const impatience = setTimeout(() => perf.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended.finally(() => clearTimeout(impatience));
    const report = ['report', '-i', file, '-F', 'overhead,dso,symbol', '-t', ';', '--stdio', '-g', 'none'];
    return execFileSync('perf', report, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 64 << 20 });
  } finally {
    await rig.close();
  }
}

/** Percent of each of SHARES. */
function shares(report: string): number[] {
  const result = SHARES.map(() => 0);
  for (const line of report.split('\n')) {
    const [percent, object = '', symbol = ''] = line.split(';').map((cell) => cell.trim());
    const weight = Number.parseFloat(percent);
    if (line.startsWith('#') || !Number.isFinite(weight)) continue;
    result[SHARES.findIndex(([, belongs]) => belongs(object, symbol.replace(/^\[.\] /, '')))] += weight;
  }
  return result;
}

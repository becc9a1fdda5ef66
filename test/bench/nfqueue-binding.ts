/**
 * Our addon against the npm package nfqueue, on this machine, in one run: interleaved rounds, medians, ratio.
 * Root only:
 *
 *     node -r ./test/e2e/support/register-typescript.js test/bench/nfqueue-binding.ts [rounds] [seconds]
 *
 * Both do the same rewriting in JavaScript between a client, a router and a server in network namespaces. Sender and
 * receiver share the machine's cores with the binding, so only the ratio means anything.
 */
import { execFileSync } from 'node:child_process';
import * as os from 'node:os';
import { type Binding } from '../e2e/support/binding-driver';
import { ACS, SERVER, TestNetwork } from '../e2e/support/netns';
import { type RewritingOptions } from './rewriting-driver';

const FIRST_QUEUE = 80;
const PORT = '7547';
const BINDINGS: Binding[] = ['addon', 'nfqueue'];
const WARM_UP_MS = 500;

const rounds = Number(process.argv[2] ?? 5);
const seconds = Number(process.argv[3] ?? 3);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Workload {
  name: string;
  unit: string;
  measure(network: TestNetwork): Promise<number>;
}

const WORKLOADS: Workload[] = [
  { name: '40-byte packets, one direction', unit: 'packets/s', measure: packetsPerSecond },
  { name: 'one TCP connection, bulk', unit: 'Mbit/s', measure: megabitsPerSecond },
];

/** Bare ACKs from the client as fast as it can; counted where they arrive. */
async function packetsPerSecond(network: TestNetwork): Promise<number> {
  network.run('server', 'iptables', '-I', 'INPUT', '-p', 'tcp', '-j', 'DROP');
  const flood = network.start('client', 'hping3', '-q', '--flood', '-A', '-s', '40000', '-k', '-p', PORT, ACS);
  const received = () => Number(network.run('server', 'cat', '/sys/class/net/eth0/statistics/rx_packets'));
  await sleep(WARM_UP_MS);
  const before = received();
  const startedMs = performance.now();
  await sleep(seconds * 1000);
  const packets = received() - before;
  const elapsedMs = performance.now() - startedMs;
  flood.child.kill('SIGKILL');
  await flood.ended;
  return (packets / elapsedMs) * 1000;
}

async function megabitsPerSecond(network: TestNetwork): Promise<number> {
  const server = network.start('server', 'iperf3', '-s', '-1', '-B', SERVER, '-p', PORT);
  const isListening = () => network.run('server', 'ss', '-Hltn', `sport = :${PORT}`) !== '';
  while (!isListening()) await sleep(50);
  const report = JSON.parse(network.run('client', 'iperf3', '-c', ACS, '-p', PORT, '-t', `${seconds}`, '-J')) as {
    end: { sum_received: { bits_per_second: number } };
  };
  await server.ended;
  return report.end.sum_received.bits_per_second / 1e6;
}

async function round(binding: Binding, workload: Workload): Promise<number> {
  const network = new TestNetwork();
  try {
    network.queueTraffic(FIRST_QUEUE);
    const options: RewritingOptions = { binding, firstQueue: FIRST_QUEUE, acs: ACS, server: SERVER };
    await network.startScript('router', '../../bench/rewriting-driver.ts', options).line();
    return await workload.measure(network);
  } finally {
    await network.remove();
  }
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

async function main(): Promise<void> {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const cpu = `${os.cpus().length} x ${os.cpus()[0].model}`;
  console.log(
    `${cpu}, Linux ${os.release()}, Node ${process.version}, commit ${commit}; ${rounds} rounds of ${seconds} s\n`,
  );
  console.log('| workload | unit | addon, median | nfqueue, median | ratio, median of rounds | ratios |');
  console.log('|---|---|---|---|---|---|');
  for (const workload of WORKLOADS) {
    const results: Record<Binding, number[]> = { addon: [], nfqueue: [] };
    for (let i = 0; i < rounds; i++) {
      for (const binding of BINDINGS) results[binding].push(await round(binding, workload));
    }
    const ratios = results.addon.map((ours, i) => ours / results.nfqueue[i]);
    const [ours, theirs] = BINDINGS.map((binding) => Math.round(median(results[binding])));
    const all = ratios.map((ratio) => ratio.toFixed(1)).join(', ');
    console.log(
      `| ${workload.name} | ${workload.unit} | ${ours} | ${theirs} | ${median(ratios).toFixed(1)} | ${all} |`,
    );
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});

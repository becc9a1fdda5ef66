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
import * as fs from 'node:fs';
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

/** What one round of one binding gave; the numbers in the order of the workload's rows. */
type Figures = number[];

interface Workload {
  rows: { name: string; isLowerBetter: boolean }[];
  measure(network: TestNetwork, pid: number): Promise<Figures>;
}

const WORKLOADS: Workload[] = [
  {
    rows: [
      { name: '40-byte packets, one direction: packets/s', isLowerBetter: false },
      { name: "the same: µs of the binding's CPU time per packet", isLowerBetter: true },
    ],
    measure: floodPackets,
  },
  { rows: [{ name: 'one TCP connection, bulk: Mbit/s', isLowerBetter: false }], measure: transferBulk },
];

/** Bare ACKs from the client as fast as it can; counted where they arrive. */
async function floodPackets(network: TestNetwork, pid: number): Promise<Figures> {
  network.run('server', 'iptables', '-I', 'INPUT', '-p', 'tcp', '-j', 'DROP');
  const flood = network.start('client', 'hping3', '-q', '--flood', '-A', '-s', '40000', '-k', '-p', PORT, ACS);
  const received = () => Number(network.run('server', 'cat', '/sys/class/net/eth0/statistics/rx_packets'));
  await sleep(WARM_UP_MS);
  const [packetsBefore, cpuBefore, startedMs] = [received(), cpuMicroseconds(pid), performance.now()];
  await sleep(seconds * 1000);
  const packets = received() - packetsBefore;
  const figures = [(packets / (performance.now() - startedMs)) * 1000, (cpuMicroseconds(pid) - cpuBefore) / packets];
  flood.child.kill('SIGKILL');
  await flood.ended;
  return figures;
}

/** User and system time of a process, all threads; /proc/PID/stat counts hundredths of a second. */
function cpuMicroseconds(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function transferBulk(network: TestNetwork): Promise<Figures> {
  const server = network.start('server', 'iperf3', '-s', '-1', '-B', SERVER, '-p', PORT);
  const isListening = () => network.run('server', 'ss', '-Hltn', `sport = :${PORT}`) !== '';
  while (!isListening()) await sleep(50);
  const report = JSON.parse(network.run('client', 'iperf3', '-c', ACS, '-p', PORT, '-t', `${seconds}`, '-J')) as {
    end: { sum_received: { bits_per_second: number } };
  };
  await server.ended;
  return [report.end.sum_received.bits_per_second / 1e6];
}

async function playRound(binding: Binding, workload: Workload): Promise<Figures> {
  const network = new TestNetwork();
  try {
    network.queueTraffic(FIRST_QUEUE);
    const options: RewritingOptions = { binding, firstQueue: FIRST_QUEUE, acs: ACS, server: SERVER };
    const driver = network.startScript('router', '../../bench/rewriting-driver.ts', options);
    await driver.line();
    return await workload.measure(network, driver.child.pid!);
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
  console.log('| what | addon, median | nfqueue, median | the addon is better by, median of rounds | rounds |');
  console.log('|---|---|---|---|---|');
  for (const workload of WORKLOADS) {
    const results: Record<Binding, Figures[]> = { addon: [], nfqueue: [] };
    for (let i = 0; i < rounds; i++) {
      for (const binding of BINDINGS) results[binding].push(await playRound(binding, workload));
    }
    workload.rows.forEach(({ name, isLowerBetter }, row) => {
      const [ours, theirs] = BINDINGS.map((binding) => results[binding].map((figures) => figures[row]));
      const ratios = ours.map((figure, i) => (isLowerBetter ? theirs[i] / figure : figure / theirs[i]));
      const all = ratios.map((ratio) => ratio.toFixed(1)).join(', ');
      console.log(
        `| ${name} | ${show(median(ours))} | ${show(median(theirs))} | ${median(ratios).toFixed(1)} | ${all} |`,
      );
    });
  }
}

function show(figure: number): string {
  return figure < 100 ? figure.toFixed(1) : Math.round(figure).toString();
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});

/**
 * docs/control-socket.md: each request on it is sent over a real socket to the code behind the commands, and the answer
 * must equal the one below it. The page's examples are one conversation, from top to bottom.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAddress } from '../../src/packet/address';
import { PacketBatch, Side } from '../../src/packet/batch';
import { buildTcp } from '../../src/packet/builder';
import { TcpFlag } from '../../src/packet/tcp';
import { type ControlServer, serveControl } from '../../src/engine/control/control';
import { operations } from '../../src/engine/control/operations';
import { packetTrace } from '../../src/engine/control/packet-trace';
import { type Answers, COMMANDS, type CommandName, type ControlRequest } from '../../src/engine/shared/control-request';
import { PacketRing } from '../../src/engine/shared/packet-ring';
import { checkFlows } from '../../src/engine/shared/flow-check';
import { LastHour } from '../../src/engine/report/last-hour';
import { RulesWatch } from '../../src/engine/supervisor/rules-watch';
import { composeStatus } from '../../src/engine/report/status';
import { changes } from '../../src/engine/worker/commands';
import { Splitter } from '../../src/splitter/splitter';
import { serverStatus } from '../support/server-status';
import { type Topology } from '../../src/splitter/topology';
import { QUIET } from '../support/quiet-status';

const ROOT = join(__dirname, '..', '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const PAGE = read('docs/control-socket.md');

/** An hour after boot. */
const NOW_MS = 3_600_000;
const TOPOLOGY: Topology = {
  cpe: { interfaces: [{ in: 'eth0', out: 'eth0' }], address: { ipv4: '10.1.0.1' }, networks: ['10.1.0.0/16'] },
  itms: { interface: 'eth1', address: { ipv4: '10.2.0.2' } },
  collectors: [{ name: 'c1', interface: 'eth2', address: { ipv4: '10.3.0.2' } }],
  reportPorts: [7547],
  itmsPorts: [],
};
const KERNEL = [0, 1, 2, 3].map((number) => ({
  ...{ number, ownerPortId: 812, waiting: 0 },
  ...{ queueDropped: 0, userDropped: 0, lastPacketId: number === Side.Collector ? 1 : 0 },
}));

/** Everything that answers a command, as supervisor and worker put it together, after one Connection Request. */
function engine(): Answers<CommandName> {
  const splitter = new Splitter({ topology: TOPOLOGY, activation: 'auto', capacityEntries: 65_536, seed: 1 });
  const ring = new PacketRing(new ArrayBuffer(PacketRing.BYTES), 0);
  ring.lease(parseAddress('10.1.0.5'), NOW_MS - 1000, NOW_MS);
  const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);
  const ends = { source: '10.3.0.2', sourcePort: 50_001, destination: '10.1.0.5', destinationPort: 7547 };
  batch.push(Side.Collector, buildTcp({ ...ends, flags: TcpFlag.Syn, sequence: 1 }));
  ring.before(batch, NOW_MS - 400);
  splitter.decide(batch, NOW_MS - 400);
  ring.after(batch);
  const memory = { paused: false };
  const status = () =>
    composeStatus({
      ...{
        version: '0.2.0',
        name: 'default',
        isReady: true,
        uptimeMs: 60_000,
        pid: 812,
        worker: { pid: 819, restarts: 0 },
      },
      ...{ paused: memory.paused, activation: splitter.activation, splitter, earlier: [0, 0, 0, 0], firstQueue: 0 },
      ...{ eventCounts: splitter.state.events.counts, queues: KERNEL },
      loop: { verdictsLate: 0, unparsed: 0, givenUp: 0 },
      ...QUIET,
      servers: { itms: serverStatus({ opened: 8, answered: 8, answerMs: 2, answerSumMs: 14 }) },
    });
  const hour = new LastHour();
  const rules = new RulesWatch({ info: () => undefined, warn: () => undefined, error: () => undefined });
  const nothing = { received: 0, waiting: 0 };
  const before = status();
  hour.add({ ...before, queues: before.queues.map((queue) => ({ ...queue, ...nothing })) }, 1_796_042_500_000);
  hour.add(status(), 1_796_042_510_000);
  const run = 'd1f0a85e2b7c9364';
  const hands = Float64Array.of(NOW_MS, 0);
  return {
    status,
    hour: () => hour.answer,
    rules: (request) => rules.checked(request),
    flows: () =>
      checkFlows(
        () => splitter,
        () => new Uint8Array(0),
      ),
    ...operations({
      ...{ look: () => splitter, header: () => ({ id: '5c0e9b1f7a3d2846', hands }), clock: () => NOW_MS },
      ...{ run, restarts: () => 0 },
    }),
    ...packetTrace({
      ring,
      run,
      clock: () => NOW_MS,
      isCpe: (address) => splitter.isCpe(address),
      watch: () => undefined,
    }),
    ...changes(splitter, memory, NOW_MS),
  };
}

/** Blocks of JSON: a request, then its answer. */
const BLOCKS = [...PAGE.matchAll(/^```json\n(.*?)^```/gms)].map(([, text]) => JSON.parse(text) as object);
const EXCHANGES = BLOCKS.flatMap((request, i): [string, ControlRequest, object][] =>
  i % 2 === 0 ? [[JSON.stringify(request), request as ControlRequest, BLOCKS[i + 1]]] : [],
);

let directory: string;
let server: ControlServer;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'acsplit-page-'));
  server = await serveControl(join(directory, 'control.sock'), engine());
});
afterAll(async () => {
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Without the numbers of reasons, which a new reason moves. */
function stable(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer, (key, value: unknown) => (key === 'reason' ? typeof value : value)));
}

function say(line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(join(directory, 'control.sock'), () => socket.end(`${line}\n`));
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', reject);
    socket.on('end', () => resolve(text));
  });
}

test.each(EXCHANGES)('%s is answered as the page says', async (line, _request, answer) => {
  expect(stable(JSON.parse(await say(line)))).toEqual(stable(answer));
});

test('the page has every command with an example, and no other command', () => {
  const headed = [...PAGE.matchAll(/^### `(\w+)`$/gm)].map(([, name]) => name);
  expect(headed.sort()).toEqual([...COMMANDS].sort());
  const shown = EXCHANGES.filter(([, , answer]) => 'ok' in answer && answer.ok === true).map(
    ([, { command }]) => command,
  );
  expect([...new Set(shown)].sort()).toEqual([...COMMANDS].sort());
});

describe('limits', () => {
  const LIMITS: [says: string, file: string, constant: string, value: string][] = [
    ['4096 bytes', 'control/control.ts', 'MAX_REQUEST_BYTES', '4096'],
    ['32', 'control/control.ts', 'MAX_CONNECTIONS', '32'],
    ['5 s', 'control/control.ts', 'CONNECTION_TIMEOUT_MS', '5000'],
    ['4 s', 'supervisor/worker-keeper.ts', 'ANSWER_TIMEOUT_MS', '4000'],
    ['500 ms', 'supervisor/worker-keeper.ts', 'ANSWER_MARGIN_MS', '500'],
    ['5000', 'control/operations.ts', 'MAX_ENTRIES', '5000'],
    ['1 048 576 slots', 'control/operations.ts', 'MAX_SLOTS', '1_048_576'],
    ['512', 'control/packet-trace.ts', 'MAX_PACKETS', '512'],
    ['5 s', 'control/packet-trace.ts', 'LEASE_MS', '5000'],
    ['8', 'shared/packet-ring.ts', 'LEASES', '8'],
    ['2048', 'shared/packet-ring.ts', 'RING_SLOTS', '2048'],
    ['16 MiB', 'control/ask.ts', 'MAX_RESPONSE_BYTES', '16 * 1024 * 1024'],
    ['3 s', 'control/control-keeper.ts', 'INTERVAL_MS', '3000'],
  ];
  const section = PAGE.split('\n## Limits\n')[1]?.split('\n## ')[0] ?? '';
  const rows = [...section.matchAll(/^\| (?!limit|-)([^|]+?) +\|/gm)].map(([, cell]) => cell);

  test.each(LIMITS)('%s: %s, %s', (says, file, constant, value) => {
    expect(rows).toContain(says);
    expect(read(join('src/engine', file))).toContain(`const ${constant} = ${value};`);
  });

  test('no row but these', () => {
    expect(rows.sort()).toEqual(LIMITS.map(([says]) => says).sort());
  });
});

test('every error on the page is one that the code says', () => {
  const source = ['control/control.ts', 'control/operations.ts', 'control/packet-trace.ts', 'shared/control-request.ts']
    .concat('worker/commands.ts', 'supervisor/rules-watch.ts', 'supervisor/worker-keeper.ts')
    .map((file) => read(join('src/engine', file)))
    .concat(read('src/splitter/splitter.ts'))
    .join('\n')
    .replaceAll(/\$\{[^}]*\}/g, '…');
  const section = PAGE.split('\n## Errors\n')[1]?.split('\n## ')[0] ?? '';
  const list = section.slice(section.indexOf('`error` is one of these'));
  const told = [...list.matchAll(/`([^`]+)`/g)].map(([, text]) => text).filter((text) => text.includes(' '));
  expect(told.length).toBeGreaterThan(10);
  for (const message of told) for (const part of message.split('…')) expect(source).toContain(part);
});

/**
 * An engine starts on a truncated or damaged state file, or has it damaged while running: it resets the tables and says
 * why, or lives with the damaged bits. Never a crash loop, never a packet to an unconfigured address.
 *
 * The unit tests flip every bit (engine/state-file, splitter/damage); here a start over every field of the headers
 * needs ACSPLIT_FAULTS=2 or more, which also damages N times as many files; without it, some fields, chosen at random
 * each time.
 */
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateFilePath } from '../../src/engine/shared/state-file';
import { HEADER_BYTES } from '../../src/engine/shared/state-header';
import { Reason } from '../../src/splitter/reasons';
import { recordFault } from './support/fault-rows';
import { expectNothingLost } from './support/faults';
import { ADDRESSES } from './support/family';
import { Load, LOAD_CPES, type Outcome } from './support/load';
import { Lookout, pause } from './support/lookout';
import { Stage } from './support/stage';

const OFTEN = Number(process.env.ACSPLIT_FAULTS ?? 1);
const FILES = 2 * OFTEN;
const LIVE_ROUNDS = 2 * OFTEN;
const FLIPS = 500;
const LOAD_MS = 700;
const BULK_BYTES = 1 << 20;
/** Bounds a failure. */
const PATIENCE_MS = 30_000;
/** int32 words of the file's header (src/engine/shared/state-header.ts), and the message about a flipped bit. */
const HEADER_WORDS: [word: number, name: string][] = [
  [0, 'magic'],
  [1, 'layout'],
  [2, 'capacity'],
  [3, 'size'],
  [4, 'id'],
  [6, 'boot'],
  [10, 'check'],
];
/** The clock's hands change all the time, so no check word covers them. */
const CLOCK_WORDS = [12, 13, 14, 15];
const TABLE_MAGIC = Buffer.from('psca');
/** Words of a table's header that its check word covers, and the others (src/tables/table-header.ts). */
const TABLE_WORDS = [0, 1, 2, 3, 4, 12];
const NOTHING: Outcome = { itms: 0, collector: 0, transfers: 0, failures: [], wrong: [] };

jest.setTimeout(180_000 * OFTEN);

describe('the state file', () => {
  let stage: Stage;
  let file: string;

  beforeAll(async () => {
    stage = await Stage.open({ cpes: LOAD_CPES, onEngineDown: 'hold' });
    file = stateFilePath(join(stage.world.directory, 'state'));
    // Packets to unknown addresses are routed here.
    const trap = [
      'ip link add trap type veth peer name trapped',
      'if [ -e /proc/sys/net/ipv6 ]; then echo 1 > /proc/sys/net/ipv6/conf/trap/disable_ipv6; fi',
      'ip link set trap arp off up',
      'ip link set trapped up',
      'ip route add default dev trap',
    ];
    await stage.world.run('split', ['sh', '-e', '-c', trap.join('\n')]);
    await stage.world.run('split', ['bash', '-c', 'echo > /dev/udp/10.200.0.1/9']);
    expect(await trapped()).toBe(1);
    // So that there is something to damage.
    await loaded();
  });
  afterAll(() => stage?.close());

  /** Packets to unknown addresses so far. */
  const trapped = async (): Promise<number> =>
    Number(await stage.world.run('split', ['cat', '/sys/class/net/trap/statistics/tx_packets']));

  async function loaded(): Promise<void> {
    const load = new Load(stage.cast);
    await pause(LOAD_MS);
    await expectNothingLost(stage, await load.end());
  }

  /** Ends the engine, damages its file, starts another; returns why that reset its tables, if it did. */
  async function restartOver(damage: () => void): Promise<unknown> {
    expect(await stage.engine.stop()).toBe(0);
    damage();
    await stage.startAgain();
    return stage.engine.events('state-replaced')[0]?.reason;
  }

  /** It serves, its worker lives, every table can be asked for, and nothing went to a stranger. */
  async function expectSane(restarts: number): Promise<void> {
    const lookout = new Lookout(stage);
    expect(await lookout.status()).toMatchObject({ ready: true, workers: [{ restarts }] });
    for (const table of ['requests', 'activated', 'connections']) {
      expect(await lookout.ask('tables', { table })).toHaveProperty('entries');
    }
    expect(await lookout.ask('events', { since: 0 })).toHaveProperty('events');
    expect(await trapped()).toBe(1);
    await stage.wires.catchUp();
    expect([...stage.wires.cpePeers]).toEqual([ADDRESSES.acs]);
  }

  /** One for each kill, and one for tables that the next worker could not take over; the log may say so later. */
  async function restartsAfter(kills: number): Promise<number> {
    const expected = (): number => kills + stage.engine.events('state-replaced').length;
    const { workers } = await new Lookout(stage).until('as many workers as the log explains', (status) => {
      return status.workers[0]!.restarts === expected();
    });
    return workers[0]!.restarts;
  }

  test('cut or damaged in a field of a header: each is noticed, tables are reset, the first worker serves', async () => {
    const wholeBytes = statSync(file).size;
    for (const [bytes, reason] of [
      [100, 'it is cut short'],
      [HEADER_BYTES + 5000, `it has ${HEADER_BYTES + 5000} bytes instead of ${wholeBytes}`],
    ] as const) {
      expect(await restartOver(() => truncateSync(file, bytes))).toBe(reason);
      await expectSane(0);
    }
    for (const [word, name] of some(HEADER_WORDS)) {
      const bit = random(32);
      const reason = await restartOver(() => change(file, (bytes) => flip(bytes, word * 32 + bit)));
      expect([name, bit, reason]).toEqual([name, bit, expect.stringMatching(/damaged|not a state file of ours/)]);
      await expectSane(0);
    }
    for (const word of some(CLOCK_WORDS)) {
      const bit = random(32);
      const reason = await restartOver(() => change(file, (bytes) => flip(bytes, word * 32 + bit)));
      expect([word, bit, reason]).toEqual([word, bit, undefined]);
      await expectSane(0);
      await loaded();
    }
    const tables = tablesIn(readFileSync(file));
    // Three, and the cache of pins.
    expect(tables).toHaveLength(4);
    for (const [at, word] of some(tables.flatMap((at) => TABLE_WORDS.map((word) => [at, word] as const)))) {
      const bit = random(32);
      const reason = await restartOver(() => change(file, (bytes) => flip(bytes, 8 * at + 32 * word + bit)));
      expect([at, word, bit, reason]).toEqual([
        at,
        word,
        bit,
        expect.stringMatching(/an acsplit table|a (damaged )?table/),
      ]);
      await expectSane(0);
    }
    await loaded();
  });

  test(`${FLIPS} bits of entries, counters and events flipped: taken over or refused, and served with`, async () => {
    let outcome = NOTHING;
    for (let round = 0; round < FILES; round++) {
      await restartOver(() => change(file, (bytes) => flipInUse(bytes, HEADER_BYTES)));
      const load = new Load(stage.cast, { endures: true, bulkBytes: BULK_BYTES });
      await pause(LOAD_MS);
      outcome = added(outcome, await load.end());
      await expectSane(0);
    }
    recordFault({
      fault: `${FLIPS} bits in use of the state file are flipped between two engines`,
      times: FILES,
      outcome,
    });
  });

  test(`${FLIPS} bits and every owner changed under the hands of a worker, which is killed then: the next one serves`, async () => {
    await restartOver(() => undefined);
    const load = new Load(stage.cast, { endures: true, bulkBytes: BULK_BYTES });
    try {
      for (let round = 1; round <= LIVE_ROUNDS; round++) {
        const lookout = new Lookout(stage);
        // Again, until a packet of such a connection was decided.
        const before = lookout.decided(Reason.OwnerGone);
        for (const deadline = performance.now() + PATIENCE_MS; lookout.decided(Reason.OwnerGone) === before;) {
          if (performance.now() > deadline) throw new Error('no packet met a damaged owner');
          loseOwners(lookout);
          await pause(5);
        }
        flipInUse(new Uint8Array(lookout.memory), 0);
        await pause(LOAD_MS / 2);
        const worker = await lookout.worker();
        process.kill(worker, 'SIGKILL');
        await lookout.until('another worker', (status) => status.ready && status.workers[0]!.pid !== worker);
        await expectSane(await restartsAfter(round));
      }
    } finally {
      load.quit();
    }
    const outcome = await load.end();
    await expectSane(await restartsAfter(LIVE_ROUNDS));
    const fault = `${FLIPS} bits of the tables, and every owner, are changed under a running worker`;
    recordFault({ fault, times: LIVE_ROUNDS, outcome });
  });
});

/** Changes a file that no process has mapped. */
function change(file: string, how: (bytes: Uint8Array) => void): void {
  const bytes = readFileSync(file);
  how(bytes);
  writeFileSync(file, bytes);
}

function flip(bytes: Uint8Array, bit: number): void {
  bytes[bit >> 3]! ^= 1 << (bit & 7);
}

/** Bits of bytes that are not zero, wherever they are: entries, counters, events, pins, and now and then a header. */
function flipInUse(bytes: Uint8Array, from: number): void {
  const used = [...bytes.keys()].filter((at) => at >= from && bytes[at] !== 0);
  expect(used.length).toBeGreaterThan(100);
  for (let n = 0; n < FLIPS; n++) flip(bytes, 8 * used[random(used.length)]! + random(8));
}

/** Every diverted connection gets an unknown owner. */
function loseOwners({ splitter }: Lookout): void {
  const { table } = splitter.state.families[0]!.reportConnections;
  for (let slot = 0; slot < table.slotCount; slot++) {
    if (table.isLive(slot)) table.setState(slot, (table.state(slot) & 0xffff) | ((1000 + random(60_000)) << 16));
  }
}

/** Where tables begin: by their magic. */
function tablesIn(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = HEADER_BYTES; (at = bytes.indexOf(TABLE_MAGIC, at)) >= 0; at += 8) if (at % 8 === 0) found.push(at);
  return found;
}

/** Two of them; all where there is time. */
function some<T>(all: readonly T[]): readonly T[] {
  const from = random(all.length - 1);
  return OFTEN > 1 ? all : all.slice(from, from + 2);
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}

function added(one: Outcome, other: Outcome): Outcome {
  return {
    itms: one.itms + other.itms,
    collector: one.collector + other.collector,
    transfers: one.transfers + other.transfers,
    failures: [...one.failures, ...other.failures],
    wrong: [...one.wrong, ...other.wrong],
  };
}

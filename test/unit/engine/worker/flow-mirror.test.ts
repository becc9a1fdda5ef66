/** The mirror of the report table: what is in the map whenever a verdict leaves, and what a successor repairs. */
import { checkFlows } from '../../../../src/engine/shared/flow-check';
import { FlowMirror, forgetCarried, type Maps } from '../../../../src/engine/worker/flow-mirror';
import { FlowWord, NUMBERS_AT } from '../../../../src/engine/shared/flow-value';
import { buildTcp, type TcpPacket } from '../../../../src/packet/builder';
import { PacketBatch, Side } from '../../../../src/packet/batch';
import { TcpFlag } from '../../../../src/packet/tcp';
import { parseAddress } from '../../../../src/packet/address';
import { activationEntries, reportEntries } from '../../../../src/splitter/entries';
import { Reason } from '../../../../src/splitter/reasons';
import { Splitter } from '../../../../src/splitter/splitter';
import { type Topology } from '../../../../src/splitter/topology';

const TOPOLOGY: Topology = {
  cpe: { interfaces: [{ in: 'eth0', out: 'eth0' }], address: { ipv4: '10.1.0.1' }, networks: ['10.1.0.0/16'] },
  itms: { interface: 'eth1', address: { ipv4: '10.2.0.2' } },
  collectors: [{ name: 'c1', interface: 'eth2', address: { ipv4: '10.3.0.2' } }],
  reportPorts: [7547],
  itmsPorts: [],
};
const CONTROL = 9;
const FLOWS = { ipv4: 10, ipv6: 11 };
const CAPACITY = 16;
const KEY = '0a0100059c411d7b';
/** In struct flow. */
const STATE_AT = NUMBERS_AT + FlowWord.State * 4;
const [OF_ENGINE, OFFERED, CARRIED, GONE] = [0, 1, 2, 4];

/** Maps in memory, and the cell that opens the program. */
class FakeMaps implements Maps {
  readonly flows = new Map<number, Map<string, string>>([
    [FLOWS.ipv4, new Map()],
    [FLOWS.ipv6, new Map()],
  ]);
  isOpen = false;
  isFull = false;

  updateMap(fd: number, key: Uint8Array, value: Uint8Array): void {
    if (fd === CONTROL) {
      if (key[0] === 1) this.isOpen = value[0] === 1;
      return;
    }
    if (this.isFull) throw new Error('bpf E2BIG: argument list too long');
    this.flows.get(fd)!.set(hex(key), hex(value));
  }

  deleteFromMap(fd: number, key: Uint8Array): boolean {
    return this.flows.get(fd)!.delete(hex(key));
  }

  readMap(fd: number, key: Uint8Array, value: Uint8Array): boolean {
    const found = this.flows.get(fd)!.get(hex(key));
    if (found === undefined) return false;
    value.set(Buffer.from(found, 'hex'));
    return true;
  }

  readMapEntries(fd: number): Uint8Array {
    const text = [...this.flows.get(fd)!].map(([key, value]) => key + value).join('');
    return Uint8Array.from(Buffer.from(text, 'hex'));
  }

  get keys(): string[] {
    return [...this.flows.get(FLOWS.ipv4)!.keys()];
  }
}

/** Sets who has a connection, as the program does. */
function setState(state: number): void {
  const flows = maps.flows.get(FLOWS.ipv4)!;
  const value = Buffer.from(flows.get(KEY)!, 'hex');
  value.writeUInt32LE(state, STATE_AT);
  flows.set(KEY, value.toString('hex'));
}

function state(): number {
  return Buffer.from(maps.flows.get(FLOWS.ipv4)!.get(KEY)!, 'hex').readUInt32LE(STATE_AT);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function makeSplitter(buffer?: ArrayBuffer, topology = TOPOLOGY): Splitter {
  const memory = buffer ?? new ArrayBuffer(Splitter.bufferBytes(CAPACITY, TOPOLOGY));
  return new Splitter({ topology, activation: 'auto', capacityEntries: CAPACITY, seed: 1, buffer: memory });
}

let nowMs = 1_000_000;
let maps: FakeMaps;
let lacks: (string | undefined)[];
/** The last mirror made; undefined once nobody mirrors. */
let last: FlowMirror | undefined;

beforeEach(() => {
  maps = new FakeMaps();
  lacks = [];
  last = undefined;
});
afterEach(() => {
  if (last !== undefined) expect(last.flows).toBe(carriedStates());
});

/** Connections that the program has, or is offered. */
function carriedStates(): number {
  const values = [...maps.flows.values()].flatMap((flows) => [...flows.values()]);
  const states = values.map((value) => Buffer.from(value, 'hex').readUInt32LE(STATE_AT));
  return states.filter((state) => state === OFFERED || state === CARRIED).length;
}

function mirror(splitter: Splitter): FlowMirror {
  const made = new FlowMirror(
    maps,
    CONTROL,
    FLOWS,
    () => nowMs,
    (error) => lacks.push(error?.message),
  );
  made.follow(splitter);
  return (last = made);
}

function send(splitter: Splitter, side: Side, packet: TcpPacket): Reason {
  const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);
  batch.push(side, buildTcp(packet));
  splitter.decide(batch, nowMs);
  return batch.reason[0]!;
}

/** A CPE's SYN, diverted when its CPE is armed. */
function open(splitter: Splitter, cpePort = 40001): void {
  splitter.activate(parseAddress('10.1.0.5')!, 'c1', nowMs);
  send(splitter, Side.Cpe, { ...CPE, sourcePort: cpePort, flags: TcpFlag.Syn, sequence: 1 });
}

const CPE = { source: '10.1.0.5', sourcePort: 40001, destination: '10.1.0.1', destinationPort: 7547 };
const COLLECTOR = { source: '10.3.0.2', sourcePort: 7547, destination: '10.1.0.5', destinationPort: 40001 };

/** The collector accepts. */
function accept(splitter: Splitter, one: FlowMirror): void {
  send(splitter, Side.Collector, { ...COLLECTOR, flags: TcpFlag.Syn | TcpFlag.Ack, sequence: 500, acknowledgement: 2 });
  one.settle();
}

test('an entry is in the map when its SYN is decided, and gone when it has ended', () => {
  const splitter = makeSplitter();
  mirror(splitter);
  expect([maps.isOpen, maps.keys]).toEqual([true, []]);
  open(splitter);
  expect(maps.keys).toEqual([KEY]);
  nowMs += 11_000;
  for (let i = 0; i < 8; i++) splitter.sweep(nowMs);
  expect(maps.keys).toEqual([]);
});

test('a successor keeps what stands, adds what is missing and removes what is left over', () => {
  const buffer = new ArrayBuffer(Splitter.bufferBytes(CAPACITY, TOPOLOGY));
  const first = makeSplitter(buffer);
  mirror(first);
  open(first, 40001);
  open(first, 40002);
  maps.flows.get(FLOWS.ipv4)!.delete(KEY);
  maps.flows.get(FLOWS.ipv4)!.set('0a0100090001' + '1d7b', '00'.repeat(80));
  maps.isOpen = false;

  mirror(makeSplitter(buffer));
  expect(maps.keys.sort()).toEqual([KEY, '0a0100059c421d7b'].sort());
  expect([maps.isOpen, lacks]).toEqual([true, []]);
});

test('an entry that finds no room is not diverted', () => {
  const splitter = makeSplitter();
  mirror(splitter);
  maps.isFull = true;
  open(splitter);
  expect([maps.isOpen, lacks]).toEqual([true, []]);
  expect(splitter.counters.byReason[Reason.ReportNotCarried]).toBe(1);
  expect(splitter.tables.reportConnections.count).toBe(0);
  maps.isFull = false;
  open(splitter, 40002);
  expect(maps.keys).toEqual([KEY.replace('9c41', '9c42')]);
});

test('a successor that finds no room carries nothing until there is some', () => {
  const buffer = new ArrayBuffer(Splitter.bufferBytes(CAPACITY, TOPOLOGY));
  const first = makeSplitter(buffer);
  open(first);
  maps.isFull = true;
  const one = mirror(makeSplitter(buffer));
  expect([maps.isOpen, lacks]).toEqual([false, ['bpf E2BIG: argument list too long']]);
  one.mend(nowMs);
  maps.isFull = false;
  one.mend(nowMs + 500);
  expect(maps.isOpen).toBe(false);
  one.mend(nowMs + 1000);
  expect([maps.isOpen, maps.keys, lacks]).toEqual([true, [KEY], ['bpf E2BIG: argument list too long', undefined]]);
});

test('a reload follows the new splitter; entries are never missing meanwhile', () => {
  const buffer = new ArrayBuffer(Splitter.bufferBytes(CAPACITY, TOPOLOGY));
  const splitter = makeSplitter(buffer);
  const one = mirror(splitter);
  open(splitter);
  const deleted = jest.spyOn(maps, 'deleteFromMap');
  const next = makeSplitter(buffer);
  one.follow(next);
  expect(deleted).not.toHaveBeenCalled();
  open(next, 40003);
  expect(maps.keys).toContain('0a0100059c431d7b');
});

test('a connection is offered with its SYN+ACK, and given back when it is quiet', () => {
  const splitter = makeSplitter();
  const one = mirror(splitter);
  open(splitter);
  one.settle();
  expect(state()).toBe(OF_ENGINE);
  accept(splitter, one);
  expect(state()).toBe(OFFERED);
  setState(CARRIED);
  // What only the engine can have seen: it takes the connection.
  send(splitter, Side.Cpe, { ...CPE, flags: TcpFlag.Ack, sequence: 2, acknowledgement: 501 });
  one.settle();
  expect(state()).toBe(OF_ENGINE);
  nowMs += 19;
  splitter.sweep(nowMs);
  one.mend(nowMs);
  expect(state()).toBe(OF_ENGINE);
  nowMs += 1;
  splitter.sweep(nowMs);
  one.mend(nowMs);
  expect(state()).toBe(CARRIED);
});

test('what the kernel has given to the ITMS is forgotten, and no repair brings it back', () => {
  const splitter = makeSplitter();
  const one = mirror(splitter);
  open(splitter);
  accept(splitter, one);
  setState(GONE);
  one.takenOver();
  expect([maps.keys, splitter.tables.reportConnections.count]).toEqual([[], 0]);
});

test.each(['a successor without the maps', 'an engine without the fast path'])(
  'for %s an offered connection is its collector’s, with numbers to learn',
  (who) => {
    const buffer = new ArrayBuffer(Splitter.bufferBytes(CAPACITY, TOPOLOGY));
    const first = makeSplitter(buffer);
    const one = mirror(first);
    open(first);
    accept(first, one);
    maps.flows.get(FLOWS.ipv4)!.clear();
    const next = makeSplitter(buffer);
    if (who.startsWith('a successor')) mirror(next);
    else {
      last = undefined;
      forgetCarried(next.state.families);
    }
    const data = { ...CPE, flags: TcpFlag.Ack, payload: 'more', sequence: 900, acknowledgement: 9000 };
    expect(send(next, Side.Cpe, data)).toBe(Reason.ReportUnproven);
    const [entry] = reportEntries(next.state, { limit: 9 }).entries;
    expect(entry).toMatchObject({ owner: 'c1', phase: 'established' });
    expect(activationEntries(next.state, { limit: 9 }).entries).toMatchObject([{ phase: 'consumed' }]);
    const answer = { ...COLLECTOR, flags: TcpFlag.Ack, sequence: 9000, acknowledgement: 904 };
    expect(send(next, Side.Collector, answer)).toBe(Reason.ReportAnswered);
    const more = { ...data, sequence: 904 };
    expect(send(next, Side.Cpe, more)).toBe(Reason.ReportToOwner);
  },
);

test('before the engine hears of it, a SYN on such ports is decided afresh', () => {
  const splitter = makeSplitter();
  const one = mirror(splitter);
  open(splitter);
  accept(splitter, one);
  setState(GONE);
  splitter.paused = true;
  const reason = send(splitter, Side.Cpe, { ...CPE, flags: TcpFlag.Syn, sequence: 77_000 });
  expect(reason).toBe(Reason.Paused);
});

test('a reload that moves a collector takes its connections back, and gives them anew', () => {
  const buffer = new ArrayBuffer(Splitter.bufferBytes(CAPACITY, TOPOLOGY));
  const splitter = makeSplitter(buffer);
  const one = mirror(splitter);
  open(splitter);
  accept(splitter, one);
  send(splitter, Side.Cpe, { ...CPE, flags: TcpFlag.Ack, sequence: 2, acknowledgement: 501 });
  setState(CARRIED);
  const server = () =>
    maps.flows
      .get(FLOWS.ipv4)!
      .get(KEY)!
      .slice(2 * (NUMBERS_AT + FlowWord.Server * 4))
      .slice(0, 8);
  expect(server()).toBe('0a030002');
  const moved = [{ ...TOPOLOGY.collectors[0]!, address: { ipv4: '10.3.0.77' } }];
  const next = makeSplitter(buffer, { ...TOPOLOGY, collectors: moved });
  one.follow(next);
  expect(state()).toBe(OF_ENGINE);
  nowMs += 20;
  next.sweep(nowMs);
  one.mend(nowMs);
  expect([state(), server()]).toEqual([CARRIED, '0a03004d']);
  one.follow(makeSplitter(buffer, { ...TOPOLOGY, collectors: [] }));
  expect(state()).toBe(OF_ENGINE);
});

test('a table tells when a carried connection had its last packet', () => {
  const splitter = makeSplitter();
  const one = mirror(splitter);
  open(splitter);
  accept(splitter, one);
  nowMs += 5000;
  const flows = maps.flows.get(FLOWS.ipv4)!;
  const value = Buffer.from(flows.get(KEY)!, 'hex');
  value.writeBigUInt64LE(BigInt(nowMs - 1200) * 1_000_000n, NUMBERS_AT + FlowWord.Spoke * 4);
  flows.set(KEY, value.toString('hex'));
  splitter.sweep(nowMs);
  one.mend(nowMs);
  expect(reportEntries(splitter.state, { limit: 9 }).entries).toMatchObject([{ idleMs: 1200 }]);
});

describe('the check of maps and table', () => {
  const check = (splitter: Splitter) =>
    checkFlows(
      () => splitter,
      (family) => maps.readMapEntries(FLOWS[family]),
      0,
    );
  const SOUND = { missing: 0, leftOver: 0, differing: 0 };

  test('finds them alike, whichever side has the connection, its life over or not', async () => {
    const splitter = makeSplitter();
    const one = mirror(splitter);
    expect(await check(splitter)).toEqual({ table: 0, flows: 0, carried: 0, ...SOUND });
    open(splitter);
    expect(await check(splitter)).toEqual({ table: 1, flows: 1, carried: 0, ...SOUND });
    accept(splitter, one);
    expect(await check(splitter)).toEqual({ table: 1, flows: 1, carried: 1, ...SOUND });
    setState(GONE);
    expect(await check(splitter)).toMatchObject(SOUND);
    setState(CARRIED);
    nowMs += 8_000_000;
    splitter.state.advance(nowMs);
    expect(await check(splitter)).toMatchObject(SOUND);
  });

  test('tells what is missing, left over, or different', async () => {
    const splitter = makeSplitter();
    mirror(splitter);
    open(splitter);
    const flows = maps.flows.get(FLOWS.ipv4)!;
    const value = flows.get(KEY)!;
    flows.set('0a0100090001' + '1d7b', value);
    expect(await check(splitter)).toMatchObject({ ...SOUND, flows: 2, leftOver: 1 });
    flows.delete(KEY);
    expect(await check(splitter)).toMatchObject({ missing: 1, leftOver: 1, differing: 0 });
    flows.clear();
    flows.set(KEY, value);
    setState(CARRIED);
    expect(await check(splitter)).toMatchObject({ ...SOUND, differing: 1 });
    setState(OF_ENGINE);
    expect(await check(splitter)).toMatchObject(SOUND);
    const other = Buffer.from(value, 'hex');
    other.writeUInt32LE(4711, NUMBERS_AT + FlowWord.Isn * 4);
    flows.set(KEY, other.toString('hex'));
    expect(await check(splitter)).toMatchObject({ ...SOUND, differing: 1 });
  });

  test('not what is mended before the second look', async () => {
    const splitter = makeSplitter();
    mirror(splitter);
    open(splitter);
    const flows = maps.flows.get(FLOWS.ipv4)!;
    const value = flows.get(KEY)!;
    flows.delete(KEY);
    const checking = check(splitter);
    flows.set(KEY, value);
    expect(await checking).toMatchObject(SOUND);
  });
});

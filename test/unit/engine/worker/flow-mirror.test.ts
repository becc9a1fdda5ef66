/** The mirror of the report table: what is in the map whenever a verdict leaves, and what a successor repairs. */
import { FlowMirror, type Maps } from '../../../../src/engine/worker/flow-mirror';
import { buildTcp } from '../../../../src/packet/builder';
import { PacketBatch, Side } from '../../../../src/packet/batch';
import { TcpFlag } from '../../../../src/packet/tcp';
import { parseAddress } from '../../../../src/packet/address';
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
      expect([...key]).toEqual([1, 0, 0, 0]);
      this.isOpen = value[0] === 1;
      return;
    }
    if (this.isFull) throw new Error('bpf E2BIG: argument list too long');
    this.flows.get(fd)!.set(hex(key), hex(value));
  }

  deleteFromMap(fd: number, key: Uint8Array): boolean {
    return this.flows.get(fd)!.delete(hex(key));
  }

  readMapEntries(fd: number): Uint8Array {
    const text = [...this.flows.get(fd)!].map(([key, value]) => key + value).join('');
    return Uint8Array.from(Buffer.from(text, 'hex'));
  }

  get keys(): string[] {
    return [...this.flows.get(FLOWS.ipv4)!.keys()];
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function makeSplitter(buffer?: ArrayBuffer): Splitter {
  const memory = buffer ?? new ArrayBuffer(Splitter.bufferBytes(CAPACITY, TOPOLOGY));
  return new Splitter({ topology: TOPOLOGY, activation: 'auto', capacityEntries: CAPACITY, seed: 1, buffer: memory });
}

let nowMs = 1_000_000;
let maps: FakeMaps;
let lacks: (string | undefined)[];

beforeEach(() => {
  maps = new FakeMaps();
  lacks = [];
});

function mirror(splitter: Splitter, epoch: number): FlowMirror {
  const made = new FlowMirror(maps, CONTROL, FLOWS, epoch, (error) => lacks.push(error?.message));
  made.follow(splitter);
  return made;
}

/** A CPE's SYN, diverted when its CPE is armed. */
function open(splitter: Splitter, cpePort = 40001): void {
  splitter.activate(parseAddress('10.1.0.5')!, 'c1', nowMs);
  const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(1)), 1);
  const ends = { source: '10.1.0.5', sourcePort: cpePort, destination: '10.1.0.1', destinationPort: 7547 };
  batch.push(Side.Cpe, buildTcp({ ...ends, flags: TcpFlag.Syn, sequence: 1 }));
  splitter.decide(batch, nowMs);
}

test('an entry is in the map when its SYN is decided, and gone when it has ended', () => {
  const splitter = makeSplitter();
  mirror(splitter, 1);
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
  mirror(first, 1);
  open(first, 40001);
  open(first, 40002);
  maps.flows.get(FLOWS.ipv4)!.delete(KEY);
  maps.flows.get(FLOWS.ipv4)!.set('0a0100090001' + '1d7b', '00000002');
  maps.isOpen = false;

  mirror(makeSplitter(buffer), 77);
  expect(maps.keys.sort()).toEqual([KEY, '0a0100059c421d7b'].sort());
  expect([maps.isOpen, lacks]).toEqual([true, []]);
});

test('an entry that finds no room closes the program before its verdict leaves, until there is room', () => {
  const splitter = makeSplitter();
  const one = mirror(splitter, 1);
  maps.isFull = true;
  open(splitter);
  expect([maps.isOpen, lacks]).toEqual([false, ['bpf E2BIG: argument list too long']]);
  one.mend(nowMs);
  expect([maps.isOpen, lacks.length]).toEqual([false, 1]);
  maps.isFull = false;
  one.mend(nowMs + 500);
  expect(maps.isOpen).toBe(false);
  one.mend(nowMs + 1000);
  expect([maps.isOpen, maps.keys, lacks]).toEqual([true, [KEY], ['bpf E2BIG: argument list too long', undefined]]);
});

test('a reload follows the new splitter; entries are never missing meanwhile', () => {
  const buffer = new ArrayBuffer(Splitter.bufferBytes(CAPACITY, TOPOLOGY));
  const splitter = makeSplitter(buffer);
  const one = mirror(splitter, 1);
  open(splitter);
  const deleted = jest.spyOn(maps, 'deleteFromMap');
  const next = makeSplitter(buffer);
  one.follow(next);
  expect(deleted).not.toHaveBeenCalled();
  open(next, 40003);
  expect(maps.keys).toContain('0a0100059c431d7b');
});

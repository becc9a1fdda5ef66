/** The state file: taken over when it fits exactly, replaced when it does not, and always with a reason. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  resetTables,
  type EarlierState,
  openState,
  type StateFile,
  stateFilePath,
  type StateOptions,
} from '../../../../src/engine/shared/state-file';
import { HEADER_BYTES, StateHeader } from '../../../../src/engine/shared/state-header';
import { parseAddress } from '../../../../src/packet/address';
import { Splitter } from '../../../../src/splitter/splitter';
import { TOPOLOGY } from '../../../support/rig';

const CAPACITY = 64;
const MEMORY_BYTES = Splitter.bufferBytes(CAPACITY, TOPOLOGY);
const SHAPE = { name: 'default', capacityEntries: CAPACITY, memoryBytes: MEMORY_BYTES };

let directory: string;
let open: StateFile[] = [];
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'acsplit-state-')), 'state');
});
afterEach(() => {
  for (const { fd } of open) closeSync(fd);
  open = [];
  rmSync(join(directory, '..'), { recursive: true });
});

function take(capacityEntries = CAPACITY, adopt: StateOptions['adopt'] = () => 0, name = 'default'): StateFile {
  const state = openState({
    directory,
    name,
    capacityEntries,
    memoryBytes: Splitter.bufferBytes(capacityEntries, TOPOLOGY),
    adopt,
    tryOut: (buffer) => void new Splitter({ topology: TOPOLOGY, activation: 'auto', capacityEntries, seed: 3, buffer }),
  });
  open.push(state);
  return state;
}

/** Leaves a state behind in which a CPE is activated. */
function leave(): void {
  const { memory } = take();
  const splitter = new Splitter({
    topology: TOPOLOGY,
    activation: 'auto',
    capacityEntries: CAPACITY,
    seed: 3,
    buffer: memory,
  });
  splitter.activate(parseAddress('10.1.7.1')!, 'c1', 1000);
}

function activated(state: StateFile): number {
  const splitter = new Splitter({
    ...{
      topology: TOPOLOGY,
      activation: 'auto',
      capacityEntries: CAPACITY,
      seed: 4,
      buffer: state.memory,
      isReader: true,
    },
  });
  return splitter.tables.activatedCpes.count;
}

const path = (): string => stateFilePath(directory);

test('without one, it is created: private, reserved in full, without a warning', () => {
  const state = take();
  expect(state.replaced).toBeUndefined();
  const { mode, size, blocks } = statSync(path());
  expect([mode & 0o777, size]).toEqual([0o600, HEADER_BYTES + MEMORY_BYTES]);
  expect(blocks * 512).toBeGreaterThanOrEqual(size);
  expect(existsSync(`${path()}.new`)).toBe(false);
});

test('what another run left is taken over, and so is a pause', () => {
  leave();
  open[0]!.header.paused = true;
  const next = take();
  expect([next.replaced, activated(next), next.header.paused, next.header.id]).toEqual([
    undefined,
    1,
    true,
    open[0]!.header.id,
  ]);
});

const damages: [string, RegExp, () => void][] = [
  ['empty', /cut short/, () => truncateSync(path(), 0)],
  ['cut in the header', /cut short/, () => truncateSync(path(), 100)],
  ['cut in the tables', /it has \d+ bytes instead of \d+/, () => truncateSync(path(), HEADER_BYTES + 5000)],
  ['a byte too long', /it has \d+ bytes instead of \d+/, () => writeFileSync(path(), 'x', { flag: 'a' })],
  ['somebody else’s', /not a state file of ours/, () => writeFileSync(path(), Buffer.alloc(100_000, 'x'))],
  ['all zeros', /not a state file of ours/, () => writeFileSync(path(), Buffer.alloc(100_000))],
  ['of another boot', /header is damaged|booted since/, () => flip(6 * 32 + 3)],
  ['a torn table', /table/, () => overwriteTables()],
];

test.each(damages)('%s: replaced, with the reason', (_what, reason, damage) => {
  leave();
  damage();
  const next = take();
  expect(next.replaced).toMatch(reason);
  expect(activated(next)).toBe(0);
  const again = take();
  expect(again.replaced).toBeUndefined();
});

test('of another capacity: both numbers are said', () => {
  leave();
  expect(take(128).replaced).toBe('tables.capacity was 64 and is 128');
});

describe('a pause', () => {
  const rows: [string, boolean, () => StateFile][] = [
    ['outlives another capacity', true, () => take(128)],
    ['outlives tables that are cut short', true, () => (truncateSync(path(), HEADER_BYTES + 5000), take())],
    ['outlives torn tables', true, () => (overwriteTables(), take())],
    ['is unknown after a damaged header', false, () => (flip(3 * 32), take())],
    ['is unknown after a file of somebody else', false, () => (writeFileSync(path(), Buffer.alloc(9999)), take())],
    ['is unknown after a header that is cut short', false, () => (truncateSync(path(), 100), take())],
  ];
  test.each(rows)('%s', (_, isKept, replace) => {
    leave();
    open[0]!.header.paused = true;
    const { replaced, header, isPauseUnknown } = replace();
    expect(replaced).toBeDefined();
    expect([header.paused, isPauseUnknown]).toEqual([isKept, !isKept]);
  });
});

test('tables are reset in the same file: empty, whole, and readers see it', () => {
  leave();
  const [state] = open;
  const before = statSync(path());
  const { id } = state!.header;
  overwriteTables();
  expect(take().replaced).toMatch(/table/);
  const after = statSync(path());
  expect([after.ino, after.size, after.blocks]).toEqual([before.ino, before.size, before.blocks]);
  expect(activated(state!)).toBe(0);
  expect(state!.header.id).not.toBe(id);
});

test('a process that dies during a reset leaves a file that is noticed', () => {
  leave();
  const whole = { ...open[0]!, fd: -1 };
  const options = {
    ...{ directory, ...SHAPE },
    adopt: () => 0,
    tryOut: () => {
      throw new Error('killed');
    },
  };
  const write = jest.spyOn(StateHeader.prototype, 'write').mockImplementation(() => {
    throw new Error('killed');
  });
  expect(() => resetTables(whole, options)).toThrow('killed');
  write.mockRestore();
  expect(take().replaced).toBe('it is not a state file of ours');
});

describe('a file of acsplit 0.1.0', () => {
  const tablesOfEarlier = () => gunzipSync(readFileSync(join(__dirname, '../../../fixtures/tables-0.1.0-ipv4.gz')));

  /** Writes one: its tables are of 16 entries, and its clock shows 86 400 s. */
  function leaveEarlier(change: (words: Int32Array) => void = () => undefined): void {
    const tables = tablesOfEarlier();
    const page = new ArrayBuffer(HEADER_BYTES);
    const header = new StateHeader(page);
    header.write({ capacityEntries: 16, memoryBytes: tables.length }, '', true);
    header.hands.set([86_400_000, 0]);
    const words = new Int32Array(page);
    words[1] = 2;
    change(words);
    words[10] = checkWord(words);
    mkdirSync(directory, { recursive: true });
    writeFileSync(path(), Buffer.concat([new Uint8Array(page), tables]), { mode: 0o600 });
  }

  /** As 0.1.0 computes it over its header. */
  function checkWord(words: Int32Array): number {
    return (
      words.subarray(1, 10).reduce((check, word) => Math.imul(check ^ word, 0x01000193) ^ (check >>> 15), 0x811c9dc5) |
      0
    );
  }

  test('its tables are taken over, its clock and its pause continue, and the new file is complete', () => {
    leaveEarlier();
    const adopt = jest.fn((earlier: EarlierState) => earlier.capacityEntries);
    const state = take(CAPACITY, adopt);
    expect([state.replaced, state.adopted, state.header.paused]).toEqual([undefined, 16, true]);
    expect([...state.header.hands.slice(0, 1)]).toEqual([86_400_000]);
    expect(adopt.mock.calls[0]![0].memory.byteLength).toBe(tablesOfEarlier().length);
    expect(take().replaced).toBeUndefined();
  });

  test('rows that cannot be read are said to be so, and the tables are empty', () => {
    leaveEarlier();
    const state = take(CAPACITY, (_, memory) => {
      new Uint8Array(memory)[5] = 1;
      throw new Error('a damaged table header');
    });
    expect([state.replaced, state.adopted, activated(state)]).toEqual(['a damaged table header', undefined, 0]);
  });

  test.each([
    ['of another boot', (words: Int32Array) => void words[6]!++, /another version/],
    ['of a layout that nobody knows', (words: Int32Array) => void (words[1] = 1), /another version \(layout 1/],
    ['shorter than it says', (words: Int32Array) => void words[3]!++, /another version/],
  ])('%s it is replaced', (_, change, reason) => {
    leaveEarlier(change);
    const adopt = jest.fn(() => 0);
    expect(take(CAPACITY, adopt).replaced).toMatch(reason);
    expect(adopt).not.toHaveBeenCalled();
  });
});

test('no room: one line, and the existing file stays, with its pause', () => {
  leave();
  open[0]!.header.paused = true;
  const large = {
    directory,
    name: 'default',
    capacityEntries: 2 * CAPACITY,
    memoryBytes: 2 ** 50,
    tryOut: () => undefined,
    adopt: () => 0,
  };
  expect(() => openState(large)).toThrow(
    /^no room for the state file: \S+ must hold 1073741825 MiB; lower tables\.capacity .*\(ENOSPC\)$/,
  );
  const next = take();
  expect([next.replaced, activated(next), next.header.paused]).toEqual([undefined, 1, true]);
});

test('a flipped bit anywhere in the header is noticed', () => {
  const buffer = new ArrayBuffer(HEADER_BYTES);
  const header = new StateHeader(buffer);
  header.write(SHAPE, 'north');
  expect(header.objection(SHAPE)).toBeUndefined();
  const bytes = new Uint8Array(buffer);
  for (let bit = 0; bit < 11 * 32; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    expect([bit, header.objection(SHAPE)]).toEqual([bit, expect.stringMatching(/damaged|not a state file/)]);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
});

test('of another instance: refused by name, and everything stays; a file without a name, or with a damaged one, is taken', () => {
  leave();
  expect(() => take(CAPACITY, undefined, 'south')).toThrow(
    `stateDirectory ${directory} belongs to instance "default": give "south" another, or remove ${path()} if "default" is gone`,
  );
  expect(activated(take())).toBe(1);
  const bytes = readFileSync(path());
  const at = bytes.indexOf('default');
  for (let bit = 0; bit < 8; bit++) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1 << bit;
    writeFileSync(path(), damaged);
    const taken = take(CAPACITY, undefined, 'south');
    expect([taken.replaced, activated(taken), taken.header.name]).toEqual([undefined, 1, 'south']);
  }
  writeFileSync(path(), Buffer.from(bytes).fill(0, at, at + 64));
  expect(take(CAPACITY, undefined, 'south').header.name).toBe('south');
});

test('tables that are reset keep their instance’s name', () => {
  leave();
  const next = take(2 * CAPACITY);
  expect([next.replaced, next.header.name]).toEqual([expect.any(String), 'default']);
});

test('a symbolic link is not followed', () => {
  leave();
  const elsewhere = join(directory, '..', 'elsewhere');
  writeFileSync(elsewhere, 'precious');
  rmSync(path());
  symlinkSync(elsewhere, path());
  expect(take().replaced).toMatch(/ELOOP/);
  expect(readFileSync(elsewhere, 'utf8')).toBe('precious');
});

test('a file in the way of the directory is said in one line', () => {
  writeFileSync(directory, '');
  expect(() => take()).toThrow(/^state directory \S+ cannot be created: /);
});

function flip(bit: number): void {
  const bytes = readFileSync(path());
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  writeFileSync(path(), bytes);
}

/** Everything behind the header overwritten. */
function overwriteTables(): void {
  const bytes = readFileSync(path());
  bytes.fill(0x5a, HEADER_BYTES);
  writeFileSync(path(), bytes);
}

/** Connection Requests: two servers behind one address, and answers that are judged once. */
import { ConnectionRequests } from '../../../src/tables/connection-requests';
import { addressNamed, neighbours, WORDS } from '../../support/family';
import { Seen } from '../../../src/tables/connection-row';

const LIVES = {
  unansweredMs: 75_000,
  establishedMs: 7_500_000,
  finOneMs: 240_000,
  finBothMs: 120_000,
  resetMs: 10_000,
};
const CPE = addressNamed('10.1.2.3');
const [OTHER_CPE] = neighbours(CPE);
const CPE_PORT = 7547;
const PORT = 40_000;
const ITMS = 0;
const TAG = 0xbeef;
const OTHER_TAG = 1;
const COLLECTOR = 1;
const RANGE = { first: 61_000, last: 61_003 };
/** Puts the first connection of these tests and the first index into slot 0, which is easily taken for none. */
const SEED = 396217;
const CAPACITY = 8;

function bufferOf(capacityEntries: number): ArrayBuffer {
  return new ArrayBuffer(ConnectionRequests.bytes(capacityEntries, WORDS));
}

function requestsOf(capacityEntries = CAPACITY, buffer = bufferOf(capacityEntries), range = RANGE) {
  const memory = { buffer, at: 0, capacityEntries, addressWords: WORDS, seed: SEED };
  const requests = new ConnectionRequests(memory, LIVES, range);
  requests.advance(1_000);
  return requests;
}

describe('two servers pick one source port towards one CPE', () => {
  function collided() {
    const requests = requestsOf();
    const first = requests.openOwn(CPE, CPE_PORT, PORT, ITMS, TAG, 111);
    const second = requests.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 222);
    return { requests, first, second };
  }

  test('the later one gets a port of the range, and is found by its own', () => {
    const { requests, first, second } = collided();
    expect([requests.visiblePort(second), requests.ownPort(second)]).toEqual([61_000, PORT]);
    expect(requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)).toBe(second);
    expect(requests.findOwned(CPE, CPE_PORT, PORT, ITMS, TAG)).toBe(first);
    expect(requests.find(CPE, CPE_PORT, 61_000)).toBe(second);
    expect([requests.ownPort(first), requests.remapCount]).toEqual([PORT, 1]);
  });

  test.each([
    ['a third server', CPE, CPE_PORT, PORT, 2],
    ['another CPE', OTHER_CPE, CPE_PORT, PORT, COLLECTOR],
    ['another CPE port', CPE, CPE_PORT + 1, PORT, COLLECTOR],
    ['the port that only the CPE sees', CPE, CPE_PORT, 61_000, COLLECTOR],
  ])('%s does not find it', (_what, cpe, cpePort, port, owner) => {
    expect(collided().requests.findOwned(cpe, cpePort, port, owner, TAG)).toBe(-1);
  });

  test('the remapped one outlives the one it collided with', () => {
    const { requests, first, second } = collided();
    requests.remove(first);
    const slot = requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG);
    expect([requests.owner(slot), requests.visiblePort(slot)]).toEqual([COLLECTOR, 61_000]);
    expect(second).toBeGreaterThanOrEqual(0);
  });

  test('the index is a hint: it does not lead to the present owner of the visible port', () => {
    const { requests } = collided();
    requests.table.remove(requests.find(CPE, CPE_PORT, 61_000));
    expect(requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)).toBe(-1);
    requests.openOwn(CPE, CPE_PORT, 61_000, COLLECTOR, TAG, 9);
    expect(requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)).toBe(-1);
    requests.open(CPE, CPE_PORT, 61_000, 2, 9);
    expect(requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)).toBe(-1);
    // Nor to another one's whose own port is the same.
    requests.table.remove(requests.find(CPE, CPE_PORT, 61_000));
    const others = [2, 3, 4, 5].map((owner) => requests.openRemapped(CPE, CPE_PORT, PORT, owner, TAG, 9));
    expect(requests.visiblePort(others[3])).toBe(61_000);
    expect(requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)).toBe(-1);
  });

  test('a port of the range that a busy server uses itself is passed over', () => {
    const requests = requestsOf();
    requests.openOwn(CPE, CPE_PORT, 61_000, ITMS, TAG, 1);
    requests.openOwn(CPE, CPE_PORT, PORT, ITMS, TAG, 1);
    expect(requests.visiblePort(requests.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 2))).toBe(61_001);
  });

  test('a range that is used up is an answer, and a port that comes free is used again', () => {
    const requests = requestsOf();
    for (let owner = 1; owner <= 4; owner++) {
      expect(requests.openRemapped(CPE, CPE_PORT, PORT, owner, TAG, owner)).toBeGreaterThanOrEqual(0);
    }
    expect(requests.openRemapped(CPE, CPE_PORT, PORT, 5, TAG, 5)).toBe(-1);
    expect(requests.openRemapped(OTHER_CPE, CPE_PORT, PORT, 5, TAG, 5)).toBeGreaterThanOrEqual(0);
    requests.remove(requests.find(CPE, CPE_PORT, 61_002));
    expect(requests.visiblePort(requests.openRemapped(CPE, CPE_PORT, PORT, 5, TAG, 5))).toBe(61_002);
  });

  test('a try looks at 64 ports, the next one at those behind them', () => {
    const range = { first: 61_000, last: 61_099 };
    const requests = requestsOf(100, bufferOf(100), range);
    for (let n = 0; n < 64; n++) requests.openOwn(CPE, CPE_PORT, range.first + n, ITMS, TAG, n);
    expect(requests.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 1)).toBe(-1);
    expect(requests.visiblePort(requests.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 1))).toBe(61_064);
  });

  test.each([
    [200, 64],
    [1600, 100],
  ])('of %i connections, %i may be remapped at once; the next one finds no room', (capacityEntries, most) => {
    const requests = requestsOf(capacityEntries);
    for (let n = 0; n < most; n++) {
      expect(requests.openRemapped(CPE, n, PORT, COLLECTOR, TAG, 1)).toBeGreaterThanOrEqual(0);
    }
    expect(requests.openRemapped(CPE, most, PORT, COLLECTOR, TAG, 1)).toBe(-1);
    expect([requests.remapCount, requests.table.count]).toEqual([most, most]);
  });

  test('two CPEs have each their own', () => {
    const { requests } = collided();
    const addresses = [CPE, ...neighbours(CPE).slice(0, 6)];
    for (const cpe of addresses) {
      if (cpe !== CPE) requests.openRemapped(cpe, CPE_PORT, PORT, COLLECTOR, TAG, 333);
    }
    const found = addresses.map((cpe) => requests.findOwned(cpe, CPE_PORT, PORT, COLLECTOR, TAG));
    expect(found.map((slot) => requests.cpe(slot).slice())).toEqual(addresses);
  });

  test('the later one may be the ITMS', () => {
    const requests = requestsOf();
    const first = requests.openOwn(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 111);
    const second = requests.openRemapped(CPE, CPE_PORT, PORT, ITMS, TAG, 222);
    expect(requests.findOwned(CPE, CPE_PORT, PORT, ITMS, TAG)).toBe(second);
    requests.remove(first);
    const slot = requests.findOwned(CPE, CPE_PORT, PORT, ITMS, TAG);
    expect([requests.visiblePort(slot), requests.isn(slot)]).toEqual([61_000, 222]);
  });

  test('a full table refuses a remapped connection too', () => {
    const requests = requestsOf(6);
    for (let n = 0; n < 6; n++) requests.openOwn(CPE, CPE_PORT, PORT + n, ITMS, TAG, n);
    expect(requests.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 1)).toBe(-1);
    expect(requests.table.count).toBe(6);
  });

  test('as long as the server speaks on it, the index lives as long as the connection', () => {
    const { requests, second } = collided();
    requests.mark(second, Seen.Answer);
    for (let nowMs = 1_000; nowMs < 30_000_000; nowMs += 7_000_000) {
      requests.advance(nowMs);
      const slot = requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG);
      expect(slot).toBeGreaterThanOrEqual(0);
      requests.keep(slot);
    }
  });

  test('and when the server reopens it at the last moment', () => {
    const { requests, first } = collided();
    // What was remapped moves into slot 0 then.
    requests.remove(first);
    const second = requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG);
    requests.mark(second, Seen.Answer);
    requests.advance(1_000 + LIVES.establishedMs);
    requests.reopen(requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG), 333);
    requests.advance(2_000 + LIVES.establishedMs);
    expect([second, requests.peekOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)]).toEqual([0, 0]);
  });

  test('and where only the CPE speaks on it, or resets it', () => {
    for (const keep of ['keep', 'touch'] as const) {
      const { requests, first } = collided();
      // What was remapped moves into slot 0 then.
      requests.remove(first);
      const second = requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG);
      requests.mark(second, Seen.Answer);
      for (let nowMs = 1_000; nowMs < 15_000_000; nowMs += 7_000_000) {
        requests.advance(nowMs);
        requests[keep](second);
      }
      expect([second, requests.peekOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)]).toEqual([0, 0]);
    }
  });

  test('an index that leads to no connection is not kept, however often it is asked for', () => {
    const { requests, first, second } = collided();
    requests.mark(first, Seen.Answer);
    requests.remove(second);
    for (const nowMs of [2_000_000, 4_000_000]) {
      requests.advance(nowMs);
      expect(requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)).toBe(-1);
      expect(requests.findOwned(CPE, CPE_PORT, PORT, ITMS, TAG)).toBe(first);
    }
    requests.advance(1_001 + LIVES.establishedMs);
    for (let step = 0; step < 20; step++) requests.sweep(64);
    expect(requests.remapCount).toBe(0);
  });

  describe('reopened while the index exists, it gets its earlier port', () => {
    const OTHER_RANGE = { first: 62_000, last: 62_003 };
    type Meanwhile = (requests: ConnectionRequests) => void;
    const opened = (owner: number, bits: number): Meanwhile => {
      return (requests) => requests.open(CPE, CPE_PORT, 61_000, owner, 9, bits);
    };

    test.each<[string, Meanwhile, number]>([
      ['where that is free', () => 0, 61_000],
      ['where its opening was begun and cut short', opened(COLLECTOR, Seen.Remapped), 61_000],
      ['but not where the server itself uses it', opened(COLLECTOR, 0), 61_001],
      ['nor where another one does', opened(2, 0), 61_001],
      ['nor where another one’s opening was begun', opened(2, Seen.Remapped), 61_001],
      [
        'nor where it stands for another port of the server',
        (requests) => requests.openRemapped(CPE, CPE_PORT, PORT + 1, COLLECTOR, TAG, 9),
        61_001,
      ],
    ])('%s', (_where, meanwhile, port) => {
      const buffer = bufferOf(CAPACITY);
      const before = requestsOf(CAPACITY, buffer);
      before.table.remove(before.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 222));
      const requests = requestsOf(CAPACITY, buffer);
      meanwhile(requests);
      if (requests.find(CPE, CPE_PORT, 61_000) < 0) requests.open(CPE, CPE_PORT + 1, 61_000, ITMS, 1);
      expect(requests.visiblePort(requests.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 333))).toBe(port);
    });

    test.each([
      [{ first: 61_000, last: 61_002 }, 61_000],
      [{ first: 61_001, last: 61_003 }, 61_003],
      [{ first: 61_003, last: 61_003 }, 61_003],
      [{ first: 60_000, last: 61_002 }, 60_000],
      [{ first: 61_004, last: 61_009 }, 61_004],
      [OTHER_RANGE, 62_000],
    ])('but not out of the range: index to 61003, range %o', (range, port) => {
      const buffer = bufferOf(CAPACITY);
      const before = requestsOf(CAPACITY, buffer, { first: 61_003, last: 61_003 });
      before.table.remove(before.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 222));
      const requests = requestsOf(CAPACITY, buffer, range);
      expect(requests.visiblePort(requests.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 333))).toBe(port);
    });
  });

  test('the first connection and the first index of these tests lie in slot 0', () => {
    const { requests, first } = collided();
    const { remaps } = requests as unknown as { remaps: ConnectionRequests['table'] };
    expect([first, remaps.isLive(0)]).toEqual([0, true]);
  });

  test('peeking keeps neither connection nor index alive', () => {
    const { requests, second } = collided();
    requests.mark(second, Seen.Answer);
    requests.advance(1_000 + LIVES.establishedMs);
    expect(requests.peekOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)).toBe(second);
    // The entry alone: that the index dies shows that the peek has not kept it.
    requests.table.touch(second);
    requests.advance(1_001 + LIVES.establishedMs);
    expect(requests.find(CPE, CPE_PORT, 61_000)).toBe(second);
    expect(requests.peekOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)).toBe(-1);
  });

  test('survives a restart over the same memory', () => {
    const buffer = bufferOf(CAPACITY);
    const before = requestsOf(CAPACITY, buffer);
    before.openOwn(CPE, CPE_PORT, PORT, ITMS, TAG, 111);
    before.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 222);
    const after = requestsOf(CAPACITY, buffer);
    const slot = after.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG);
    expect([after.visiblePort(slot), after.isn(slot), after.remapCount]).toEqual([61_000, 222, 1]);
  });

  test('an index row goes soon after its connection was swept, and no other row does', () => {
    const { requests, second } = collided();
    requests.mark(second, Seen.Answer);
    const third = requests.openRemapped(CPE, CPE_PORT, PORT + 1, COLLECTOR, TAG, 333);
    expect([third >= 0, requests.remapCount]).toEqual([true, 2]);
    requests.advance(1_001 + LIVES.unansweredMs);
    for (let step = 0; step < 20; step++) requests.sweep(64);
    expect(requests.remapCount).toBe(1);
    expect(requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)).toBeGreaterThanOrEqual(0);
    expect(requests.findOwned(CPE, CPE_PORT, PORT + 1, COLLECTOR, TAG)).toBe(-1);
  });

  test('expired remappings are swept', () => {
    const { requests } = collided();
    requests.advance(1_000 + LIVES.establishedMs + 1);
    for (let step = 0; step < 20; step++) requests.sweep(64);
    expect([requests.remapCount, requests.table.count]).toEqual([0, 0]);
  });
});

describe('what a remapped connection leaves behind', () => {
  test('nothing, when it ends or finds no room', () => {
    const requests = requestsOf(6);
    const slot = requests.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 1);
    requests.remove(slot);
    expect([requests.remapCount, requests.table.count]).toEqual([0, 0]);
    for (let n = 0; n < 6; n++) requests.openOwn(CPE, CPE_PORT, PORT + n, ITMS, TAG, n);
    expect(requests.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 1)).toBe(-1);
    expect(requests.remapCount).toBe(0);
  });
});

test('one source port of two addresses of a server is two connections', () => {
  const requests = requestsOf();
  const first = requests.openOwn(CPE, CPE_PORT, PORT, COLLECTOR, TAG, 1);
  expect(requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, OTHER_TAG)).toBe(-1);
  const second = requests.openRemapped(CPE, CPE_PORT, PORT, COLLECTOR, OTHER_TAG, 2);
  expect(requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, TAG)).toBe(first);
  expect(requests.findOwned(CPE, CPE_PORT, PORT, COLLECTOR, OTHER_TAG)).toBe(second);
  expect([requests.tag(first), requests.tag(second), requests.ownPort(second)]).toEqual([TAG, OTHER_TAG, PORT]);
});

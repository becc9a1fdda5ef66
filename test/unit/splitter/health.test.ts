/**
 * The health of servers from what passes. Rows: what CPEs meet, and what the server then is. Properties: no single CPE
 * brings a server down, and whatever a server accepts ends its being down.
 */
import * as fc from 'fast-check';
import { formatAddress, parseAddress } from '../../../src/packet/address';
import { DOWN_CPES, Health, type HealthOptions, TRIAL_MS, WINDOW_MS } from '../../../src/splitter/health/health';
import { CAPACITY, PATIENCE_MS } from '../../../src/splitter/health/pending-syns';
import { Col, rowOf, SERVER_STATES, Trouble } from '../../../src/splitter/health/server-row';
import { ITMS } from '../../../src/splitter/memory/owners';

const C1 = 1;
const PORT = 7547;
/** The servers' first sequence number. */
const ISS = 5000;
const SERVERS = [
  { owner: ITMS, address: parseAddress('10.2.0.2')! },
  { owner: C1, address: parseAddress('10.3.0.2')! },
  { owner: C1, address: parseAddress('2001:db8:3::2')! },
];

/** One server's traffic on virtual time. */
class Traffic {
  readonly health: Health;
  nowMs = 1_000_000;
  private isn = 1;

  constructor(
    readonly owner = C1,
    readonly words = 1,
    turnsAway = true,
    more: Partial<HealthOptions> = {},
  ) {
    this.health = new Health({ seed: 7, turnsAway, ...more });
    this.health.watch(SERVERS);
    this.wait(0);
  }

  /** Time passes as in an engine, which sweeps forty times a second. */
  wait(ms: number): this {
    const { health } = this;
    for (const endMs = this.nowMs + ms; ; this.nowMs = Math.min(endMs, this.nowMs + 25)) {
      health.advance(this.nowMs);
      health.sweep();
      if (this.nowMs >= endMs) return this;
    }
  }

  cpe(n: number): Int32Array {
    const word = 0x0a010000 + n;
    return this.words === 1 ? Int32Array.of(word) : Int32Array.of(0x20010db8, 1, 0, n);
  }

  /** A CPE's SYN; its ISN. */
  syn(n: number, cpePort = 40_000, isn = this.isn++): number {
    this.health.advance(this.nowMs);
    this.health.opened(this.owner, this.cpe(n), cpePort, PORT, isn);
    return isn;
  }

  accept(n: number, isn: number, cpePort = 40_000): this {
    this.health.advance(this.nowMs);
    this.health.accepted(this.owner, this.cpe(n), cpePort, PORT, isn, ISS);
    return this;
  }

  refuse(n: number, isn: number, cpePort = 40_000): this {
    this.health.advance(this.nowMs);
    this.health.reset(this.owner, this.cpe(n), cpePort, PORT, isn, 0);
    return this;
  }

  /** The server accepts, and resets when it has said so many bytes. */
  cut(n: number, saidBytes = 0): this {
    const isn = this.syn(n);
    this.accept(n, isn);
    this.health.reset(this.owner, this.cpe(n), 40_000, PORT, 0, ISS + 1 + saidBytes);
    return this;
  }

  /** Opens a connection that is accepted, refused, or not answered. */
  meet(n: number, what: 'accepted' | 'refused' | 'silent'): this {
    const isn = this.syn(n);
    if (what === 'accepted') this.accept(n, isn);
    else if (what === 'refused') this.refuse(n, isn);
    return this;
  }

  get(column: Col): number {
    return this.health.rows.get(rowOf(this.owner, this.words), column);
  }

  get state(): string {
    return SERVER_STATES[this.get(Col.State)];
  }

  /** opened, answered, refused, unanswered */
  get counts(): number[] {
    return [Col.Opened, Col.Answered, Col.Refused, Col.Unanswered].map((column) => this.get(column));
  }

  isTurnedAway(n = 99): boolean {
    this.health.advance(this.nowMs);
    return this.health.turnsAway(this.owner, this.cpe(n));
  }
}

const five = [1, 2, 3, 4, 5];

describe.each([
  ['the ITMS', ITMS, 1],
  ['a collector', C1, 1],
  ['a collector in IPv6', C1, 4],
] as const)('%s', (_name, owner, words) => {
  test('that five CPEs find silent is down after the SYN’s patience', () => {
    const traffic = new Traffic(owner, words);
    for (const n of five) traffic.meet(n, 'silent').wait(100);
    traffic.wait(PATIENCE_MS - 200);
    expect([traffic.state, traffic.get(Col.Trouble)]).toEqual(['degraded', Trouble.Partly]);
    traffic.wait(300);
    expect([traffic.state, traffic.get(Col.Trouble)]).toEqual(['down', Trouble.Unanswered]);
    expect(traffic.counts).toEqual([5, 0, 0, 5]);
  });

  test('that refuses five CPEs is down at once, and up with the first one that it accepts', () => {
    const traffic = new Traffic(owner, words);
    for (const n of five) traffic.meet(n, 'refused');
    expect([traffic.state, traffic.get(Col.Trouble)]).toEqual(['down', Trouble.Refused]);
    const isn = traffic.wait(WINDOW_MS).syn(6);
    expect(traffic.state).toBe('down');
    expect(traffic.accept(6, isn).wait(1000).state).toBe('up');
    expect(traffic.counts).toEqual([6, 1, 5, 0]);
  });
});

test('an engine that stood still blames no server for the silence', () => {
  const traffic = new Traffic();
  for (const n of five) traffic.syn(n);
  traffic.nowMs += 10_000;
  expect(traffic.wait(5000).state).toBe('up');
  expect(traffic.counts).toEqual([5, 0, 0, 0]);
  for (const n of five) traffic.meet(n + 10, 'silent');
  expect(traffic.wait(3000).state).toBe('down');
});

test('four CPEs do not make it down, however often they fail', () => {
  const traffic = new Traffic();
  for (let round = 0; round < 20; round++) for (const n of five.slice(0, 4)) traffic.meet(n, 'refused').wait(100);
  expect(traffic.state).toBe('degraded');
});

test('five that fail over more than the window make it degraded; so it stays until it answers', () => {
  const traffic = new Traffic();
  for (const n of five) traffic.meet(n, 'refused').wait(WINDOW_MS / 3);
  expect([traffic.state, traffic.get(Col.Trouble)]).toEqual(['degraded', Trouble.Cut]);
  expect(traffic.wait(10 * WINDOW_MS).state).toBe('degraded');
  expect(traffic.meet(9, 'accepted').wait(WINDOW_MS).state).toBe('up');
});

test('one CPE that fails does not even make it degraded', () => {
  const traffic = new Traffic();
  for (let round = 0; round < 50; round++) traffic.meet(1, 'refused').wait(200);
  expect(traffic.state).toBe('up');
});

test('half dead: while it accepts others it is degraded, and says how many of how many', () => {
  const traffic = new Traffic();
  for (let n = 1; n <= 20; n++) traffic.meet(n, n % 2 ? 'accepted' : 'silent').wait(200);
  traffic.wait(PATIENCE_MS);
  expect([traffic.state, traffic.get(Col.Trouble)]).toEqual(['degraded', Trouble.Partly]);
  expect([traffic.get(Col.Troubled), traffic.get(Col.Attempts)]).toEqual([10, 20]);
  traffic.wait(2 * WINDOW_MS);
  expect(traffic.state).toBe('up');
});

test('answers after a second count as slow: degraded', () => {
  const traffic = new Traffic();
  for (let n = 1; n <= 6; n++) {
    const isn = traffic.syn(n);
    traffic.wait(1000).syn(n, 40_000, isn);
    traffic.accept(n, isn).wait(100);
  }
  expect([traffic.state, traffic.get(Col.Slow), traffic.get(Col.Opened)]).toEqual(['degraded', 6, 6]);
  expect(traffic.get(Col.AnswerSumMs)).toBe(6000);
  expect(traffic.get(Col.AnswerMs)).toBe(1000);
});

test('half dead among many: degraded within ten seconds, though it was well for long', () => {
  const traffic = new Traffic();
  for (let n = 0; n < 150; n++) traffic.meet(n % 20, 'accepted').wait(200);
  const beganMs = traffic.nowMs;
  for (let n = 0; traffic.state === 'up'; n++) traffic.meet(n % 20, n % 2 ? 'accepted' : 'silent').wait(200);
  expect([traffic.state, traffic.get(Col.Trouble)]).toEqual(['degraded', Trouble.Partly]);
  expect(traffic.nowMs - beganMs).toBeLessThan(10_000);
});

describe('that accepts and resets', () => {
  test('with nothing said: degraded, and never down', () => {
    const traffic = new Traffic();
    for (const n of five) traffic.cut(n).wait(100);
    expect([traffic.wait(1000).state, traffic.get(Col.Trouble)]).toEqual(['degraded', Trouble.Partly]);
    expect([traffic.get(Col.Resets), traffic.counts]).toEqual([5, [5, 5, 0, 0]]);
    expect(traffic.wait(2 * WINDOW_MS).state).toBe('up');
  });

  test('after an answer, as some servers close: up', () => {
    const traffic = new Traffic();
    for (const n of five) traffic.cut(n, 100).wait(100);
    expect([traffic.wait(1000).state, traffic.get(Col.Resets)]).toEqual(['up', 5]);
  });

  test('one CPE again and again: up', () => {
    const traffic = new Traffic();
    for (let round = 0; round < 20; round++) traffic.cut(1).wait(100);
    expect([traffic.wait(1000).state, traffic.get(Col.Resets)]).toEqual(['up', 20]);
  });
});

test('a retransmission is no other connection, not even after its SYN was judged', () => {
  const traffic = new Traffic();
  const isn = traffic.syn(1);
  traffic.wait(PATIENCE_MS + 100).syn(1, 40_000, isn);
  traffic.wait(PATIENCE_MS + 100);
  expect(traffic.counts).toEqual([1, 0, 0, 1]);
  const accepted = traffic.syn(2);
  traffic.accept(2, accepted).syn(2, 40_000, accepted);
  expect(traffic.counts).toEqual([2, 1, 0, 1]);
});

test('a late SYN+ACK is no answer in the counts, but a sign of life', () => {
  const traffic = new Traffic();
  const isns = five.map((n) => traffic.syn(n));
  expect(traffic.wait(PATIENCE_MS + 100).state).toBe('down');
  expect(traffic.accept(5, isns[4]).state).toBe('up');
  expect(traffic.counts).toEqual([5, 0, 0, 5]);
});

test('SYNs that were sent before its last answer do not make it down', () => {
  const traffic = new Traffic();
  for (const n of five) traffic.meet(n, 'silent');
  traffic.wait(100).meet(9, 'accepted').wait(PATIENCE_MS);
  expect(traffic.state).toBe('degraded');
});

test('a RST that refuses no SYN is a reset', () => {
  const traffic = new Traffic();
  traffic.meet(1, 'accepted').refuse(1, 1);
  const isn = traffic.syn(2);
  traffic.refuse(2, isn + 1).refuse(3, 7);
  expect([traffic.get(Col.Resets), traffic.get(Col.Refused)]).toEqual([3, 0]);
});

test('another server’s answer, and that to another SYN, answer nothing', () => {
  const traffic = new Traffic();
  const isn = traffic.syn(1);
  traffic.health.accepted(ITMS, traffic.cpe(1), 40_000, PORT, isn, ISS);
  traffic.accept(1, isn + 1).wait(PATIENCE_MS + 100);
  expect(traffic.counts).toEqual([1, 0, 0, 1]);
});

test.each([2 ** 31 - 20_000, 2 ** 32 - 20_000, 2 ** 31 + 5_000_000_000])('at %d ms, where ticks wrap', (beginMs) => {
  const traffic = new Traffic();
  traffic.nowMs = beginMs;
  traffic.wait(0).meet(9, 'accepted').wait(10);
  for (const n of five) traffic.meet(n, 'silent');
  traffic.wait(PATIENCE_MS + 100);
  expect([traffic.state, traffic.isTurnedAway()]).toEqual(['down', true]);
  expect(traffic.wait(TRIAL_MS).isTurnedAway()).toBe(false);
  traffic.meet(6, 'accepted').wait(20_000);
  expect(traffic.state).toBe('up');
});

test('what happened while it was down makes it degraded no more', () => {
  const traffic = new Traffic();
  for (const n of five) traffic.meet(n, 'refused');
  for (let n = 10; n < 28; n++) traffic.wait(10).meet(n, 'accepted');
  for (const n of five.slice(0, 3)) traffic.meet(n, 'refused');
  traffic.meet(9, 'accepted').wait(1000);
  expect([traffic.state, traffic.get(Col.Refused)]).toEqual(['up', 8]);
});

test('a new worker waits with no trial, however long the host is up', () => {
  const buffer = new ArrayBuffer(Health.BYTES);
  const traffic = new Traffic(C1, 1, true, { buffer });
  for (const n of five) traffic.meet(n, 'refused');
  const next = new Traffic(C1, 1, true, { buffer });
  next.nowMs = 2 ** 31 + 1_000_000;
  expect([next.state, next.isTurnedAway()]).toEqual(['down', false]);
});

test('after a month in which nobody called, five CPEs make it down all the same', () => {
  const traffic = new Traffic();
  traffic.meet(9, 'accepted');
  for (let day = 0; day < 30; day++) {
    traffic.nowMs += 86_400_000;
    traffic.wait(0);
  }
  for (const n of five) traffic.meet(n, 'refused');
  expect(traffic.state).toBe('down');
});

describe('a collector that is down', () => {
  function down(turnsAway = true): Traffic {
    const traffic = new Traffic(C1, 1, turnsAway);
    for (const n of five) traffic.meet(n, 'refused');
    expect(traffic.state).toBe('down');
    return traffic;
  }

  test('gets one trial session every 10 s', () => {
    const traffic = down();
    expect(traffic.isTurnedAway()).toBe(true);
    expect(traffic.wait(TRIAL_MS - 1).isTurnedAway()).toBe(true);
    expect(traffic.wait(1).isTurnedAway()).toBe(false);
    traffic.meet(6, 'silent');
    expect(traffic.isTurnedAway()).toBe(true);
    expect(traffic.wait(TRIAL_MS).isTurnedAway()).toBe(false);
    traffic.meet(7, 'accepted');
    expect([traffic.isTurnedAway(), traffic.state]).toEqual([false, 'up']);
  });

  test('gets all of them with onCollectorDown: divert', () => {
    expect(down(false).isTurnedAway()).toBe(false);
  });

  test('is up after a probe; if CPEs fail again, the next probe only permits a trial', () => {
    const traffic = down();
    traffic.health.probed(C1, 1);
    expect([traffic.state, traffic.isTurnedAway()]).toEqual(['up', false]);
    for (const n of five) traffic.wait(10).meet(n, 'refused');
    expect([traffic.state, traffic.isTurnedAway()]).toEqual(['down', true]);
    traffic.health.probed(C1, 1);
    expect([traffic.state, traffic.isTurnedAway()]).toEqual(['down', false]);
    traffic.meet(6, 'accepted');
    for (const n of five) traffic.wait(10).meet(n, 'refused');
    traffic.health.probed(C1, 1);
    expect(traffic.state).toBe('up');
  });

  test('is so in its own family only, and stays so through a worker’s death and a reload', () => {
    const buffer = new ArrayBuffer(Health.BYTES);
    const traffic = new Traffic(C1, 1, true, { buffer });
    for (const n of five) traffic.meet(n, 'refused');
    const since = traffic.get(Col.Since);
    const next = new Traffic(C1, 1, true, { buffer });
    next.health.watch(SERVERS);
    expect([next.state, next.get(Col.Since), next.counts]).toEqual(['down', since, [5, 0, 5, 0]]);
    expect(next.health.rows.get(rowOf(C1, 4), Col.State)).toBe(0);
    // The next worker does not know when the last trial was, so one may begin.
    expect(next.isTurnedAway()).toBe(false);
    next.meet(6, 'silent');
    expect(next.isTurnedAway()).toBe(true);
  });

  test('is another one with another address', () => {
    const traffic = down();
    traffic.health.watch([{ owner: C1, address: parseAddress('10.3.0.9')! }]);
    expect([traffic.state, traffic.counts]).toEqual(['up', [0, 0, 0, 0]]);
  });
});

test('beyond its capacity the oldest SYNs are forgotten, and the rest is still judged', () => {
  const traffic = new Traffic();
  for (let n = 0; n < CAPACITY + 100; n++) traffic.syn(n);
  // A sweep judges a bounded number.
  traffic.wait(PATIENCE_MS + 2000);
  expect(traffic.counts).toEqual([CAPACITY + 100, 0, 0, CAPACITY]);
});

test('in a capture, the silence of a server that was never heard means nothing: its side may be missing', () => {
  const traffic = new Traffic(C1, 1, true, { isCapture: true });
  const wait = () => traffic.wait(PATIENCE_MS + 100);
  for (const n of five) traffic.meet(n, 'silent');
  expect(wait().isTurnedAway()).toBe(false);
  traffic.meet(6, 'accepted').wait(10);
  for (const n of five) traffic.meet(n, 'silent');
  expect(wait().isTurnedAway()).toBe(true);
});

const meeting = fc.record({
  cpe: fc.integer({ min: 1, max: 8 }),
  port: fc.integer({ min: 1, max: 3 }),
  what: fc.constantFrom('accepted', 'refused', 'silent', 'late', 'again'),
  waitMs: fc.integer({ min: 0, max: 4000 }),
});

test('property: the counts add up, and it is down only if five CPEs have met it since its last answer', () => {
  fc.assert(
    fc.property(fc.array(meeting, { maxLength: 60 }), fc.boolean(), (meetings, isFew) => {
      const traffic = new Traffic();
      let failedSince = new Set<number>();
      let isn = 0;
      for (const { cpe, port, what, waitMs } of meetings) {
        const n = isFew ? (cpe % (DOWN_CPES - 1)) + 1 : cpe;
        const mine = traffic.syn(n, port, what === 'again' ? isn : ++isn);
        if (what === 'late') traffic.wait(1500);
        if (what === 'accepted' || what === 'late') {
          traffic.accept(n, mine, port);
          expect(traffic.state).not.toBe('down');
          failedSince = new Set();
        } else {
          failedSince.add(n);
          if (what === 'refused') traffic.refuse(n, mine, port);
        }
        traffic.wait(waitMs);
        if (traffic.state === 'down') expect(failedSince.size).toBeGreaterThanOrEqual(DOWN_CPES);
      }
      if (isFew) expect(traffic.state).not.toBe('down');
      traffic.wait(PATIENCE_MS + 100);
      const [opened, answered, refused, unanswered] = traffic.counts;
      // A SYN whose ports are used again at once is not judged.
      expect(answered + refused + unanswered).toBeLessThanOrEqual(opened);
      expect(traffic.health.rows.get(rowOf(ITMS, 1), Col.Opened)).toBe(0);
    }),
    { numRuns: 120 },
  );
});

test('addresses are found again in the row', () => {
  const { rows } = new Traffic().health;
  const words = [0, 1, 2, 3].map((word) => rows.get(rowOf(C1, 4), Col.Address + word));
  expect(formatAddress(Int32Array.from(words))).toBe('2001:db8:3::2');
});

/**
 * Packets overtake rows. Whatever the lag and the order in which rows arrive, a CPE's session that nobody has woken it for
 * goes to the ITMS, and a woken one to its collector wherever its row was there in time.
 */
import * as fc from 'fast-check';
import { RecentSyns } from '../../../src/tables/recent-syns';
import { addressNamed, FAMILY } from '../../support/family';
import { Routers } from '../../support/routers';
import { GET, OK } from '../../support/rig';

/** OVERTAKING_RUNS=2000 takes a minute. */
const RUNS = Number(process.env.OVERTAKING_RUNS ?? 40);
const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n';
/** Of a row. Sessions of one CPE are some times as far apart. */
const MOST_LAG_MS = 2000;
const APART_MS = 5 * MOST_LAG_MS;

const router = fc.constantFrom('a' as const, 'b' as const);

interface Wake {
  collector: 'c1' | 'c2';
  /** Which router the Connection Request, the session and the session after it pass. */
  request: 'a' | 'b';
  session: 'a' | 'b';
  later: 'a' | 'b';
  /** From the request's data to the 2xx, and to the CPE's SYN. */
  answerMs: number;
  synMs: number;
  /** From the CPE's SYN to another request, which is refused, and the router that it passes; 0: none. */
  busyMs: number;
  busy: 'a' | 'b';
  /** A session of the CPE's own so long before the request's data; 0: none. */
  beforeMs: number;
  isAgain: boolean;
}

const wake: fc.Arbitrary<Wake> = fc.record({
  collector: fc.constantFrom('c1' as const, 'c2' as const),
  ...{ request: router, session: router, later: router },
  answerMs: fc.integer({ min: 1, max: 300 }),
  synMs: fc.integer({ min: 1, max: 2 * MOST_LAG_MS }),
  busyMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: MOST_LAG_MS })),
  busy: router,
  beforeMs: fc.oneof(fc.constant(0), fc.integer({ min: 30, max: 3000 })),
  /** The first request is answered 401. */
  isAgain: fc.boolean(),
});

class Play {
  readonly routers = new Routers();
  private readonly underWay: (ReturnType<Routers['told']>[number] & { atMs: number })[] = [];
  private n = 0;

  constructor(private readonly lags: Iterator<number>) {}

  /** Time passes, and rows arrive in any order. */
  wait(ms: number): void {
    const { rig } = this.routers;
    const endMs = rig.nowMs + ms;
    for (;;) {
      this.send();
      const next = this.underWay.sort((one, other) => one.atMs - other.atMs)[0];
      if (next === undefined || next.atMs > endMs) break;
      this.underWay.shift();
      rig.nowMs = Math.max(rig.nowMs, next.atMs);
      next.to.take(next.key, next.text, rig.nowMs);
      next.to.hand(rig.nowMs);
    }
    rig.nowMs = endMs;
  }

  private send(): void {
    const { rig } = this.routers;
    const told = this.routers.told();
    this.underWay.push(...told.map((row) => ({ ...row, atMs: rig.nowMs + (this.lags.next().value as number) })));
  }

  /** Where the CPE's SYN goes. */
  open(name: 'a' | 'b'): string {
    const cpePort = 40_000 + ++this.n;
    const place = /^to (\w+)/.exec(this.routers.use(name).rig.cpe('SYN', { cpePort, sequence: 1000 }))![1];
    this.send();
    return place;
  }

  /** The rest of a session with a collector, which says that it is over. */
  talk(collector: 'c1' | 'c2'): void {
    const { rig } = this.routers;
    const cpePort = 40_000 + this.n;
    rig.from(collector, 'SYN+ACK', { cpePort, sequence: 5000 });
    rig.cpe('ACK', { cpePort });
    rig.cpe('DATA', { cpePort, payload: GET });
    rig.from(collector, 'DATA', { cpePort, payload: NO_CONTENT });
    rig.cpe('FIN', { cpePort });
    rig.from(collector, 'FIN', { cpePort });
    rig.cpe('ACK', { cpePort });
  }

  /** @returns where the woken session went, and the one after it */
  wake(wake: Wake): [string, string] {
    const { collector, request, session, later, answerMs, synMs, beforeMs, busyMs, busy, isAgain } = wake;
    const { routers } = this;
    if (beforeMs > 0) expect(this.open(session)).toBe('itms');
    this.wait(beforeMs);
    const port = 50_000 + ++this.n;
    const rig = routers.use(request).rig.ask(collector, port);
    if (isAgain) {
      rig.cpe('DATA', { port, payload: 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n' });
      this.wait(25);
      routers.use(request).rig.from(collector, 'DATA', { port, payload: GET });
    }
    let went = '';
    const steps = [
      { ms: answerMs, take: () => void routers.use(request).rig.cpe('DATA', { port, payload: OK }) },
      {
        ms: synMs,
        take: () => {
          went = this.open(session);
          if (went === collector) this.talk(collector);
        },
      },
    ];
    let spentMs = 0;
    for (const { ms, take } of steps.sort((one, other) => one.ms - other.ms)) {
      this.wait(ms - spentMs);
      spentMs = ms;
      take();
    }
    // Behind a SYN before the 2xx, nobody could tell which request has armed the CPE.
    if (busyMs > 0 && synMs > answerMs) {
      this.wait(busyMs);
      const second = { port: port + 1000, payload: 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n' };
      routers.use(busy).rig.ask(collector, second.port).cpe('DATA', second);
    }
    this.wait(APART_MS);
    const after = this.open(later);
    this.wait(APART_MS);
    return [went, after];
  }
}

test('a session that nobody woke the CPE for is the ITMS’s, however late rows are; a woken one is diverted if they were not', () => {
  let late = 0;
  fc.assert(
    fc.property(
      fc.array(wake, { minLength: 1, maxLength: 3 }),
      fc.infiniteStream(fc.nat(MOST_LAG_MS)),
      (wakes, lags) => {
        const play = new Play(lags);
        for (const one of wakes) {
          const { collector, request, session, answerMs, synMs } = one;
          const [went, after] = play.wake(one);
          expect([collector, 'itms']).toContain(went);
          expect(after).toBe('itms');
          const isInTime = synMs > answerMs + (request === session ? 0 : MOST_LAG_MS);
          if (isInTime) expect(went).toBe(collector);
          else if (went === 'itms') late++;
          expect(['a', 'b'].map((name) => play.routers.use(name as 'a').rig.activation())).not.toContain(
            `armed ${collector}`,
          );
        }
      },
    ),
    { numRuns: RUNS },
  );
  expect(late).toBeGreaterThan(RUNS / 8);
});

test('a session that a hand has armed the CPE for, and that overtook the row, uses the activation up on both routers', () => {
  const routers = new Routers();
  routers.rig.activate('c1').wait(100);
  expect(routers.use('b').rig.cpe('SYN')).toMatch(/^to itms/);
  routers.settle();
  expect(routers.use('a').rig.activation()).toBe('none');
  expect(routers.use('b').rig.wait(5000).cpe('SYN', { cpePort: 40002 })).toMatch(/^to itms/);
  expect(routers.use('a').rig.wait(5000).cpe('SYN', { cpePort: 40003 })).toMatch(/^to itms/);
});

test('a repeated SYN is no session: the activation that came in between stands', () => {
  const routers = new Routers();
  expect(routers.use('b').rig.cpe('SYN')).toMatch(/^to itms/);
  routers.rig.wait(1000);
  routers.use('a').rig.wake('c1').wait(100);
  expect(routers.use('b').rig.cpe('SYN')).toMatch(/^to itms/);
  routers.settle();
  expect(routers.use('b').rig.activation()).toBe('armed c1');
});

// ---- the memory ----

const cpeAt = (n: number) => addressNamed(`10.1.${(n >> 8) & 255}.${n & 255}`) as Int32Array;
const WORDS = FAMILY === 'ipv4' ? 1 : 4;

test('it tells the age of the latest SYN, and forgets after ten minutes', () => {
  const syns = new RecentSyns(WORDS, 1);
  syns.advance(1000);
  expect(syns.ageMs(cpeAt(1))).toBe(-1);
  syns.note(cpeAt(1));
  syns.advance(1500);
  expect(syns.ageMs(cpeAt(1))).toBe(500);
  expect(syns.ageMs(cpeAt(2))).toBe(-1);
  syns.note(cpeAt(1));
  expect(syns.ageMs(cpeAt(1))).toBe(0);
  syns.advance(601_500);
  expect(syns.ageMs(cpeAt(1))).toBe(600_000);
  syns.advance(601_501);
  expect(syns.ageMs(cpeAt(1))).toBe(-1);
});

test('it holds the latest sessions, across a wrap of the ticks; the oldest give way', () => {
  const syns = new RecentSyns(WORDS, 7);
  const startMs = 2 ** 31 - 10_000;
  for (let n = 0; n < 20_000; n++) {
    syns.advance(startMs + n);
    syns.note(cpeAt(n));
  }
  const known = Array.from({ length: 20_000 }, (_, n) => syns.ageMs(cpeAt(n)) === 19_999 - n);
  expect(known.slice(19_000).every(Boolean)).toBe(true);
  expect(known.filter(Boolean).length).toBeGreaterThan(19_900);
});

/** What the page says of a CPE's next session is what its next SYN then meets, after any sequence of what may happen. */
import * as fc from 'fast-check';
import { nextSession, rulesOf } from '../../src/engine/page/cpe';
import { activationEntries } from '../../src/splitter/entries';
import { addressNamed } from '../support/family';
import { statusOf } from '../support/page-stand';
import { CPE, OK, Rig, TOPOLOGY, UNAUTHORIZED, type Server } from '../support/rig';

const [C1, C2] = TOPOLOGY.collectors;
const CANARY = { ...TOPOLOGY, collectors: [{ ...C1!, networks: ['10.1.99.0/24'] }, C2!] };
const WITHOUT_C1 = { ...TOPOLOGY, collectors: [C2!] };

/** A CPE and its servers; each act does what it can at that moment. */
class Play {
  readonly rig = new Rig();
  isPaused = false;
  mode: 'auto' | 'off' = 'auto';
  private port = 50_001;
  private cpePort = 40_001;
  private session: { server: Server; cpePort: number; isAnswered: boolean } | undefined;

  wake(server: Server, answer: string): void {
    const port = this.port++;
    this.rig.ask(server, port);
    if (answer !== '') this.rig.cpe('DATA', { port, payload: answer });
  }

  open(): string {
    const cpePort = this.cpePort++;
    const text = this.rig.cpe('SYN', { cpePort, sequence: 1000 });
    const server = /^to (itms|c1|c2):/.exec(text)?.[1] as Server;
    this.session = { server, cpePort, isAnswered: false };
    return text;
  }

  answer(): void {
    if (this.session === undefined || this.session.isAnswered) return;
    const { server, cpePort } = this.session;
    this.rig.from(server, 'SYN+ACK', { cpePort, sequence: 5000 });
    this.rig.cpe('ACK', { cpePort });
    this.session.isAnswered = true;
  }

  /** A session whose messages cannot be read. */
  talk(): void {
    this.answer();
    if (this.session === undefined) return;
    const { server, cpePort } = this.session;
    this.rig.cpe('DATA', { cpePort, payload: '\x16\x03\x01 hello' });
    this.rig.from(server, 'DATA', { cpePort, payload: '\x16\x03\x03 hello' });
  }

  close(): void {
    if (this.session === undefined) return;
    const { server, cpePort } = this.session;
    this.rig.cpe('FIN', { cpePort });
    this.rig.from(server, 'FIN', { cpePort });
    this.rig.cpe('ACK', { cpePort });
    this.session = undefined;
  }

  reload(topology: typeof TOPOLOGY): void {
    this.rig.restart({ topology, activation: this.mode });
    this.rig.splitter.paused = this.isPaused;
  }

  /** As the page tells it. */
  told(): { to: string; why: string } {
    const { splitter, nowMs } = this.rig;
    const cpe = addressNamed(CPE);
    splitter.state.advance(nowMs);
    const [activation] = activationEntries(splitter.state, { limit: 1, cpe }).entries;
    const status = statusOf({ paused: this.isPaused, activation: this.mode });
    return nextSession(activation ?? null, { status, onCollectorDown: 'itms', ...rulesOf(splitter, cpe) });
  }
}

type Act = (play: Play) => void;
const SESSION: Act = (play) => {
  play.wake('c1', OK);
  play.open();
  play.talk();
  play.close();
};
const ACTS: [weight: number, act: fc.Arbitrary<Act>][] = [
  [
    4,
    fc.constantFrom<Act>(
      (play) => play.wake('c1', OK),
      (play) => play.wake('c2', OK),
      (play) => play.wake('itms', OK),
    ),
  ],
  [
    2,
    fc.constantFrom<Act>(
      (play) => play.wake('c1', UNAUTHORIZED),
      (play) => play.wake('c1', ''),
    ),
  ],
  [2, fc.constant<Act>((play) => play.rig.splitter.activate(addressNamed(CPE), 'c2', play.rig.nowMs))],
  [4, fc.constant<Act>((play) => play.open())],
  [3, fc.constant<Act>((play) => play.answer())],
  [2, fc.constant<Act>((play) => play.close())],
  [2, fc.constant<Act>((play) => play.talk())],
  [3, fc.constant<Act>(SESSION)],
  [
    4,
    fc.constantFrom(1, 900, 2999, 3000, 4000, 9999, 10_000, 31_000, 60_000, 61_000, 7.2e6).map(
      (ms): Act =>
        (play) =>
          play.rig.wait(ms),
    ),
  ],
  [
    1,
    fc.boolean().map((isPaused): Act => (play) => {
      play.isPaused = play.rig.splitter.paused = isPaused;
    }),
  ],
  [
    1,
    fc.constantFrom('auto' as const, 'off' as const).map((mode): Act => (play) => {
      play.mode = play.rig.splitter.activation = mode;
    }),
  ],
  [
    1,
    fc.constantFrom(TOPOLOGY, CANARY, WITHOUT_C1).map(
      (topology): Act =>
        (play) =>
          play.reload(topology),
    ),
  ],
];

test('the page and the SYN agree', () => {
  const why: Record<string, number> = {};
  const acts = fc.array(fc.oneof(...ACTS.map(([weight, arbitrary]) => ({ weight, arbitrary }))), { maxLength: 25 });
  fc.assert(
    fc.property(acts, (some) => {
      const play = new Play();
      for (const act of some) {
        try {
          act(play);
        } catch (error) {
          // A server that a reload has removed, or that is none of this connection's.
          if (!(error instanceof RangeError)) throw error;
        }
      }
      const told = play.told();
      why[told.why] = (why[told.why] ?? 0) + 1;
      const met = play.open();
      // That a CPE has too many unconfirmed connections, only a SYN shows.
      if (met === 'to itms: report-bound') return;
      expect([told.why, met, /^to (\w+)/.exec(met)?.[1]]).toEqual([told.why, met, told.to]);
    }),
    { numRuns: 1200, seed: 22 },
  );
  // Every reason but those that need a judge of servers or an engine that stands still.
  const reasons = ['armed', 'grace', 'not-woken', 'asked', 'running', 'paused', 'off', 'owner-gone', 'outside-canary'];
  expect(Object.keys(why).sort()).toEqual([...reasons, 'collector-silent'].sort());
});

/** An activation from arming to its end: what applies, for whom, and how long, to the ms. */
import { ActivatedCpes } from '../../../src/tables/activated-cpes';
import { Grace } from '../../../src/tables/activation-row';
import { addressNamed, cpeNumbered, neighbours, WORDS } from '../../support/family';

const LIVES = {
  armedMs: 60_000,
  graceMs: 2_000,
  unfinishedMs: 30_000,
  retryMs: 4_000,
  activationMs: 300_000,
  askedMs: 75_000,
};
const CPE = addressNamed('245.254.253.253');
const COLLECTOR = 1;
const OTHER = 2;
const PORTS = [50_000, 65_535] as const;
/** Puts CPE into slot 0, which is easily taken for none. */
const SEED = 26;

function activatedOf(): ActivatedCpes {
  const buffer = new ArrayBuffer(ActivatedCpes.bytes(8, WORDS));
  const memory = { buffer, at: 0, capacityEntries: 8, addressWords: WORDS, seed: SEED };
  const activated = new ActivatedCpes(memory, LIVES);
  activated.table.advance(0);
  return activated;
}

type Step = 'ask' | 'arm' | 'consume' | 'short' | 'unfinished' | 'retry' | 'resumed' | 'end' | `after ${number}`;

const GRACES = { short: Grace.Short, unfinished: Grace.Unfinished, retry: Grace.Retry } as const;

/** Plays a CPE's story and returns the table, its clock at the story's end. */
function story(steps: Step[]): ActivatedCpes {
  const activated = activatedOf();
  let nowMs = 0;
  const consumed = () => activated.findConsumed(CPE, ...PORTS);
  for (const step of steps) {
    if (step === 'ask') activated.ask(CPE);
    else if (step === 'arm') activated.arm(CPE, COLLECTOR);
    else if (step === 'consume') activated.consume(activated.find(CPE), ...PORTS);
    else if (step === 'resumed') activated.resumed(consumed());
    else if (step === 'end') activated.end(activated.find(CPE));
    else if (step in GRACES) activated.finished(consumed(), GRACES[step as keyof typeof GRACES]);
    else activated.table.advance((nowMs += Number(step.slice('after '.length))));
  }
  return activated;
}

function phase(activated: ActivatedCpes): string {
  const slot = activated.find(CPE);
  if (slot < 0) return 'gone';
  if (activated.isArmed(slot)) return 'armed';
  if (activated.isGrace(slot)) return 'grace';
  if (activated.isConsumed(slot)) return 'consumed';
  return activated.isAsked(slot) ? 'asked' : 'over';
}

describe('the next SYN of the CPE is the collector’s while the activation lasts', () => {
  test.each<[string, Step[], string]>([
    ['armed', ['arm'], 'armed'],
    ['for 60 s', ['arm', 'after 60000'], 'armed'],
    ['and no ms longer', ['arm', 'after 60001'], 'gone'],
    ['armed again, for 60 s more', ['arm', 'after 50000', 'arm', 'after 60000'], 'armed'],
    ['consumed by its first session', ['arm', 'consume'], 'consumed'],
    ['which may end within 300 s', ['arm', 'consume', 'after 300000'], 'consumed'],
    ['and no ms later', ['arm', 'consume', 'after 300001'], 'gone'],
    ['an end brings grace', ['arm', 'consume', 'after 5000', 'short'], 'grace'],
    ['for 2 s', ['arm', 'consume', 'short', 'after 2000'], 'grace'],
    ['and no ms longer', ['arm', 'consume', 'short', 'after 2001'], 'gone'],
    ['unfinished, 30 s', ['arm', 'consume', 'unfinished', 'after 30000'], 'grace'],
    ['and no longer', ['arm', 'consume', 'unfinished', 'after 30001'], 'gone'],
    ['to be retried, 4 s', ['arm', 'consume', 'retry', 'after 4000'], 'grace'],
    ['and no longer', ['arm', 'consume', 'retry', 'after 4001'], 'gone'],
    ['the other end’s FIN stretches nothing', ['arm', 'consume', 'short', 'after 2000', 'short', 'after 1'], 'gone'],
    ['not beyond 300 s after arming', ['arm', 'consume', 'after 299000', 'unfinished', 'after 1000'], 'grace'],
    ['to the ms', ['arm', 'consume', 'after 299000', 'unfinished', 'after 1001'], 'over'],
    ['grace is consumed like the first', ['arm', 'consume', 'short', 'consume'], 'consumed'],
    ['a RST that was none costs nothing', ['arm', 'consume', 'short', 'resumed'], 'consumed'],
    ['armed again while consumed', ['arm', 'consume', 'arm'], 'armed'],
    ['ended', ['arm', 'end'], 'gone'],
  ])('%s', (_what, steps, expected) => {
    expect(phase(story(steps))).toBe(expected);
  });
});

describe('asked is independent of the phases, with a timer of its own', () => {
  test.each<[string, Step[], string]>([
    ['for 75 s', ['ask', 'after 75000'], 'asked'],
    ['and no ms longer', ['ask', 'after 75001'], 'gone'],
    ['new data ask again', ['ask', 'after 75000', 'ask', 'after 75000'], 'asked'],
    ['armed is more than asked', ['ask', 'arm', 'after 60000'], 'armed'],
    ['and outlived by it', ['arm', 'after 30000', 'ask', 'after 30001'], 'asked'],
    ['a phase that is over does not come back', ['arm', 'after 60000', 'ask', 'after 1', 'ask'], 'asked'],
    ['ended, it is still asked', ['arm', 'ask', 'end'], 'asked'],
    ['its session’s grace is not lengthened', ['arm', 'consume', 'short', 'ask', 'after 2001'], 'asked'],
  ])('%s', (_what, steps, expected) => {
    expect(phase(story(steps))).toBe(expected);
  });

  test('a session with the ITMS counts for the requests before it', () => {
    const activated = story(['ask', 'after 1000']);
    const slot = activated.find(CPE);
    const before = activated.table.tick;
    expect(activated.hadSessionSince(slot, before)).toBe(false);
    activated.sessionBegan(slot);
    activated.table.advance(2_000);
    expect([before - 1, before, before + 1].map((tick) => activated.hadSessionSince(slot, tick))).toEqual([
      true,
      true,
      false,
    ]);
  });
});

describe('a collector that says nothing', () => {
  test('is timed from the first SYN on, until it speaks', () => {
    const activated = story(['arm']);
    const slot = activated.find(CPE);
    expect(activated.silentMs(slot)).toBe(-1);
    activated.tried(slot);
    activated.table.advance(2_000);
    activated.tried(slot);
    expect(activated.silentMs(slot)).toBe(2_000);
    activated.heard(slot);
    expect([activated.silentMs(slot), phase(activated)]).toEqual([-1, 'armed']);
  });

  test('is tried again once the CPE is armed again', () => {
    const activated = story(['arm']);
    activated.tried(activated.find(CPE));
    activated.arm(CPE, COLLECTOR);
    expect(activated.silentMs(activated.find(CPE))).toBe(-1);
  });
});

test.each([
  ['another CPE port', 50_001, 65_535],
  ['another report port', 50_000, 7_547],
  ['the ports the other way round', 65_535, 50_000],
  ['no port', 0, 0],
])('only its own report connection moves it, not %s', (_what, cpePort, reportPort) => {
  expect(story(['arm', 'consume']).findConsumed(CPE, cpePort, reportPort)).toBe(-1);
  expect(story(['arm']).findConsumed(CPE, cpePort, reportPort)).toBe(-1);
});

test('all armed or asked entries can be ended at once', () => {
  const activated = activatedOf();
  for (let n = 0; n < 6; n++) {
    const slot = n % 3 === 0 ? activated.ask(cpeNumbered(n + WORDS)) : activated.arm(cpeNumbered(n + WORDS), COLLECTOR);
    if (n % 3 === 2) activated.consume(slot, ...PORTS);
  }
  activated.endStanding();
  expect(activated.table.count).toBe(2);
});

test('the CPE of these tests lies in slot 0', () => expect(story(['arm']).find(CPE)).toBe(0));

test('a CPE whose address differs in one bit is another one', () => {
  const activated = story(['arm']);
  for (const other of neighbours(CPE)) expect(activated.find(other)).toBe(-1);
  expect(activated.cpe(activated.find(CPE))).toEqual(CPE);
});

test('the owner stays through all phases, and the last to arm is the owner', () => {
  const activated = story(['arm', 'consume', 'short', 'resumed']);
  expect(activated.owner(activated.find(CPE))).toBe(COLLECTOR);
  activated.arm(CPE, OTHER);
  expect(activated.owner(activated.find(CPE))).toBe(OTHER);
  activated.arm(CPE, 1023);
  expect(activated.owner(activated.find(CPE))).toBe(1023);
});

test('a full table refuses a further CPE and arms a known one again', () => {
  const activated = activatedOf();
  for (let n = 0; n < 8; n++) expect(activated.arm(cpeNumbered(n + WORDS), COLLECTOR)).toBeGreaterThanOrEqual(0);
  expect(activated.arm(cpeNumbered(99), COLLECTOR)).toBe(-1);
  expect(activated.arm(cpeNumbered(7 + WORDS), OTHER)).toBe(activated.find(cpeNumbered(7 + WORDS)));
});

test('changed lives apply to existing activations', () => {
  const activated = story(['arm', 'after 30000']);
  activated.setLives({ ...LIVES, armedMs: 29_999 });
  expect(phase(activated)).toBe('gone');
});

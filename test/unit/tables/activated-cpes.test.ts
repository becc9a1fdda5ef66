/** An activation from being armed to its end: what stands, for whom, and for how long to the ms. */
import { ActivatedCpes } from '../../../src/tables/activated-cpes';
import { addressNamed, cpeNumbered, neighbours, WORDS } from '../../support/family';

const LIVES = { armedMs: 60_000, graceMs: 2_000, unansweredMs: 10_000, establishedMs: 7_500_000, resetMs: 5_000 };
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

type Step = 'arm' | 'consume' | 'repeated' | 'answered' | 'finished' | 'reset' | 'lifted' | `after ${number}`;

/** Plays a CPE's story and returns the table, its clock at the story's end. */
function story(steps: Step[]): ActivatedCpes {
  const activated = activatedOf();
  let nowMs = 0;
  for (const step of steps) {
    if (step === 'arm') activated.arm(CPE, COLLECTOR);
    else if (step === 'consume') activated.consume(activated.find(CPE), ...PORTS);
    else if (step.startsWith('after ')) activated.table.advance((nowMs += Number(step.slice(6))));
    else activated[step as 'repeated' | 'answered' | 'finished' | 'reset' | 'lifted'](CPE, ...PORTS);
  }
  return activated;
}

function phase(activated: ActivatedCpes): string {
  const slot = activated.find(CPE);
  if (slot < 0) return 'gone';
  if (!activated.stands(slot)) return 'consumed';
  return activated.isArmed(slot) ? 'armed' : 'grace';
}

describe('the next SYN of the CPE is the collector’s while the activation stands', () => {
  test.each<[string, Step[], string]>([
    ['armed', ['arm'], 'armed'],
    ['for 60 s', ['arm', 'after 60000'], 'armed'],
    ['and no ms longer', ['arm', 'after 60001'], 'gone'],
    ['armed again, for 60 s more', ['arm', 'after 50000', 'arm', 'after 60000'], 'armed'],
    ['consumed by its first SYN', ['arm', 'consume'], 'consumed'],
    ['unanswered it is forgotten after 10 s', ['arm', 'consume', 'after 10001'], 'gone'],
    ['a repeated SYN keeps it', ['arm', 'consume', 'after 10000', 'repeated', 'after 10000'], 'consumed'],
    ['answered it holds as long as its connection', ['arm', 'consume', 'answered', 'after 7500000'], 'consumed'],
    ['and no longer', ['arm', 'consume', 'answered', 'after 7500001'], 'gone'],
    ['a FIN brings grace', ['arm', 'consume', 'answered', 'after 5000', 'finished'], 'grace'],
    ['for 2 s', ['arm', 'consume', 'answered', 'finished', 'after 2000'], 'grace'],
    ['and no ms longer', ['arm', 'consume', 'answered', 'finished', 'after 2001'], 'gone'],
    [
      'the other end’s FIN counts anew',
      ['arm', 'consume', 'answered', 'finished', 'after 2000', 'finished', 'after 2000'],
      'grace',
    ],
    ['no grace where nobody answered', ['arm', 'consume', 'finished'], 'consumed'],
    ['grace is consumed like the first', ['arm', 'consume', 'answered', 'finished', 'consume'], 'consumed'],
    ['and must be answered again', ['arm', 'consume', 'answered', 'finished', 'consume', 'finished'], 'consumed'],
    ['a RST ends grace', ['arm', 'consume', 'answered', 'finished', 'reset'], 'consumed'],
    ['after a RST a FIN brings none', ['arm', 'consume', 'answered', 'reset', 'finished'], 'consumed'],
    [
      'a RST is remembered from then on',
      ['arm', 'consume', 'answered', 'after 6000', 'reset', 'after 5000'],
      'consumed',
    ],
    ['for 5 s', ['arm', 'consume', 'answered', 'reset', 'after 5001'], 'gone'],
    ['a forged RST costs nothing', ['arm', 'consume', 'answered', 'reset', 'lifted', 'finished'], 'grace'],
    ['nor does it shorten the life', ['arm', 'consume', 'answered', 'reset', 'lifted', 'after 7500000'], 'consumed'],
    ['armed anew while consumed', ['arm', 'consume', 'answered', 'arm'], 'armed'],
    [
      'what its old connection does, no longer matters',
      ['arm', 'consume', 'answered', 'arm', 'finished', 'reset'],
      'armed',
    ],
  ])('%s', (_what, steps, expected) => {
    expect(phase(story(steps))).toBe(expected);
  });

  test('finished says whether grace began', () => {
    expect(story(['arm']).finished(CPE, ...PORTS)).toBe(false);
    expect(story(['arm', 'consume']).finished(CPE, ...PORTS)).toBe(false);
    expect(story(['arm', 'consume', 'answered']).finished(CPE, ...PORTS)).toBe(true);
    expect(story(['arm', 'consume', 'answered', 'reset']).finished(CPE, ...PORTS)).toBe(false);
  });
});

describe('only its own report connection moves it', () => {
  const ports: [string, number, number][] = [
    ['another CPE port', 50_001, 65_535],
    ['another report port', 50_000, 7_547],
    ['the ports the other way round', 65_535, 50_000],
  ];
  test.each(ports)('%s: not answered, finished, reset, lifted or kept', (_what, cpePort, reportPort) => {
    const activated = story(['arm', 'consume', 'answered']);
    const before = activated.table.rows.slice();
    activated.table.advance(1);
    activated.reset(CPE, cpePort, reportPort);
    activated.answered(CPE, cpePort, reportPort);
    expect(activated.finished(CPE, cpePort, reportPort)).toBe(false);
    expect(activated.table.rows).toEqual(before);
    expect(activated.finished(CPE, ...PORTS)).toBe(true);

    const unanswered = story(['arm', 'consume', 'after 9000']);
    unanswered.answered(CPE, cpePort, reportPort);
    unanswered.repeated(CPE, cpePort, reportPort);
    unanswered.lifted(CPE, cpePort, reportPort);
    unanswered.table.advance(10_001);
    expect(unanswered.find(CPE)).toBe(-1);
  });

  test('an armed one has no report connection, not even that of port 0', () => {
    const activated = story(['arm']);
    activated.answered(CPE, 0, 0);
    expect([activated.finished(CPE, 0, 0), phase(activated)]).toEqual([false, 'armed']);
  });

  test('what a CPE does that nobody armed, or that is armed, moves nobody', () => {
    const activated = activatedOf();
    for (let n = 0; n < 7; n++) {
      const slot = activated.arm(cpeNumbered(n + WORDS), COLLECTOR);
      if (n > 0) activated.consume(slot, ...PORTS);
    }
    const before = activated.table.rows.slice();
    activated.table.advance(1);
    for (const cpe of [CPE, cpeNumbered(WORDS)]) {
      activated.answered(cpe, ...PORTS);
      activated.repeated(cpe, ...PORTS);
      activated.reset(cpe, ...PORTS);
      activated.lifted(cpe, ...PORTS);
      expect(activated.finished(cpe, ...PORTS)).toBe(false);
    }
    expect([activated.table.rows, activated.table.count]).toEqual([before, 7]);
  });

  test('reserved for another, which finds no room: it is its first one’s still', () => {
    const activated = story(['arm', 'consume', 'answered', 'finished']);
    const slot = activated.find(CPE);
    const before = activated.reserve(slot, 50_001, 7547);
    expect([activated.isReserved(slot, 50_001, 7547), activated.isReserved(slot, ...PORTS)]).toEqual([true, false]);
    activated.unreserve(slot, before);
    expect([activated.isReserved(slot, 50_001, 7547), activated.isReserved(slot, ...PORTS)]).toEqual([false, true]);
    activated.table.advance(2_000);
    expect(activated.finished(CPE, ...PORTS)).toBe(true);
  });
});

test('the CPE of these tests lies in slot 0', () => expect(story(['arm']).find(CPE)).toBe(0));

test('a CPE whose address differs in one bit is another one', () => {
  const activated = story(['arm']);
  for (const other of neighbours(CPE)) expect(activated.find(other)).toBe(-1);
  expect(activated.cpe(activated.find(CPE))).toEqual(CPE);
});

test('the owner stays through all phases, and the last to arm is the owner', () => {
  const activated = story(['arm', 'consume', 'answered', 'finished', 'reset', 'lifted']);
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

test('changed lives hold for activations that stand', () => {
  const activated = story(['arm', 'after 30000']);
  activated.setLives({ ...LIVES, armedMs: 29_999 });
  expect(phase(activated)).toBe('gone');
});

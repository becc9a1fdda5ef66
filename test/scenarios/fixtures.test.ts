/**
 * Every fixture of test/fixtures: its script makes the stored bytes, its replay gives the stored transcript and capture,
 * and a second, independent statement of its claim holds: where each session of a CPE went.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLAIMS } from '../fixtures/claims';
import { filesOf } from '../fixtures/make';
import { FIXTURES, replayInMemory } from '../support/replay-run';

const stored = (name: string) => readFileSync(join(FIXTURES, name));

describe.each(CLAIMS.map((claim) => [claim.name, claim] as const))('%s', (name, claim) => {
  test('is what its script makes, and replays as stored', () => {
    for (const [file, bytes] of filesOf(claim)) {
      expect({ file, same: stored(file).equals(bytes) }).toEqual({ file, same: true });
    }
  });

  test('gives the same capture in batches of a millisecond as packet by packet', () => {
    const capture = stored(`${name}.${claim.extension}`);
    const run = replayInMemory([capture], { transcript: false, keepDropped: true });
    expect(run.output.equals(stored(`${name}.rewritten.pcapng`))).toBe(true);
  });
});

test('no file is left over from a fixture that is gone', () => {
  const expected = CLAIMS.flatMap(({ name, extension }) =>
    [extension, 'rewritten.pcapng', 'transcript'].map((ending) => `${name}.${ending}`),
  );
  const files = readdirSync(FIXTURES, { withFileTypes: true }).filter((entry) => entry.isFile());
  // Tables of an earlier version are of other tests.
  const present = files.map(({ name }) => name).filter((name) => !/\.(ts|yaml|md|gz)$/.test(name));
  expect(present.sort()).toEqual(expected.sort());
});

/** Where the SYNs of CPEs to the report port went, in order: `address:port server reason`. */
function sessions(name: string): string[] {
  const lines = stored(`${name}.transcript`).toString().split('\n');
  return lines.flatMap((line) => {
    const match = / cpe +SYN[^ ]* +(\S+) > 10\.1\.0\.1:7547 +\S+ > (\S+):7547 +0 rewritten ([a-z-]+)/.exec(line);
    return match ? [`${match[1]} ${SERVERS[match[2]]} ${match[3]}`] : [];
  });
}

const SERVERS: Record<string, string> = { '10.2.0.2': 'itms', '10.3.0.2': 'c1', '10.3.0.3': 'c2' };

// prettier-ignore
const SESSIONS: readonly (readonly [claim: string, ...sessions: string[]])[] = [
  ['a-woken-cpe-reports-to-the-collector-once',
    '10.1.7.1:40001 itms to-itms', '10.1.7.1:40002 c1 diverted', '10.1.9.9:41001 itms to-itms', '10.1.7.1:40003 itms to-itms'],
  ['cpe-syn-before-collector-fin', '10.1.7.1:40001 c1 diverted', '10.1.7.1:40002 itms to-itms'],
  ['a-401-diverts-nothing', '10.1.7.1:40001 itms to-itms'],
  ['two-connections-are-one-session',
    '10.1.7.1:40001 c1 diverted', '10.1.7.1:40002 c1 diverted-in-grace', '10.1.7.1:40003 itms to-itms'],
  ['a-request-of-the-itms-ends-an-activation', '10.1.7.1:40001 itms to-itms'],
  ['each-collector-gets-the-cpe-it-woke', '10.1.9.9:41001 c2 diverted', '10.1.7.1:40001 c1 diverted'],
  ['a-reused-port-is-decided-afresh',
    '10.1.7.1:40001 c1 diverted', '10.1.7.1:40001 c1 syn-repeated', '10.1.7.1:40001 itms to-itms'],
  ['a-reset-after-a-204-leaves-no-grace', '10.1.7.1:40001 c1 diverted', '10.1.7.1:40002 itms to-itms'],
  ['an-ecn-syn-is-a-syn', '10.1.7.1:40001 c1 diverted'],
  ['what-must-not-pass-is-dropped', '10.1.7.1:40001 itms to-itms'],
  ['vlan-and-qinq-tags-stay',
    '10.1.7.1:40001 itms to-itms', '10.1.7.1:40002 c1 diverted', '10.1.9.9:41001 itms to-itms', '10.1.7.1:40003 itms to-itms'],
  ['pppoe-sessions-are-read',
    '10.1.7.1:40001 itms to-itms', '10.1.7.1:40002 c1 diverted', '10.1.9.9:41001 itms to-itms', '10.1.7.1:40003 itms to-itms'],
  ['super-packets-of-length-zero-are-read',
    '10.1.7.1:40001 itms to-itms', '10.1.7.1:40002 c1 diverted', '10.1.9.9:41001 itms to-itms', '10.1.7.1:40003 itms to-itms'],
  ['cut-by-snaplen-headers-are-rewritten',
    '10.1.7.1:40001 itms to-itms', '10.1.7.1:40002 c1 diverted', '10.1.9.9:41001 itms to-itms', '10.1.7.1:40003 itms to-itms'],
];

test.each(SESSIONS)('%s: the sessions went where the claim says', (name, ...expected) => {
  expect(sessions(name)).toEqual(expected);
});

test('the second collector on a used port is remapped, both ways', () => {
  const text = stored('one-source-port-of-two-collectors-is-remapped.transcript').toString();
  expect(text).toMatch(
    /10\.3\.0\.3:50001 > 10\.1\.7\.1:7170 +10\.1\.0\.1:6\d{4} > 10\.1\.7\.1:7170 +0 rewritten request-remapped/,
  );
});

test('a capture cut by snaplen says that payloads could not be verified', () => {
  const text = stored('cut-by-snaplen-headers-are-rewritten.transcript').toString();
  const withPayload = text.split('\n').filter((line) => / PSH\+ACK /.test(line));
  expect(withPayload.length).toBeGreaterThan(10);
  for (const line of withPayload) expect(line).toContain('(cut by snaplen: payload not verified)');
});

test('activation off sends everything to the ITMS and says what would have been', () => {
  const capture = stored('a-woken-cpe-reports-to-the-collector-once.pcapng');
  const { summary } = replayInMemory([capture], { activation: 'off' });
  expect(summary.packets.byReason['would-divert']).toBe(1);
  expect(summary.packets.byReason.diverted).toBeUndefined();
});

test('activation fin: a 401 ends with a FIN, and diverts', () => {
  const { summary } = replayInMemory([stored('a-401-diverts-nothing.pcap')], { activation: 'fin' });
  expect(summary.packets.byReason.diverted).toBe(1);
});

/** The tables of constants: every reason and event has words of its own, every default is the one that is documented. */
import { Verdict } from '../../../src/packet/batch';
import { EVENTS, Event } from '../../../src/splitter/memory/events';
import { Reason, REASONS, reasonName, VERDICTS } from '../../../src/splitter/reasons';
import { ACTIVATION_MODES, DEFAULT_LIVES } from '../../../src/splitter/topology';

const NAME = /^[a-z]+(-[a-z]+)*$/;

test('every reason has a name of its own, and a meaning that ends in whose rule it is', () => {
  expect(REASONS).toHaveLength(Reason.IcmpAsAcs + 1);
  expect(new Set(REASONS.map(([name]) => name)).size).toBe(REASONS.length);
  for (const [name, , meaning] of REASONS) {
    expect(name).toMatch(NAME);
    expect(meaning).toMatch(/^[A-Za-z].{15,} \[(P\d+|D)\]$/);
  }
  expect([reasonName(Reason.NotIp), reasonName(Reason.IcmpAsAcs)]).toEqual(['not-ip', 'icmp-as-acs']);
});

test('a reason that a damaged counter or another version names has its number for a name', () => {
  expect([reasonName(REASONS.length), reasonName(-1)]).toEqual([`reason-${REASONS.length}`, 'reason--1']);
});

test('what is not ours is accepted untouched, bad input and what nobody may send is dropped, all else is rewritten', () => {
  const of = (verdict: Verdict) => REASONS.filter((_, reason) => VERDICTS[reason] === verdict).map(([name]) => name);
  expect(of(Verdict.Accept)).toEqual([
    ...['not-ip', 'not-tcp', 'not-ours', 'jumbogram', 'source-routed', 'icmp-not-ours', 'icmp-unreadable'],
  ]);
  expect(of(Verdict.Drop)).toEqual([
    ...['malformed-ip', 'malformed-tcp', 'malformed-flags', 'fragment', 'truncated', 'syn-other-port'],
    ...['request-table-full', 'request-no-port', 'request-bound', 'request-unknown', 'syn-from-report-port'],
    ...['report-forgotten', 'not-owner'],
  ]);
  expect(of(Verdict.AcceptRewritten)).toHaveLength(REASONS.length - 20);
});

test('every event has a name of its own', () => {
  expect(EVENTS).toHaveLength(Event.SessionFirst + 1);
  expect(new Set(EVENTS).size).toBe(EVENTS.length);
  for (const name of EVENTS) expect(name).toMatch(NAME);
});

test('the modes, and the lives in seconds', () => {
  expect(ACTIVATION_MODES).toEqual(['auto', 'fin', 'response', 'off']);
  expect(DEFAULT_LIVES).toEqual({
    ...{ requestUnanswered: 75, reportUnanswered: 10, established: 7500 },
    ...{ finOne: 240, finBoth: 120, reset: 10, armed: 60, grace: 2 },
    ...{ unfinished: 30, retry: 4, activation: 300 },
  });
});

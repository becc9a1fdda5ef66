/** Names of reasons and events, and which reasons drop. */
import { Verdict } from '../../../src/packet/batch';
import { EVENTS, Event } from '../../../src/splitter/memory/events';
import { Reason, REASONS, reasonName, VERDICTS } from '../../../src/splitter/reasons';

const NAME = /^[a-z]+(-[a-z]+)*$/;

test('every reason has a unique name, and a meaning that ends with its source', () => {
  expect(REASONS).toHaveLength(Reason.IcmpRefused + 1);
  expect(new Set(REASONS.map(([name]) => name)).size).toBe(REASONS.length);
  for (const [name, , meaning] of REASONS) {
    expect(name).toMatch(NAME);
    expect(meaning).toMatch(/^[A-Za-z].{15,} \[(P\d+|D)\]$/);
  }
  expect([reasonName(Reason.NotIp), reasonName(Reason.IcmpAsAcs)]).toEqual(['not-ip', 'icmp-as-acs']);
});

test('an unknown reason, from a damaged counter or another version, is named by its number', () => {
  expect([reasonName(REASONS.length), reasonName(-1)]).toEqual([`reason-${REASONS.length}`, 'reason--1']);
});

test('foreign packets are accepted unchanged, bad or forbidden ones are dropped, all others are rewritten', () => {
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

test('every event has a unique name', () => {
  expect(EVENTS).toHaveLength(Event.CollectorDown + 1);
  expect(new Set(EVENTS).size).toBe(EVENTS.length);
  for (const name of EVENTS) expect(name).toMatch(NAME);
});

/** Rows of the history by seed: a day of sessions, each like real ones in what repeats and what does not. */
import { Head } from '../../src/splitter/decide/http-head';
import { Outcome, type SessionRow, Woken } from '../../src/engine/recorder/session';
import { Prng } from '../sim/prng';

export function sessionRows(seed: number, cpes: number): (endedMs: number) => SessionRow {
  const random = new Prng(seed);
  const below = (limit: number) => Math.floor(random.unit() * limit);
  return (endedMs) => {
    const openedMs = endedMs - 800 - below(6000);
    const hasCome = below(20) > 0;
    return {
      cpe: Int32Array.of(0x0a000000 + below(cpes)),
      collector: below(10) < 8 ? 'c1' : 'collector-ä',
      woken: Woken.Response,
      outcome: hasCome ? Outcome.Closed : Outcome.NoSession,
      endedMs,
      armedMs: openedMs - below(2000),
      openedMs: hasCome ? openedMs : undefined,
      cpePort: hasCome ? 32768 + below(28232) : 0,
      port: hasCome ? 7547 : 0,
      connections: hasCome ? 1 + Number(below(10) === 0) : 0,
      isConfirmed: hasCome,
      heads: hasCome ? (1 << Head.Body) | (1 << Head.Empty) : 0,
      lastHead: hasCome ? Head.Empty : Head.None,
    };
  };
}

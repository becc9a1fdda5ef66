/**
 * Everything that is not ours crosses a splitter's host as if acsplit were not there: what a host sends, by any
 * protocol, arrives at the same hosts with the bundle as without it, engine alive or dead. All states and both back ends: `npm run prove untouched`.
 */
import { FAMILY } from './support/family';
import { differences, received, rowsOf, type State } from './support/untouched';

jest.setTimeout(240_000);

let plain: Map<string, string[]>;
beforeAll(async () => {
  plain = await received({ family: FAMILY, backEnd: 'nft' });
});

test('without the bundle, everything sent arrives', () => {
  const rows = rowsOf(FAMILY);
  expect(rows.length).toBeGreaterThan(400);
  for (const { what, from, to, packets } of rows) {
    if (to.startsWith('router') || to === 'acs') continue;
    const stray = rows.some((row) => row.from === from && row.to === to && row.except && row.what === what);
    const there = plain.get(`${from} → ${to}${stray ? ', stray' : ''}, at ${to}`) ?? [];
    // The last bytes: what arrives has one hop less to live.
    const end = packets.at(-1)!.subarray(-8).toString('hex');
    expect([what, from, to, there.some((hex) => hex.endsWith(end))]).toEqual([what, from, to, true]);
  }
});

test.each<State>(['rules alone', 'auto'])('it arrives the same: %s', async (state) => {
  expect(differences(plain, await received({ family: FAMILY, backEnd: 'nft', state }))).toEqual([]);
});

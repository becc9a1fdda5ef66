/**
 * What CPEs open to a server's own address works as without us: HTTP, TLS, the report port, a download of 100 MiB and a
 * refusal, from ITMS and collector, without us, and while the engine is dead, starts, runs, is paused, is `off`, and is dead again.
 * Firewalls and all combinations: `npm run prove direct`.
 */
import { type BackEnd } from './support/back-end';
import { ENGINE_STATES, measureDirect } from './support/direct';
import { type Family } from '../../src/packet/address';

jest.setTimeout(240_000);

const INSTANCES: [Family, BackEnd][] = [
  ['ipv4', 'nft'],
  ['ipv6', 'legacy'],
];

test.each(INSTANCES)('%s, iptables-%s', async (family, backEnd) => {
  const rows = await measureDirect({ family, backEnd, states: ENGINE_STATES, mebibytes: 100 });
  expect(rows).toHaveLength(ENGINE_STATES.length * 12 - 2);
  expect(rows.filter(({ got }) => got !== 'ok')).toEqual([]);
});

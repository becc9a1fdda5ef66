/**
 * Two routers behind real keepalived, with and without a virtual MAC, on switches that flood: the standby router's engine
 * decides nothing of what the active one's CPEs send, dead or alive, and takes over when the addresses move. All kinds:
 * `npm run prove keepalived`.
 */
import { type Kind, RIGHT, tellKeepalived } from './support/keepalived';

jest.setTimeout(180_000);

test.each<Kind>(['no virtual MAC', 'use_vmac'])('%s', async (kind) => {
  const { flooded, ...story } = await tellKeepalived({ family: 'ipv4', kind, backEnd: 'nft', onEngineDown: 'itms' });
  expect(story).toEqual(RIGHT);
  expect(flooded).toBeGreaterThan(0);
});

/** The CPEs of a world. */
import type { CpeSettings } from '../../../src/lab/cpe';
import { cpeAddress } from './family';

/** CPEs, in streets of 250, that ask for credentials and open their session soon after they were woken. */
export function makeCpes(count: number, settings: Partial<CpeSettings> = {}): CpeSettings[] {
  return Array.from({ length: count }, (_, index) => ({
    address: cpeAddress(1 + Math.floor(index / 250), 1 + (index % 250)),
    requestPort: 7547,
    credentials: { username: 'itms', password: 'itms' },
    informDelayMs: 100,
    ...settings,
  }));
}

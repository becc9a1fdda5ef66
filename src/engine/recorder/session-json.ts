/** A session with names instead of numbers: for `acsplit history --json` and the page. */
import { formatAddress } from '../../packet/address';
import { HEADS, OUTCOMES, type SessionRow, WOKEN } from './session';

export function sessionJson(row: SessionRow): Record<string, unknown> {
  const { cpe, woken, outcome, lastHead, ...rest } = row;
  return {
    cpe: formatAddress(cpe),
    ...rest,
    woken: WOKEN[woken],
    outcome: OUTCOMES[outcome],
    heads: headsOf(row),
    lastHead: HEADS[lastHead],
  };
}

export function headsOf({ heads }: Pick<SessionRow, 'heads'>): string[] {
  return Object.entries(HEADS)
    .filter(([head]) => heads & (1 << Number(head)))
    .map(([, name]) => name);
}

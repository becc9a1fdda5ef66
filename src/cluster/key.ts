/** Keys of rows as text: `rq/CPE/CPE's port/visible port`, `rp/...` alike, `ac/CPE`, `go/pause`. */
import { type Address, formatAddress, parseAddress } from '../packet/address';
import { Kind } from './row';

export const PAUSE_KEY = 'go/pause';

export interface EntryKey {
  kind: Kind.Request | Kind.Activation | Kind.Report;
  cpe: Address;
  /** 0 in activations. */
  cpePort: number;
  port: number;
}

export function connectionKey(kind: Kind.Request | Kind.Report, cpe: Address, cpePort: number, port: number): string {
  return `${kind}/${formatAddress(cpe)}/${cpePort}/${port}`;
}

export function activationKey(cpe: Address): string {
  return `${Kind.Activation}/${formatAddress(cpe)}`;
}

/** Undefined for a key of no entry. */
export function parseKey(key: string): EntryKey | undefined {
  const parts = key.split('/');
  const kind = parts[0];
  const cpe = parseAddress(parts[1] ?? '');
  // Only the canonical text: two texts for one entry would be two rows.
  if (cpe === undefined || formatAddress(cpe) !== parts[1]) return undefined;
  if (kind === 'ac') return parts.length === 2 ? { kind: Kind.Activation, cpe, cpePort: 0, port: 0 } : undefined;
  if ((kind !== 'rq' && kind !== 'rp') || parts.length !== 4) return undefined;
  const cpePort = portOf(parts[2]);
  const port = portOf(parts[3]);
  if (cpePort === 0 || port === 0) return undefined;
  return { kind: kind === 'rq' ? Kind.Request : Kind.Report, cpe, cpePort, port };
}

/** 0 for what is no port. */
function portOf(text: string): number {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 0xffff ? Number(text) : 0;
}

/** IPv4 addresses and networks as int32, the form that packets, keys and tables use. Text only at the edge. */

/** `"10.1.0.1"` to int32; `undefined` when the text is no dotted quad. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let address = 0;
  for (let i = 1; i <= 4; i++) {
    const octet = Number(match[i]);
    if (octet > 255 || (match[i].length > 1 && match[i].startsWith('0'))) return undefined;
    address = (address << 8) | octet;
  }
  return address;
}

/** int32 to `"10.1.0.1"`. */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** An IPv4 network in the form a packet's address is compared with: `(address & mask) === base`. */
export interface Ipv4Network {
  base: number;
  mask: number;
}

/** `"10.1.0.0/16"` to base and mask; `undefined` when malformed or when host bits are set. */
export function parseIpv4Network(text: string): Ipv4Network | undefined {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const address = match ? parseIpv4(match[1]) : undefined;
  const bits = match ? Number(match[2]) : 0;
  if (address === undefined || bits > 32) return undefined;
  const mask = bits === 0 ? 0 : -1 << (32 - bits);
  return (address & ~mask) === 0 ? { base: address, mask } : undefined;
}

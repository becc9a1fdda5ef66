/**
 * ICMP errors of both families (RFC 792, RFC 4443): an IP packet that quotes the beginning of another, undeliverable
 * one. `IcmpError` reads an error that quotes TCP: checked once, then trusted, like the view it comes from.
 */
import { type Address } from './address';
import * as ipv4 from './ipv4';
import * as ipv6 from './ipv6';
import * as tcp from './tcp';
import { readI32, readU16 } from './bytes';
import { ExtensionHeaders } from './extension-headers';
import { type PacketView } from './view';

/** Offsets from the ICMP header's first byte, the same in both families. */
export const TYPE = 0;
export const CODE = 1;
export const CHECKSUM = 2;
/** Type, code, checksum, and four bytes that depend on the type, such as the next hop's MTU. */
export const HEADER_BYTES = 8;

/** RFC 792. Source quench (4) is deprecated by RFC 6633; redirects (5) stay between neighbours. */
export const enum IcmpType {
  Unreachable = 3,
  TimeExceeded = 11,
  ParameterProblem = 12,
}

/** RFC 4443: destination unreachable, packet too big, time exceeded, parameter problem. */
const FIRST_ERROR = 1;
const LAST_ERROR = 4;
const UNREACHABLE_V6 = 1;

/**
 * Codes of "destination unreachable" that say the same of every packet to that destination: net, host, protocol or port
 * unreachable, net or host unknown, host isolated, and administratively prohibited (RFC 792, RFC 1122 section 3.2.2.1,
 * RFC 1812 section 5.2.7.1). Left out are those that a packet's own size, route, service or precedence causes.
 */
const REFUSALS = bits(0, 1, 2, 3, 6, 7, 8, 9, 10, 13);
/** No route, prohibited, address or port unreachable, rejected route (RFC 4443 section 3.1). */
const REFUSALS_V6 = bits(0, 1, 3, 4, 6);

/** The least a quote holds of TCP (RFC 792): ports and sequence number. */
const LEAST_QUOTED_BYTES = 8;

/** What `parse` found. */
export const enum Quote {
  /** Not an error, or an error about something other than TCP. */
  NotTcp,
  /** The quote ends before the TCP ports, is inconsistent, or is of a fragment or a source-routed packet. */
  Unreadable,
  Ok,
}

export class IcmpError {
  bytes: Uint8Array = new Uint8Array(0);
  isIpv6 = false;
  /** Offset of the outer IP header. */
  ipAt = 0;
  /** The outer addresses, shared with the view. */
  source: Address;
  destination: Address;
  /** Offset of the ICMP header. */
  icmpAt = 0;
  /** Behind the last byte. */
  end = 0;
  /** Offset of the quoted IP header. */
  quotedAt = 0;
  /** Offset of the quoted TCP header; at least its first eight bytes are here. */
  tcpAt = 0;
  /** The quote includes the TCP checksum. */
  hasTcpChecksum = false;
  readonly quotedSource: Address;
  readonly quotedDestination: Address;
  quotedSourcePort = 0;
  quotedDestinationPort = 0;
  /** int32 */
  quotedSequence = 0;
  private readonly extensions = new ExtensionHeaders();

  /** @param addressWords of the family whose errors it reads: 1 or 4 */
  constructor(addressWords: number) {
    this.source = new Int32Array(addressWords);
    this.destination = new Int32Array(addressWords);
    this.quotedSource = new Int32Array(addressWords);
    this.quotedDestination = new Int32Array(addressWords);
  }

  /** @param view of the same family, parsed as Icmp; must live as long as the results are used */
  parse(view: PacketView): Quote {
    const { bytes, end } = view;
    this.bytes = bytes;
    this.isIpv6 = view.isIpv6;
    this.ipAt = view.ipAt;
    this.source = view.source;
    this.destination = view.destination;
    this.icmpAt = view.carriedAt;
    this.end = end;
    if (this.icmpAt + HEADER_BYTES > end) return Quote.Unreadable;
    if (!isError(bytes[this.icmpAt + TYPE], view.isIpv6)) return Quote.NotTcp;
    this.quotedAt = this.icmpAt + HEADER_BYTES;
    const quote = view.isIpv6 ? this.parseIpv6(end) : this.parseIpv4(end);
    if (quote !== Quote.Ok) return quote;
    if (this.tcpAt + LEAST_QUOTED_BYTES > end) return Quote.Unreadable;
    this.hasTcpChecksum = this.tcpAt + tcp.CHECKSUM + 2 <= end;
    this.quotedSourcePort = readU16(bytes, this.tcpAt + tcp.SOURCE_PORT);
    this.quotedDestinationPort = readU16(bytes, this.tcpAt + tcp.DESTINATION_PORT);
    this.quotedSequence = readI32(bytes, this.tcpAt + tcp.SEQUENCE);
    return Quote.Ok;
  }

  /** True when the destination of the quoted packet is not there, whatever is sent to it. */
  get isRefusal(): boolean {
    const { bytes, icmpAt, isIpv6 } = this;
    if (bytes[icmpAt + TYPE] !== (isIpv6 ? UNREACHABLE_V6 : IcmpType.Unreachable)) return false;
    const code = bytes[icmpAt + CODE];
    return code < 32 && ((isIpv6 ? REFUSALS_V6 : REFUSALS) & (1 << code)) !== 0;
  }

  private parseIpv4(end: number): Quote {
    const { bytes, quotedAt } = this;
    if (quotedAt + ipv4.MIN_HEADER_BYTES > end || bytes[quotedAt] >>> 4 !== 4) return Quote.Unreadable;
    if (bytes[quotedAt + ipv4.PROTOCOL] !== ipv4.PROTOCOL_TCP) return Quote.NotTcp;
    const headerBytes = (bytes[quotedAt + ipv4.VERSION_IHL] & 0x0f) << 2;
    if (headerBytes < ipv4.MIN_HEADER_BYTES) return Quote.Unreadable;
    if (readU16(bytes, quotedAt + ipv4.FRAGMENT) & ipv4.FRAGMENT_MASK) return Quote.Unreadable;
    this.readAddresses(quotedAt + ipv4.SOURCE, quotedAt + ipv4.DESTINATION);
    this.tcpAt = quotedAt + headerBytes;
    return Quote.Ok;
  }

  private parseIpv6(end: number): Quote {
    const { bytes, quotedAt, extensions } = this;
    if (quotedAt + ipv6.HEADER_BYTES > end || bytes[quotedAt] >>> 4 !== 6) return Quote.Unreadable;
    const first = bytes[quotedAt + ipv6.NEXT_HEADER];
    if (!extensions.walk(bytes, first, quotedAt + ipv6.HEADER_BYTES, end)) return Quote.Unreadable;
    if (extensions.isFragment || extensions.isSourceRouted) return Quote.Unreadable;
    if (extensions.protocol !== ipv6.NextHeader.Tcp) return Quote.NotTcp;
    this.readAddresses(quotedAt + ipv6.SOURCE, quotedAt + ipv6.DESTINATION);
    this.tcpAt = extensions.at;
    return Quote.Ok;
  }

  private readAddresses(sourceAt: number, destinationAt: number): void {
    for (let word = 0; word < this.quotedSource.length; word++) {
      this.quotedSource[word] = readI32(this.bytes, sourceAt + 4 * word);
      this.quotedDestination[word] = readI32(this.bytes, destinationAt + 4 * word);
    }
  }
}

function isError(type: number, isIpv6: boolean): boolean {
  if (isIpv6) return type >= FIRST_ERROR && type <= LAST_ERROR;
  return type === IcmpType.Unreachable || type === IcmpType.TimeExceeded || type === IcmpType.ParameterProblem;
}

function bits(...codes: number[]): number {
  return codes.reduce((mask, code) => mask | (1 << code), 0);
}

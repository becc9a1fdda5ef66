/** Writes captures byte by byte for tests, independent of the product's own writers. */
import { type WirePacket } from './conversation';

export interface Frame {
  seconds: number;
  nanoseconds: number;
  bytes: Uint8Array;
  /** On the wire; more than `bytes` where a snaplen cut it. */
  originalBytes: number;
  interface: string;
}

/** Link headers by name: bytes that go before the IP packet. */
const MACS = [0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x02];
const IPV4_TYPE = [0x08, 0x00];
export const LINK_HEADERS = {
  /** Destination, source, EtherType. */
  ethernet: [...MACS, ...IPV4_TYPE],
  /** 802.1Q: VLAN 42. */
  vlan: [...MACS, 0x81, 0x00, 0x00, 0x2a, ...IPV4_TYPE],
  /** 802.1ad service tag 100 around customer tag 42. */
  qinq: [...MACS, 0x88, 0xa8, 0x00, 0x64, 0x81, 0x00, 0x00, 0x2a, ...IPV4_TYPE],
  /**
   * VLAN 42, EtherType PPPoE session; version and type 1, code 0, session 7, length as the frame function finds it;
   * protocol IPv4.
   */
  pppoe: [...MACS, 0x81, 0x00, 0x00, 0x2a, 0x88, 0x64, 0x11, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00, 0x21],
  raw: [],
  /** Packet type 0 (to us), ARPHRD_ETHER, address length 6, address and padding, protocol. */
  cooked: [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, ...IPV4_TYPE],
  /** Protocol, reserved, interface index 3, ARPHRD_ETHER, packet type, address length, address and padding. */
  cooked2: [...IPV4_TYPE, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0],
} as const;

/** Behind MACs, tag, EtherType, version, code and session. */
const PPPOE_LENGTH_AT = 22;

export function frame(packet: WirePacket, header: keyof typeof LINK_HEADERS = 'ethernet', snapLength = 0): Frame {
  const whole = Buffer.concat([Uint8Array.from(LINK_HEADERS[header]), packet.ip]);
  // The length of the PPP payload, protocol included.
  if (header === 'pppoe') whole.writeUInt16BE(packet.ip.length + 2, PPPOE_LENGTH_AT);
  return {
    seconds: packet.seconds,
    nanoseconds: packet.micros * 1000,
    bytes: snapLength > 0 ? whole.subarray(0, snapLength) : whole,
    originalBytes: whole.length,
    interface: packet.interface,
  };
}

export interface PcapShape {
  little?: boolean;
  nanosecond?: boolean;
  linkType?: number;
  snapLength?: number;
}

export function pcapFile(frames: readonly Frame[], shape: PcapShape = {}): Uint8Array {
  const { little = true, nanosecond = false, linkType = 1, snapLength = 262144 } = shape;
  const parts = [
    words(little, nanosecond ? 0xa1b23c4d : 0xa1b2c3d4),
    halves(little, 2, 4),
    words(little, 0, 0, snapLength, linkType),
  ];
  for (const { seconds, nanoseconds, bytes, originalBytes } of frames) {
    const fraction = nanosecond ? nanoseconds : Math.floor(nanoseconds / 1000);
    parts.push(words(little, seconds, fraction, bytes.length, originalBytes), bytes);
  }
  return Buffer.concat(parts);
}

/** A block: type, length, body padded to 32 bits, length. */
export function block(little: boolean, type: number, ...body: Uint8Array[]): Uint8Array {
  const content = Buffer.concat(body);
  const padding = new Uint8Array(-content.length & 3);
  const length = 12 + content.length + padding.length;
  return Buffer.concat([words(little, type, length), content, padding, words(little, length)]);
}

export function option(little: boolean, code: number, value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([halves(little, code, bytes.length), bytes, new Uint8Array(-bytes.length & 3)]);
}

export function sectionHeader(little: boolean): Uint8Array {
  return block(
    little,
    0x0a0d0d0a,
    words(little, 0x1a2b3c4d),
    halves(little, 1, 0),
    words(little, 0xffffffff, 0xffffffff),
  );
}

export function interfaceDescription(
  little: boolean,
  linkType: number,
  name: string,
  ...options: Uint8Array[]
): Uint8Array {
  const named = name ? [option(little, 2, name)] : [];
  const all = [...named, ...options, ...(name || options.length > 0 ? [option(little, 0, '')] : [])];
  return block(little, 1, halves(little, linkType, 0), words(little, 0), ...all);
}

/** @param stamp in the interface's own units */
export function enhancedPacket(
  little: boolean,
  id: number,
  stamp: bigint,
  one: Frame,
  ...options: Uint8Array[]
): Uint8Array {
  const fixed = words(
    little,
    id,
    Number(stamp >> 32n),
    Number(stamp & 0xffffffffn),
    one.bytes.length,
    one.originalBytes,
  );
  return block(little, 6, fixed, padded(one.bytes), ...options);
}

export function microStamp(one: Frame): bigint {
  return BigInt(one.seconds) * 1_000_000n + BigInt(Math.floor(one.nanoseconds / 1000));
}

/** One section; an interface per name, Ethernet, microseconds. */
export function pcapngFile(frames: readonly Frame[], little = true): Uint8Array {
  const names = [...new Set(frames.map((one) => one.interface))];
  return Buffer.concat([
    sectionHeader(little),
    ...names.map((name) => interfaceDescription(little, 1, name)),
    ...frames.map((one) => enhancedPacket(little, names.indexOf(one.interface), microStamp(one), one)),
  ]);
}

export function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array(-bytes.length & 3)]);
}

/** 32-bit numbers. */
export function words(little: boolean, ...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, i) => view.setUint32(i * 4, value, little));
  return new Uint8Array(view.buffer);
}

/** 16-bit numbers. */
export function halves(little: boolean, ...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 2));
  values.forEach((value, i) => view.setUint16(i * 2, value, little));
  return new Uint8Array(view.buffer);
}

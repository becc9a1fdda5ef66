/** Packets as frames for the BPF program, and as the router behind it sends them on. */
import { updateWord } from '../../../src/packet/checksum';
import { ROUTER_MAC } from './netns';

export interface Frame {
  packet: Uint8Array;
  /** Of the frame: destination, other than the router's. */
  mac?: string;
  /** An Ethernet header other than the usual one, hex without the addresses. */
  type?: string;
  padding?: number;
}

/** Hex. */
export function frameOf(of: Uint8Array | Frame): string {
  const { packet, mac = ROUTER_MAC, type, padding = 0 }: Frame = ArrayBuffer.isView(of) ? { packet: of } : of;
  const ethertype = type ?? (packet[0]! >>> 4 === 6 ? '86dd' : '0800');
  const header = `${mac.replaceAll(':', '')}020000000002${ethertype}`;
  return header + Buffer.from(packet).toString('hex') + '00'.repeat(padding);
}

/** Forwarded by a router: RFC 1812 section 5.3.1, RFC 8200 section 3. */
export function forwarded(packet: Uint8Array): Uint8Array {
  if (packet[0]! >>> 4 === 6) {
    packet[7]!--;
    return packet;
  }
  const view = new DataView(packet.buffer);
  const before = view.getUint16(8);
  packet[8]!--;
  view.setUint16(10, updateWord(view.getUint16(10), before, view.getUint16(8)));
  return packet;
}

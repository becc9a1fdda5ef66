/**
 * Whether this kernel rewrites packets as the program expects: a kernel that lacks a checksum flag of the program would
 * load it, and then drop every packet. native/fast-path/probe.bpf.c
 */
import { closeSync, readFileSync } from 'node:fs';
import { type Address, parseAddress } from '../../packet/address';
import { buildTcp, type TcpPacket } from '../../packet/builder';
import { TcpFlag } from '../../packet/tcp';
import { type FastPathAddon, PROBE_FILE } from './addon';

const TC_ACT_OK = 0;
const LOOPBACK = 1;
const PACKET = { sourcePort: 40001, destinationPort: 7547, flags: TcpFlag.Ack, payload: 'odd', ttl: 64 };
const ENDS = { ipv4: ['10.1.2.3', '10.1.0.1'], ipv6: ['2001:db8:1::2', '2001:db8:1::1'] } as const;
const ETHERNET_TYPES = { ipv4: 0x0800, ipv6: 0x86dd };
const ETHERNET_BYTES = 14;

/** One packet of each family. @throws Error where one is not rewritten as the engine would rewrite it */
export function probe(addon: FastPathAddon): void {
  const { program } = addon.load(readFileSync(PROBE_FILE), '', {});
  try {
    for (const family of ['ipv4', 'ipv6'] as const) {
      const [source, destination] = ENDS[family];
      const packet: TcpPacket = { ...PACKET, source, destination };
      const { verdict, frame } = addon.runOnce(program, framed(packet, family), LOOPBACK);
      const wanted = framed({ ...packet, destination: inverted(destination), ttl: PACKET.ttl - 1 }, family);
      if (verdict !== TC_ACT_OK || !Buffer.from(frame).equals(wanted)) {
        throw new Error(`this kernel rewrites ${family === 'ipv4' ? 'IPv4' : 'IPv6'} packets otherwise`);
      }
    }
  } finally {
    closeSync(program);
  }
}

function inverted(text: string): Address {
  return parseAddress(text)!.map((word) => ~word);
}

function framed(packet: TcpPacket, family: 'ipv4' | 'ipv6'): Uint8Array {
  const header = Buffer.alloc(ETHERNET_BYTES);
  header.writeUInt16BE(ETHERNET_TYPES[family], ETHERNET_BYTES - 2);
  return Buffer.concat([header, buildTcp(packet)]);
}

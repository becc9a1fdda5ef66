/** The IP packets of the stored captures, with the queue and the time at which each comes in. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { locateIp } from '../../src/replay/link-layer';
import { SideChooser } from '../../src/replay/side';
import { readCapture } from './capture-packets';
import { FIXTURES, TOPOLOGY } from './replay-run';

export interface QueuedPacket {
  bytes: Uint8Array;
  queue: number;
  ms: number;
}

export interface Story {
  name: string;
  packets: QueuedPacket[];
}

/** The captures as they were taken, not what a replay has made of them. */
export function fixtureStories(): Story[] {
  const files = readdirSync(FIXTURES).filter((file) => /\.pcap(ng)?$/.test(file) && !file.includes('.rewritten.'));
  return files.map((name) => ({ name, packets: packetsOf(readFileSync(join(FIXTURES, name))) }));
}

function packetsOf(content: Uint8Array): QueuedPacket[] {
  const sides = new SideChooser(TOPOLOGY);
  const packets: QueuedPacket[] = [];
  for (const one of readCapture(content).packets) {
    const at = locateIp(one.linkType, one.bytes, 0, one.bytes.length);
    if (at < 0) continue;
    const bytes = Uint8Array.from(one.bytes.subarray(at));
    const from = { linkType: one.linkType, name: one.interface, snapLength: 0 };
    const ms = one.seconds * 1000 + Math.floor(one.nanoseconds / 1e6);
    packets.push({ bytes, queue: sides.sideOf(from, bytes, 0, bytes.length), ms });
  }
  return packets;
}

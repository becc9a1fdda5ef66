/**
 * acsplit as a library: the pure core. Needs no root, no addon, no Linux.
 *
 *     const splitter = new Splitter({ topology, activation: 'auto', capacityEntries: 1024, seed: 1 });
 *     const batch = new PacketBatch(new ArrayBuffer(PacketBatch.regionBytes(64)), 64);
 *     batch.push(Side.Cpe, packet);
 *     splitter.decide(batch, nowMs);
 *     reasonName(batch.reason[0]); // 'to-itms'
 */

export {
  type Address,
  type Family,
  formatAddress,
  formatIpv4,
  type Ipv4Network,
  type Network,
  parseAddress,
  parseIpv4,
  parseIpv4Network,
  parseNetwork,
} from './packet/address';
export { PacketBatch, PacketFlag, Side, type SideName, SIDES, Verdict } from './packet/batch';
export { buildTcp, type TcpPacket } from './packet/builder';
export { TcpFlag } from './packet/tcp';
export { PacketView, Parsed } from './packet/view';
export { Health, type HealthOptions } from './splitter/health/health';
export { type ServerWatch, type WatchedServer } from './splitter/health/server-watch';
export { ITMS, Owners } from './splitter/memory/owners';
export { Reason, reasonName, REASONS, VERDICTS } from './splitter/reasons';
export { Splitter, type SplitterOptions } from './splitter/splitter';
export { type Counters, SplitterState } from './splitter/memory/state';
export {
  ACTIVATION_MODES,
  type ActivationMode,
  type Addresses,
  DEFAULT_LIVES,
  families,
  type Lives,
  type Topology,
} from './splitter/topology';
export { Cause, Change, type FlowListener, type FlowTable } from './tables/flow-port';
export { type TableShape } from './tables/hash-rows';
export { TtlTable } from './tables/ttl-table';

/** The parties: the CPEs of load.c, and CPEs spread over an address space with an entry in every table. */
import { parseIpv4 } from '../../src/packet/address';
import { type Splitter } from '../../src/splitter/splitter';
import { type Topology } from '../../src/splitter/topology';
import { Seen, Word } from '../../src/tables/connection-row';
import { type ConnectionTable } from '../../src/tables/connection-table';

export const LIVE_CAPACITY = 1_048_576;
/** Ports of the entries. */
export const PORTS = { cpe: 40_001, report: 7547, request: 7170, collector: 50_001 } as const;

/** The CPEs of load.c; those of the first network belong to the collector. */
export const NETWORKS = { all: '10.1.64.0/18', collectors: '10.1.64.0/19' } as const;
/** CPEs of the first network, from its beginning, that load.c uses without waking them: to be activated beforehand. */
export const ACTIVATED_CPES = 1024;
/** The lab's addresses. */
export const TOPOLOGY: Topology = topologyOf(1);

/** With so many collectors: 10.3.0.2 and on. */
export function topologyOf(collectors: number): Topology {
  return {
    cpe: { interfaces: [{ in: 'eth0', out: 'eth0' }], address: { ipv4: '10.1.0.1' }, networks: ['10.0.0.0/8'] },
    itms: { interface: 'eth1', address: { ipv4: '10.2.0.2' } },
    collectors: Array.from({ length: collectors }, (_, n) => ({
      name: `c${n + 1}`,
      interface: 'eth2',
      address: { ipv4: `10.3.0.${n + 2}` },
    })),
    reportPorts: [PORTS.report],
    itmsPorts: [],
  };
}

/** The n-th live CPE, int32: all different, in 10.128.0.0/9, in no order. */
export function liveCpe(n: number): number {
  return 0x0a800000 | (Math.imul(n, 0x9e3779b1) & 0x7fffff);
}

/**
 * The current numbers of both ends of the n-th CPE's connections, int32: what each sends next, and has acknowledged.
 */
export function numbersOf(n: number): { cpe: number; server: number } {
  return { cpe: (n + 1) | 0, server: (n ^ 0x5bd1e995) | 0 };
}

/** Its packets are proven by these numbers. */
function learn(connections: ConnectionTable, slot: number, n: number, hasCpeEdge: boolean): void {
  const { cpe, server } = numbersOf(n);
  connections.mark(slot, Seen.Answer | Seen.Learned);
  connections.setWord(slot, Word.ServerNext, server);
  connections.setWord(slot, Word.ServerAck, cpe);
  connections.setWord(slot, Word.ServerEdge, (cpe + 0xffff) | 0);
  connections.setWord(slot, Word.CpeNext, cpe);
  connections.setWord(slot, Word.CpeAck, server);
  if (hasCpeEdge) connections.setWord(slot, Word.CpeEdge, (server + 0xffff) | 0);
}

/** Gives `entries` CPEs an answered entry in every table, each of the collector of owner id 1 to `collectors` in turn. */
export function populate(splitter: Splitter, entries: number, nowMs: number, collectors = 1): void {
  const state = splitter.state.ipv4!;
  const { reportConnections: reports, connectionRequests: requests, activatedCpes: activated, servers } = state;
  const cpe = new Int32Array(1);
  splitter.state.advance(nowMs);
  for (let n = 0; n < entries; n++) {
    const owner = 1 + (n % collectors);
    cpe[0] = liveCpe(n);
    const port = PORTS.collector + (n >>> 23);
    learn(reports, reports.open(cpe, PORTS.cpe + (n >>> 23), PORTS.report, owner, n), n, true);
    const tag = servers.tagOf(servers.addressTagged(owner, 0));
    learn(requests, requests.openOwn(cpe, PORTS.request, port, owner, tag, n), n, false);
    if (n < 1 << 23) activated.consume(activated.arm(cpe, owner), PORTS.cpe, PORTS.report);
  }
}

/** Activates the CPEs of load.c that should reach the collector. */
export function prepareForLoad(splitter: Splitter, nowMs: number): void {
  const [first] = NETWORKS.collectors.split('/');
  for (let n = 0; n < ACTIVATED_CPES; n++) splitter.activate(Int32Array.of(parseIpv4(first)! + n), 'c1', nowMs);
}

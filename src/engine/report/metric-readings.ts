/** How the metrics read their samples from one snapshot of the engine. */

import { SIDES, Verdict } from '../../packet/batch';
import { EVENTS } from '../../splitter/memory/events';
import { REASONS } from '../../splitter/reasons';
import { TABLES } from '../../splitter/table-list';
import { type LoopCounters } from '../shared/binding';
import { type Observation } from '../shared/observation';
import { type ClusterStatus } from '../shared/cluster-protocol';
import { type RecorderStatus } from '../shared/recorder-protocol';
import { type AddressStatus } from './servers';
import { type Status } from './status';

export interface Snapshot {
  status: Status;
  /** Packets that each queue may hold. */
  queueLength: number;
  /** What may become of a packet in the fast path; none where it is off. */
  fastPathOutcomes: readonly string[];
  observation: Observation;
  loop: LoopCounters;
}

const VERDICT_NAMES: Readonly<Record<number, string>> = {
  [Verdict.Drop]: 'drop',
  [Verdict.Accept]: 'accept',
  [Verdict.AcceptRewritten]: 'rewrite',
};

type Labels = Record<string, string>;
export type Sample = readonly [labels: Labels, value: number];
export type Read = (snapshot: Snapshot) => Sample[];

export const one =
  (read: (snapshot: Snapshot) => number): Read =>
  (snapshot) => [[{}, read(snapshot)]];
export const flag = (is: boolean) => (is ? 1 : 0);

/** 0 without a history, as a history that has nothing to tell. */
export const recorded = (read: (history: RecorderStatus) => number): Read =>
  one(({ status: { history } }) => (history.state === 'off' ? 0 : read(history)));

/** 0 without a cluster. */
export const shared = (read: (cluster: ClusterStatus) => number): Read =>
  one(({ status: { cluster } }) => (cluster.state === 'off' ? 0 : read(cluster)));

/** Every server in every family. */
export const servers =
  (read: (one: AddressStatus) => Sample[]): Read =>
  ({ status }) =>
    Object.entries(status.servers).flatMap(([server, { addresses }]) =>
      addresses.flatMap((one) =>
        read(one).map(([labels, value]): Sample => [{ server, family: familyOfText(one.address), ...labels }, value]),
      ),
    );
const familyOfText = (address: string) => (address.includes(':') ? 'ipv6' : 'ipv4');

export function info({ version, name, activation }: Status): Labels {
  return { version, name, activation };
}

/** Every side and reason, so that the first packet of a kind is an increase. */
export function packets({ observation }: Snapshot): Sample[] {
  return SIDES.flatMap((side, queue) =>
    REASONS.map(([reason, verdict], number): Sample => [
      { side, verdict: VERDICT_NAMES[verdict], reason },
      observation.packets(queue, number),
    ]),
  );
}

export function events({ status }: Snapshot): Sample[] {
  return EVENTS.map((event) => [{ event }, status.events[event] ?? 0]);
}

export function tables({ status }: Snapshot, field: 'count' | 'capacity' | 'full'): Sample[] {
  return TABLES.map(({ name, metric }) => [{ table: metric }, status.tables[name][field]]);
}

/** No sample, rather than 0, when the kernel does not report the value. */
export function queues({ status }: Snapshot, field: 'waiting' | 'queueDropped' | 'userDropped' | 'lost'): Sample[] {
  return status.queues.flatMap((queue): Sample[] => {
    const value = queue[field];
    return value === null ? [] : [[{ side: queue.side, queue: String(queue.number) }, value]];
  });
}

export function queueCapacities({ status, queueLength }: Snapshot): Sample[] {
  return status.queues.map(({ side, number }) => [{ side, queue: String(number) }, queueLength]);
}

/**
 * The engine's metrics: name, help and where the value comes from. Names and units follow
 * https://prometheus.io/docs/practices/naming/. docs/operations.md tells what to do about each, and docs/alerts.yaml has
 * the alert rules.
 */

import { SERVER_STATES } from '../../splitter/health/server-row';
import { type Histogram } from '../shared/histogram';
import { type Observation } from '../shared/observation';
import {
  events,
  flag,
  info,
  one,
  packets,
  queueCapacities,
  queues,
  type Read,
  recorded,
  type Sample,
  servers,
  shared,
  tables,
} from './metric-readings';

type Row = readonly [name: string, help: string, read: Read];

export const GAUGES: readonly Row[] = [
  ['acsplit_ready', '1 while verdicts flow', one(({ status }) => flag(status.ready))],
  ['acsplit_paused', '1 while the operator has paused diverting', one(({ status }) => flag(status.paused))],
  ['acsplit_info', 'Version, instance name and activation, as labels; always 1', ({ status }) => [[info(status), 1]]],
  ['acsplit_uptime_seconds', 'Since the engine was started', one(({ status }) => status.uptimeMs / 1000)],
  ['acsplit_table_entries', 'Entries of a table', (snapshot) => tables(snapshot, 'count')],
  ['acsplit_table_capacity_entries', 'Entries a table can hold', (snapshot) => tables(snapshot, 'capacity')],
  [
    'acsplit_queue_waiting_packets',
    'Packets in a queue without a verdict; absent where the kernel does not tell',
    (snapshot) => queues(snapshot, 'waiting'),
  ],
  ['acsplit_queue_capacity_packets', 'Packets that a queue may hold', queueCapacities],
  [
    'acsplit_fallback_active',
    '1 while the kernel alone sends new sessions to the ITMS',
    one(({ status }) => flag(status.fallback.active)),
  ],
  [
    'acsplit_rules_differences',
    'What the last `acsplit rules check` found to differ or to be in the way',
    one(({ status }) => status.rules.differences),
  ],
  [
    'acsplit_configuration_reload_successful',
    '0 when the last reload was refused',
    one(({ status }) => flag(!status.configuration.refused)),
  ],
  [
    'acsplit_configuration_differing_keys',
    'Keys whose value in the file is another than what runs',
    one(({ status }) => status.configuration.differs.length),
  ],
  [
    'acsplit_configuration_unusable',
    '1 while the engine could not start again with its configuration file',
    one(({ status }) => flag(status.configuration.error !== null)),
  ],
  [
    'acsplit_upgrade_pending',
    '1 while another version is installed than the one that runs',
    one(({ status }) => flag(status.configuration.upgraded)),
  ],
  [
    'acsplit_fast_path_carries',
    '1 while the kernel carries what needs no decision',
    one(({ status }) => flag(status.fastPath.carries)),
  ],
  [
    'acsplit_fast_path_flows',
    'diverted connections that the kernel carries now',
    one(({ status }) => status.fastPath.flows),
  ],
  [
    'acsplit_history_failing',
    '1 while the history cannot be written',
    recorded(({ state }) => flag(state === 'failing')),
  ],
  ['acsplit_history_bytes', 'Of all files of the history', recorded(({ bytes }) => bytes)],
  [
    'acsplit_history_waiting_changes',
    'Changes that the recorder has not read; beyond 65535 they are lost',
    recorded(({ waiting }) => waiting),
  ],
  ['acsplit_cluster_ready', '1 once this router has read what the stores have', shared(({ ready }) => flag(ready))],
  [
    'acsplit_cluster_peers',
    'Other routers heard within 5 seconds',
    shared(({ peers }) => peers.filter(({ seenMs }) => seenMs < 5000).length),
  ],
  ['acsplit_cluster_lag_seconds', "From another router's change to this one", shared(({ lagMs }) => lagMs / 1000)],
  ['acsplit_cluster_rows', 'Rows known here', shared(({ rows }) => rows)],
  [
    'acsplit_cluster_store_up',
    '1 for a store that is read and can be written to',
    ({ status: { cluster } }) =>
      cluster.state === 'off'
        ? []
        : cluster.stores.map(({ address, state, error }) => [
            { store: address },
            flag(state === 'up' && error === null),
          ]),
  ],
  [
    'acsplit_server_state',
    '1 for the state that a server is in, 0 for the other two',
    servers((one) => SERVER_STATES.map((state) => [{ state }, flag(one.state === state)])),
  ],
];

const ENGINE_COUNTERS: readonly Row[] = [
  ['acsplit_packets_total', 'Packets decided, by side, verdict and reason', packets],
  [
    'acsplit_fast_path_packets_total',
    'Packets that the fast path has seen, by what became of them',
    ({ status, fastPathOutcomes }) =>
      fastPathOutcomes.map((outcome) => [{ outcome }, status.fastPath.packets[outcome] ?? 0]),
  ],
  ['acsplit_events_total', 'What happened to activations and connections', events],
  ['acsplit_table_full_total', 'Entries that a full table refused', (snapshot) => tables(snapshot, 'full')],
  [
    'acsplit_queue_dropped_packets_total',
    'Dropped: the queue was full',
    (snapshot) => queues(snapshot, 'queueDropped'),
  ],
  [
    'acsplit_queue_user_dropped_packets_total',
    'Dropped: the receive buffer was full',
    (snapshot) => queues(snapshot, 'userDropped'),
  ],
  [
    'acsplit_queue_lost_packets_total',
    'Numbered by the kernel and never seen here, for whatever reason',
    (snapshot) => queues(snapshot, 'lost'),
  ],
  ['acsplit_verdict_errors_total', 'Verdicts that the kernel refused', one(({ loop }) => loop.verdictErrors)],
  ['acsplit_verdicts_late_total', 'Verdicts for packets that were flushed', one(({ loop }) => loop.verdictsLate)],
  ['acsplit_unparsed_messages_total', 'Messages without a legible packet', one(({ loop }) => loop.unparsed)],
  [
    'acsplit_recovered_packets_total',
    'Packets that a dead worker had read and the next decided',
    one(({ loop }) => loop.recovered),
  ],
  [
    'acsplit_given_up_packets_total',
    'Packets of a batch that killed two workers, dropped',
    one(({ loop }) => loop.givenUp),
  ],
  [
    'acsplit_worker_restarts_total',
    'Workers that died and were started again',
    one(({ status }) => status.workers.reduce((sum, { restarts }) => sum + restarts, 0)),
  ],
  [
    'acsplit_fallbacks_total',
    'Times in which the kernel alone sent new sessions to the ITMS',
    one(({ status }) => status.fallback.times),
  ],
  ['acsplit_fallback_seconds_total', 'How long these lasted', one(({ status }) => status.fallback.totalMs / 1000)],
  [
    'acsplit_fallback_sessions_total',
    'Sessions that the kernel sent to the ITMS meanwhile; absent where the rules cannot be read',
    ({ status: { fallback } }) => (fallback.sessions === null ? [] : [[{}, fallback.sessions]]),
  ],
  ['acsplit_rules_checks_total', 'Runs of `acsplit rules check`', one(({ status }) => status.rules.checks)],
  [
    'acsplit_configuration_reloads_total',
    'Reloads, by result',
    ({ status: { configuration } }) =>
      (['done', 'refused'] as const).map((result) => [{ result }, configuration.reloads[result]]),
  ],
  ['acsplit_history_sessions_total', 'Sessions written to the history', recorded(({ sessions }) => sessions)],
  [
    'acsplit_history_lost_connections_total',
    'Diverted connections that are missing in the history',
    recorded(({ lost }) => lost.connections),
  ],
  [
    'acsplit_history_lost_events_total',
    'Events beside sessions that are missing in the history',
    recorded(({ lost }) => lost.events),
  ],
  ['acsplit_cluster_published_rows_total', 'Rows written to stores', shared(({ published }) => published)],
  ['acsplit_cluster_applied_rows_total', 'Rows of other routers in our tables', shared(({ applied }) => applied)],
  [
    'acsplit_cluster_refused_rows_total',
    'Rows that are unreadable, or not of this configuration',
    shared(({ refused }) => refused),
  ],
  [
    'acsplit_cluster_lost_changes_total',
    'Changes that the cluster process was too slow for',
    shared(({ lost }) => lost),
  ],
  [
    'acsplit_cluster_overtaken_total',
    'Sessions with the ITMS that overtook the activation',
    shared(({ overtaken }) => overtaken),
  ],
  ['acsplit_cluster_conflicts_total', 'Ports that two routers gave away', shared(({ conflicts }) => conflicts)],
  ['acsplit_cluster_loads_total', 'Times that everything was read from a store', shared(({ loads }) => loads)],
  ['acsplit_cluster_restarts_total', 'Cluster processes that died', shared(({ restarts }) => restarts)],
  [
    'acsplit_recorder_restarts_total',
    'Recorders that died and were started again',
    recorded(({ restarts }) => restarts),
  ],
];

const SERVER_COUNTERS: readonly Row[] = [
  [
    'acsplit_server_opened_connections_total',
    'Connections that CPEs opened to a server; retransmitted SYNs not counted',
    servers((one) => [[{}, one.opened]]),
  ],
  [
    'acsplit_server_connections_total',
    'What became of them: answered, refused, or unanswered for 3 s',
    servers((one) => (['answered', 'refused', 'unanswered'] as const).map((outcome) => [{ outcome }, one[outcome]])),
  ],
  ['acsplit_server_slow_answers_total', 'Answered only after a second', servers((one) => [[{}, one.slow]])],
  [
    'acsplit_server_resets_total',
    'RSTs of a server on connections that it had accepted',
    servers((one) => [[{}, one.resets]]),
  ],
  [
    'acsplit_server_answer_seconds_total',
    'Sum of the times from SYN to SYN+ACK',
    servers((one) => [[{}, one.answerSumMs / 1000]]),
  ],
  [
    'acsplit_collector_sessions_total',
    'Sessions of a collector: armed, finished, unfinished, and those of the unfinished ones that ended with a 401',
    ({ status }) =>
      Object.entries(status.servers)
        .filter(([server]) => server !== 'itms')
        .flatMap(([collector, one]): Sample[] => [
          [{ collector, outcome: 'armed' }, one.armed],
          [{ collector, outcome: 'finished' }, one.finished],
          [{ collector, outcome: 'unfinished' }, one.unfinished],
          [{ collector, outcome: 'login-refused' }, one.loginsRefused],
        ]),
  ],
];

export const HISTOGRAMS: readonly (readonly [
  name: string,
  help: string,
  of: (observation: Observation) => Histogram,
])[] = [
  ['acsplit_batch_packets', 'Packets decided in one go', ({ batchPackets }) => batchPackets],
  ['acsplit_batch_decide_seconds', 'Time to decide one batch', ({ decideSeconds }) => decideSeconds],
];

export const COUNTERS: readonly Row[] = [...ENGINE_COUNTERS, ...SERVER_COUNTERS];

export const METRIC_NAMES: readonly string[] = [...GAUGES, ...COUNTERS, ...HISTOGRAMS].map(([name]) => name);

export function labelsOf(name: string): string[] {
  if (name === 'acsplit_packets_total') return ['side', 'verdict', 'reason'];
  if (name === 'acsplit_events_total') return ['event'];
  if (name === 'acsplit_fast_path_packets_total') return ['outcome'];
  if (name === 'acsplit_configuration_reloads_total') return ['result'];
  if (name === 'acsplit_cluster_store_up') return ['store'];
  if (name === 'acsplit_server_state') return ['server', 'family', 'state'];
  if (name === 'acsplit_server_connections_total') return ['server', 'family', 'outcome'];
  if (name === 'acsplit_collector_sessions_total') return ['collector', 'outcome'];
  if (name.startsWith('acsplit_server_')) return ['server', 'family'];
  if (name === 'acsplit_info') return ['version', 'name', 'activation'];
  if (name.startsWith('acsplit_table_')) return ['table'];
  return name.startsWith('acsplit_queue_') ? ['side', 'queue'] : [];
}

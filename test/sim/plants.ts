/** Breakages of the core, one place each, which the simulation must find. */
import {
  type Break,
  call,
  callStatement,
  cell,
  comparison,
  condition,
  initial,
  lastAssignment,
  operand,
  operator,
  returned,
  use,
} from './breaking';

export interface Plant extends Break {
  what: string;
  group: 'decisions' | 'lives' | 'checksums' | 'tables';
  /** Under src/. */
  file: string;
}

/** What is broken, the declaration that holds it, the place within, and what comes in its stead. */
type Row = readonly [what: string, within: string, place: Break['place'], becomes: string];

const REPORTS: readonly Row[] = [
  ['the pin is not asked', 'ReportDecisions.steer', call('isPinned'), 'false'],
  ['an activation is never used up', 'ReportDecisions.divert', callStatement('consume'), ''],
  ['a repeated SYN is taken for a new one', 'ReportDecisions.open', comparison('isn'), 'false'],
  ['any new SYN ends a live diversion', 'ReportDecisions.open', call('isClosing'), 'true'],
  [
    'a collector may speak on a connection that is not its own',
    'ReportDecisions.isOwn',
    comparison('owner'),
    'sender >= 0',
  ],
  ['the ITMS may speak on a diverted connection', 'ReportDecisions.serveItms', use('isCollectors'), 'false'],
  ['a paused splitter diverts', 'ReportDecisions.steer', operand('isPaused'), 'false'],
  ['a RST from a refusing collector leaves the entry', 'ReportDecisions.reset', call('isRefusal'), 'false'],
  [
    'a reset after the collector’s FIN ends the grace',
    'ReportDecisions.closeReport',
    call('has', 'FinOfServer'),
    'false',
  ],
];

const REQUESTS: readonly Row[] = [
  ['colliding ports are not remapped', 'RequestDecisions.open', call('find'), '-1'],
  ['a remapped port is not translated back', 'RequestDecisions.toServer', comparison('ownPort'), 'false'],
  ['the ITMS’s requests are not remembered', 'RequestDecisions.open', initial('slot'), 'sender === ITMS ? -1 : $&'],
];

const ACTIVATION: readonly Row[] = [
  ['a 401 arms', 'readAnswer', operator('TWO'), '>='],
  ['a repeated answer arms again', 'Activation.judge', call('wasJudged'), 'false'],
  ['a FIN arms though the CPE spoke HTTP', 'Activation.finished', call('has', 'Http'), 'false'],
  ['the second of two collectors wins', 'Activation.arm', comparison('rival'), 'false'],
  ['a success of the ITMS’s own request ends nothing', 'Activation.succeeded', callStatement('remove'), ''],
];

const TYPES = 5;
const TABLE: readonly Row[] = [
  [
    'a SYN to any port is forwarded',
    'DECISIONS',
    cell('Origin.CpeOtherPort', 'PacketType.Syn', TYPES),
    'Action.AnswerRequest',
  ],
  [
    'a collector opens from the report port',
    'DECISIONS',
    cell('Origin.CollectorReportPort', 'PacketType.Syn', TYPES),
    'Action.OpenRequest',
  ],
  ['a reset that answers no SYN is a refusal', 'isRefusal', returned, 'true'],
  ['a SYN+ACK counts as a SYN', 'packetType', use('SynAck'), 'PacketType.Syn'],
];

const ACTIVATED: readonly Row[] = [
  ['there is no grace', 'ActivatedCpes.stands', call('isGrace'), 'false'],
  ['there is grace after a reset', 'ActivatedCpes.reset', call('setReset'), 'undefined'],
];

const STATE: readonly Row[] = [['pins are lost at a restart', 'FamilyState.constructor', use('hashSeed'), 'seed']];

const LIVES: readonly Row[] = [
  ['armed for ten minutes', 'millisecondsOf', initial('armedMs'), '10 * ($&)'],
  ['grace for 20 s', 'millisecondsOf', initial('graceMs'), '10 * ($&)'],
  [
    'an unanswered report connection lives as long as a request',
    'millisecondsOf',
    use('reportUnanswered'),
    'lives.requestUnanswered',
  ],
  ['a closed connection lives as if open', 'millisecondsOf', use('finBoth'), 'lives.established'],
  ['a half-closed connection lives three minutes', 'millisecondsOf', initial('finOneMs'), '0.75 * ($&)'],
];

const TTL: readonly Row[] = [
  ['the sweep misses the last slot', 'TtlTable.sweep', condition('slots'), '$& && slot + 2 < this.slots'],
  ['a deletion shifts nothing back', 'TtlTable.fill', condition('fromHome'), 'true'],
];

const CHECKSUM: readonly Row[] = [
  ['the second fold is forgotten, for addresses', 'updateInt32', lastAssignment('total'), ''],
  ['the carry is lost, for ports', 'updateWord', initial('total'), '($&) & 0xffff'],
];

const REWRITE: readonly Row[] = [
  ['the TCP checksum does not follow an address', 'rewriteAddress', lastAssignment('checksum'), ''],
  ['the IP checksum does not follow an address', 'rewriteAddress', callStatement('writeU16', 'ipSum'), ''],
  ['the checksum does not follow a port', 'rewritePort', call('updateWord'), '$1'],
];

function plants(group: Plant['group'], file: string, rows: readonly Row[]): Plant[] {
  return rows.map(([what, within, place, becomes]) => ({ what, group, file, within, place, becomes }));
}

export const PLANTS: readonly Plant[] = [
  ...plants('decisions', 'splitter/decide/reports.ts', REPORTS),
  ...plants('decisions', 'splitter/decide/requests.ts', REQUESTS),
  ...plants('decisions', 'splitter/decide/activation.ts', ACTIVATION),
  ...plants('decisions', 'splitter/decide/decision-table.ts', TABLE),
  ...plants('decisions', 'tables/activated-cpes.ts', ACTIVATED),
  ...plants('decisions', 'splitter/memory/family-state.ts', STATE),
  ...plants('lives', 'splitter/memory/family-state.ts', LIVES),
  ...plants('lives', 'tables/ttl-table.ts', [
    ['everything lives a second longer', 'TtlTable.isExpired', initial('age'), '($&) - 1000'],
  ]),
  ...plants('lives', 'tables/connection-table.ts', [
    ['any packet keeps an unanswered connection', 'ConnectionTable.keep', call('isAnswered'), 'true'],
    ['a forged RST is believed for good', 'ConnectionTable.lift', callStatement('unmark'), ''],
  ]),
  ...plants('lives', 'tables/pin-cache.ts', [['pins live for 2 s', 'LIFE_MS', initial('LIFE_MS'), '2_000']]),
  ...plants('tables', 'tables/ttl-table.ts', TTL),
  ...plants('checksums', 'packet/checksum.ts', CHECKSUM),
  ...plants('checksums', 'packet/rewrite.ts', REWRITE),
];

/** Found only after some hundred sessions or more, as a rule: `npm run sim -- --planted` hunts them, `npm test` does not. */
export const LATE: ReadonlySet<string> = new Set([
  'the pin is not asked',
  'a repeated SYN is taken for a new one',
  'a RST from a refusing collector leaves the entry',
  'an unanswered report connection lives as long as a request',
  'the second fold is forgotten, for addresses',
  'any new SYN ends a live diversion',
  'the ITMS may speak on a diverted connection',
  'a paused splitter diverts',
  'a reset that answers no SYN is a refusal',
  'pins are lost at a restart',
  'a half-closed connection lives three minutes',
  'any packet keeps an unanswered connection',
  'a forged RST is believed for good',
  'pins live for 2 s',
  'the sweep misses the last slot',
  'a deletion shifts nothing back',
]);

/** Breakages of the core, each in one place, which the simulation must find. */
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
  returned,
  use,
} from './breaking';

export interface Plant extends Break {
  what: string;
  group: 'decisions' | 'proof' | 'grace' | 'lives' | 'checksums' | 'tables';
  /** Under src/. */
  file: string;
}

/** What is broken, the declaration that holds it, the place within, and the replacement. */
type Row = readonly [what: string, within: string, place: Break['place'], becomes: string];

/** In the place of `activatedCpes.tried(slot)`. */
const CONSUME = 'activatedCpes.consume(slot, view.sourcePort, view.destinationPort);';

const REPORTS: readonly Row[] = [
  ['the pin is not asked', 'ReportOpening.steer', call('isPinned'), 'false'],
  ['an activation is never used up', 'ReportDecisions.confirm', callStatement('consume'), ';'],
  ['a repeated SYN is taken for a new one', 'ReportOpening.open', comparison('isn'), 'false'],
  ['a SYN onto a live diversion is decided afresh at once', 'ReportOpening.open', call('isOverForCpe'), 'true'],
  [
    'a collector may speak on a connection that is not its own',
    'ReportServers.isOwn',
    comparison('owner'),
    'sender >= 0',
  ],
  ['the ITMS may speak on a diverted connection', 'ReportServers.serveItms', use('isCollectors'), 'false'],
  ['a paused splitter diverts', 'ReportOpening.objection', operand('isPaused'), 'false'],
  ['a pause tears a session', 'ReportOpening.objection', call('isGrace'), 'false'],
  ['a RST from a refusing collector leaves the entry', 'ReportServers.reset', call('isRefusal'), 'false'],
  ['a reset that answers no SYN is a refusal', 'ReportServers.isRefusal', call('isRefusal'), 'true'],
];

const PROOF: readonly Row[] = [
  ['any packet of the CPE’s address moves numbers', 'ReportDecisions.follow', call('isOfCpe'), 'true'],
  ['a RST of the CPE need not be exact', 'ReportDecisions.isRstOfCpe', call('isRstOfCpe'), 'true'],
  ['a FIN of the CPE counts wherever it stands', 'ReportDecisions.close', call('isFinOfCpe'), 'true'],
  [
    'a FIN that the collector acknowledged does not count',
    'ReportServers.spokenByServer',
    call('acknowledgesFin'),
    'false',
  ],
  ['a provisional connection uses the activation up', 'ReportOpening.divertedBy', callStatement('tried'), CONSUME],
  ['a refusal keeps the activation', 'ReportEnds.refused', callStatement('endActivation'), ''],
  ['a dead collector keeps the activation', 'ReportOpening.objection', comparison('reportUnansweredMs'), 'false'],
  ['a silent collector gets the CPE’s other SYNs', 'ReportOpening.objection', comparison('SILENT_MS'), 'false'],
  ['a RST without ACK after a SYN is no boot', 'ReportDecisions.hasBooted', returned, 'false'],
  ['every RST of the CPE is a boot', 'ReportDecisions.abort', call('hasBooted'), 'true'],
  ['a boot leaves the activation', 'ReportDecisions.booted', callStatement('endActivation'), ''],
  ['a SYN that waits is never settled', 'ReportDecisions.spokenByCpe', callStatement('unmark'), ';'],
  ['a collector that was silent keeps the SYN', 'ReportOpening.openOnto', comparison('reportUnansweredMs'), 'false'],
  ['a SYN that may draw no challenge counts as silence', 'ReportOpening.openOnto', comparison('CHALLENGE_MS'), 'true'],
  ['a collector that has forgotten is heard', 'ReportServers.accept', condition('isPending'), 'false'],
  [
    'a SYN ends an entry whose FIN is on its way',
    'ReportOpening.open',
    call('isOverForCpe'),
    'reports.isClosed(known)',
  ],
  ['a provisional entry has the packets of the ITMS’s session', 'ReportDecisions.unproven', call('isAnswered'), 'true'],
  ['a provisional entry keeps the ITMS from its session', 'ReportServers.serveItms', call('isAnswered'), 'true'],
  ['the checksum of a SYN is not looked at', 'ReportOpening.open', call('isChecksumRight'), 'true'],
  ['the checksum of a RST is not looked at', 'ReportDecisions.abort', call('isChecksumRight'), 'true'],
  ['the checksum of a FIN is not looked at', 'ReportDecisions.close', call('isChecksumRight'), 'true'],
];

const GRACE: readonly Row[] = [
  ['there is no grace after an unanswered request', 'ReportEnds.graceAfter', use('Unanswered'), 'Head.Interim'],
  ['there is no grace after an unfinished session', 'ReportEnds.graceAfter', use('Body'), 'Head.Interim'],
  ['there is no grace after a 401', 'ReportEnds.graceAfter', use('Retry', 'Head'), 'Head.Interim'],
  ['an idle close over TLS is an end', 'ReportEnds.graceAfter', initial('isIdle'), 'false'],
  ['every close over TLS is idle', 'ReportEnds.graceAfter', initial('isIdle'), 'true'],
];

const REQUESTS: readonly Row[] = [
  ['colliding ports are not remapped', 'RequestDecisions.openNew', initial('collides'), 'false'],
  ['a remapped port is not translated back', 'RequestDecisions.toServer', comparison('ownPort'), 'false'],
  ['the ITMS’s requests are not remembered', 'RequestDecisions.openNew', initial('slot'), 'sender === ITMS ? -1 : $&'],
  ['a GET retransmitted is a new request', 'RequestDecisions.spoken', call('isNewOfServer'), 'true'],
  ['any answer is the CPE’s', 'RequestDecisions.answer', call('isOfCpe'), 'true'],
  ['any SYN+ACK is the CPE’s', 'RequestDecisions.accept', call('isAcceptedBy'), 'true'],
  ['any RST refuses a Connection Request', 'RequestDecisions.abort', call('isRefusal'), 'true'],
  ['a RST on a Connection Request need not be exact', 'RequestDecisions.abort', call('isRstOfCpe'), 'true'],
  [
    'a request’s packet of nobody is forwarded',
    'RequestDecisions.follow',
    call('unknown'),
    'this.forward.asAcs(Reason.RequestFollowed)',
  ],
];

const ACTIVATION: readonly Row[] = [
  ['a 401 arms', 'Activation.answered', condition('found'), '$& || found === Head.Retry'],
  ['a second answer arms', 'Activation.answered', callStatement('setHead'), ''],
  ['the checksum of an answer is not looked at', 'Activation.answered', call('isChecksumRight'), 'true'],
  ['a FIN arms though the CPE spoke HTTP', 'Activation.finished', call('isCut'), 'true'],
  ['the second of two collectors wins', 'Activation.arm', comparison('rival'), 'false'],
  ['a success of the ITMS’s own request ends nothing', 'Activation.succeeded', callStatement('end'), ''],
  ['a session that began first is forgotten', 'Activation.succeeded', call('hadSessionSince'), 'false'],
];

const HEADS: readonly Row[] = [
  ['there is grace after a 204', 'afterThree', use('Empty'), 'Head.Body'],
  ['there is grace after an empty 200', 'inLength', use('Empty'), 'Head.Body'],
];

const NUMBERS: readonly Row[] = [
  ['a keep-alive probe is not the CPE’s', 'ConnectionNumbers.isOfCpe', initial('into'), '($&) - 1'],
  [
    'a CPE may acknowledge what was never sent',
    'ConnectionNumbers.isOfCpe',
    initial('unacknowledged'),
    'Math.max(0, $&)',
  ],
  ['a CPE has more than sixteen entries', 'ConnectionTable.makeRoom', comparison('MAX_PER_CPE'), 'true'],
  ['a CPE has more than four provisional entries', 'ConnectionTable.makeRoom', comparison('mostUnanswered'), 'false'],
  ['a closed entry does not give way', 'ConnectionTable.makeRoom', initial('mayGo'), 'false'],
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
  ['a SYN+ACK counts as a SYN', 'packetType', use('SynAck'), 'PacketType.Syn'],
];

const ACTIVATED: readonly Row[] = [['there is no grace', 'ActivatedCpes.stands', call('isGrace'), 'false']];

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
  ['a deletion shifts nothing back', 'HashRows.fill', condition('fromHome'), 'true'],
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

/** The files of the decisions about report connections, by class. */
const REPORT_FILES: Readonly<Record<string, string>> = {
  ReportDecisions: 'splitter/decide/reports.ts',
  ReportOpening: 'splitter/decide/report-opening.ts',
  ReportServers: 'splitter/decide/report-servers.ts',
  ReportEnds: 'splitter/decide/report-ends.ts',
};
const TABLE_FILES: Readonly<Record<string, string>> = {
  ConnectionNumbers: 'tables/connection-numbers.ts',
  ConnectionTable: 'tables/connection-table.ts',
  HashRows: 'tables/hash-rows.ts',
  TtlTable: 'tables/ttl-table.ts',
};

/** @param file of all rows, or by the class that a row breaks */
function plants(group: Plant['group'], file: string | Readonly<Record<string, string>>, rows: readonly Row[]): Plant[] {
  const fileOf = (within: string) => (typeof file === 'string' ? file : file[within.split('.')[0]]);
  return rows.map(([what, within, place, becomes]) => ({ what, group, file: fileOf(within), within, place, becomes }));
}

export const PLANTS: readonly Plant[] = [
  ...plants('decisions', REPORT_FILES, REPORTS),
  ...plants('proof', REPORT_FILES, PROOF),
  ...plants('grace', REPORT_FILES, GRACE),
  ...plants('grace', 'splitter/decide/http-head.ts', HEADS),
  ...plants('decisions', 'splitter/decide/requests.ts', REQUESTS),
  ...plants('decisions', 'splitter/decide/activation.ts', ACTIVATION),
  ...plants('decisions', 'splitter/decide/decision-table.ts', TABLE),
  ...plants('proof', TABLE_FILES, NUMBERS),
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
  ...plants('tables', TABLE_FILES, TTL),
  ...plants('checksums', 'packet/checksum.ts', CHECKSUM),
  ...plants('checksums', 'packet/rewrite.ts', REWRITE),
];

/** What hosts of the simulation do too seldom, or never: by the plant, the test that finds it. */
export const FOUND_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['a reset that answers no SYN is a refusal', 'a-reset-that-answers-no-syn-refuses-nothing.story'],
  ['a GET retransmitted is a new request', 'unit/splitter/arming.test.ts'],
]);

/** Found only after some hundred sessions or more, as a rule: `npm run sim -- --planted` hunts them, `npm test` does not. */
export const LATE: ReadonlySet<string> = new Set([
  'a CPE has more than four provisional entries',
  'a CPE has more than sixteen entries',
  'a CPE may acknowledge what was never sent',
  'a FIN of the CPE counts wherever it stands',
  'a FIN that the collector acknowledged does not count',
  'a GET retransmitted is a new request',
  'a RST from a refusing collector leaves the entry',
  'a RST without ACK after a SYN is no boot',
  'a SYN ends an entry whose FIN is on its way',
  'a SYN onto a live diversion is decided afresh at once',
  'a SYN that may draw no challenge counts as silence',
  'a SYN that waits is never settled',
  'a boot leaves the activation',
  'a closed connection lives as if open',
  'a closed entry does not give way',
  'a collector may speak on a connection that is not its own',
  'a collector opens from the report port',
  'a collector that has forgotten is heard',
  'a collector that was silent keeps the SYN',
  'a dead collector keeps the activation',
  'a deletion shifts nothing back',
  'a forged RST is believed for good',
  'a half-closed connection lives three minutes',
  'a pause tears a session',
  'a paused splitter diverts',
  'a refusal keeps the activation',
  'a repeated SYN is taken for a new one',
  'a reset that answers no SYN is a refusal',
  'a session that began first is forgotten',
  'a silent collector gets the CPE’s other SYNs',
  'a success of the ITMS’s own request ends nothing',
  'an idle close over TLS is an end',
  'an unanswered report connection lives as long as a request',
  'any packet keeps an unanswered connection',
  'armed for ten minutes',
  'pins are lost at a restart',
  'pins live for 2 s',
  'the ITMS may speak on a diverted connection',
  'the checksum of a FIN is not looked at',
  'the checksum of a RST is not looked at',
  'the checksum of an answer is not looked at',
  'the pin is not asked',
  'the second fold is forgotten, for addresses',
  'the sweep misses the last slot',
  'there is grace after a 204',
  'there is no grace after an unanswered request',
]);

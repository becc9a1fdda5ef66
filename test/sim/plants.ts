/** One-line breakages of the core, each of which the simulation must find. `find` stands exactly once in its file. */
export interface Plant {
  what: string;
  group: 'decisions' | 'lives' | 'checksums' | 'tables';
  /** Under src/. */
  file: string;
  find: string;
  replace: string;
}

const REPORT = 'splitter/decide/reports.ts';
const REQUEST = 'splitter/decide/requests.ts';
const ACTIVATION = 'splitter/decide/activation.ts';
const RULES = 'splitter/decide/decision-table.ts';
const STATE = 'splitter/memory/family-state.ts';
const ACTIVATED = 'tables/activated-cpes.ts';
const CONNECTIONS = 'tables/connection-table.ts';
const TTL = 'tables/ttl-table.ts';
const CHECKSUM = 'packet/checksum.ts';
const REWRITE = 'packet/rewrite.ts';

const decision = (file: string, what: string, find: string, replace: string): Plant => ({
  group: 'decisions',
  what,
  file,
  find,
  replace,
});
const life = (file: string, what: string, find: string, replace: string): Plant => ({
  group: 'lives',
  what,
  file,
  find,
  replace,
});
const checksum = (file: string, what: string, find: string, replace: string): Plant => ({
  group: 'checksums',
  what,
  file,
  find,
  replace,
});
const table = (file: string, what: string, find: string, replace: string): Plant => ({
  group: 'tables',
  what,
  file,
  find,
  replace,
});

export const PLANTS: readonly Plant[] = [
  decision(REPORT, 'the pin is not asked', 'if (pins.isPinned(', 'if (!pins && pins.isPinned('),
  decision(REPORT, 'an activation is never used up', 'activated.consume(', 'if (!view) activated.consume('),
  decision(REPORT, 'a repeated SYN is taken for a new one', 'reports.isn(known) === view.sequence', 'known === -2'),
  decision(
    REPORT,
    'any new SYN ends a live diversion',
    '!reports.isClosing(known) && ',
    'reports.isClosing(known) && ',
  ),
  decision(
    REPORT,
    'a collector may speak on a connection that is not its own',
    'if (!isOwn) return Reason.NotOwner;',
    'if (!isOwn) return this.forward.asAcs(Reason.ReportAnswered);',
  ),
  decision(
    REPORT,
    'the ITMS may speak on a diverted connection',
    'return isCollectors ?',
    'return !isCollectors && !view ?',
  ),
  decision(REPORT, 'a paused splitter diverts', 'if (isPaused || ', 'if ('),
  decision(
    REPORT,
    'a RST from a refusing collector leaves the entry',
    'isRefusal(view, reports.isn(slot))) this.refused(slot)',
    '!view) this.refused(slot)',
  ),
  decision(
    REQUEST,
    'colliding ports are not remapped',
    'const collides = requests.find(',
    'const collides = !view && requests.find(',
  ),
  decision(REQUEST, 'a remapped port is not translated back', 'if (ownPort !== view.destinationPort)', 'if (!view)'),
  decision(
    REQUEST,
    'the ITMS’s requests are not remembered',
    'const slot = collides',
    'const slot = sender === ITMS ? -1 : collides',
  ),
  decision(ACTIVATION, 'a 401 arms', '=== TWO', '>= TWO'),
  decision(
    ACTIVATION,
    'a repeated answer arms again',
    'if (requests.wasJudged(slot, sequence)) {',
    'if (sequence === 0.5) {',
  ),
  decision(ACTIVATION, 'a FIN arms though the CPE spoke HTTP', ' && !requests.has(slot, Seen.Http)', ''),
  decision(ACTIVATION, 'the second of two collectors wins', 'if (rival !== owner &&', 'if (rival === -1 &&'),
  decision(ACTIVATION, 'a success of the ITMS’s own request ends nothing', 'activated.remove(standing);', ''),
  decision(
    RULES,
    'a SYN to any port is forwarded',
    'Action.RefuseSyn,       Action.FollowAnswer,',
    'Action.FollowAnswer,    Action.FollowAnswer,',
  ),
  decision(
    RULES,
    'a collector opens from the report port',
    'Action.RefuseServerSyn, Action.ServeReport,',
    'Action.OpenRequest,     Action.ServeReport,',
  ),
  decision(
    RULES,
    'a reset that answers no SYN is a refusal',
    'return (view.flags & TcpFlag.Ack) !== 0 && acknowledged > 0 && acknowledged <= MAX_SYN_LENGTH;',
    'return view.flags >= 0;',
  ),
  decision(RULES, 'a SYN+ACK counts as a SYN', 'return PacketType.SynAck;', 'return PacketType.Syn;'),
  decision(ACTIVATED, 'there is no grace', 'this.isArmed(slot) || this.isGrace(slot)', 'this.isArmed(slot)'),
  decision(
    REPORT,
    'a reset after the collector’s FIN ends the grace',
    'else if (!reports.has(slot, Seen.FinOfServer)) activated.reset',
    'else activated.reset',
  ),
  decision(ACTIVATED, 'there is grace after a reset', 'if (slot >= 0) this.setReset(slot, State.Reset);', ''),
  decision(STATE, 'pins are lost at a restart', 'this.reports.table.hashSeed', 'seed'),
  life(STATE, 'armed for ten minutes', 'armedMs: lives.armed * 1000', 'armedMs: lives.armed * 10000'),
  life(STATE, 'grace for 20 s', 'graceMs: lives.grace * 1000', 'graceMs: lives.grace * 10000'),
  life(
    STATE,
    'an unanswered report connection lives as long as a request',
    'lives.reportUnanswered',
    'lives.requestUnanswered',
  ),
  life(STATE, 'a closed connection lives as if open', 'lives.finBoth * 1000', 'lives.established * 1000'),
  life(STATE, 'a half-closed connection lives three minutes', 'lives.finOne * 1000', 'lives.finOne * 750'),
  life(TTL, 'everything lives a second longer', 'return age > this.lives', 'return age - 1000 > this.lives'),
  life(CONNECTIONS, 'any packet keeps an unanswered connection', 'if (this.isAnswered(slot)) this.touch', 'this.touch'),
  life(CONNECTIONS, 'a forged RST is believed for good', 'this.unmark(slot, mark);', ''),
  life('tables/pin-cache.ts', 'pins live for 2 s', 'const LIFE_MS = 130_000', 'const LIFE_MS = 2_000'),
  table(TTL, 'the sweep misses the last slot', 'else if (slot + 1 < this.slots)', 'else if (slot + 2 < this.slots)'),
  table(
    TTL,
    'a deletion shifts nothing back',
    '(fromHole < 0 ? fromHole + slots : fromHole)) continue',
    '(fromHole < 0 ? fromHole + slots : fromHole) + slots) continue',
  ),
  checksum(
    CHECKSUM,
    'the second fold is forgotten, for addresses',
    '(to >>> 16) + (to & 0xffff);\n  total = (total & 0xffff) + (total >>> 16);\n',
    '(to >>> 16) + (to & 0xffff);\n',
  ),
  checksum(
    CHECKSUM,
    'the carry is lost, for ports',
    'let total = (~checksum & 0xffff) + (~from & 0xffff) + to;',
    'let total = ((~checksum & 0xffff) + (~from & 0xffff) + to) & 0xffff;',
  ),
  checksum(
    REWRITE,
    'the TCP checksum does not follow an address',
    'checksum = updateInt32(checksum, from[word], to[word]);',
    '',
  ),
  checksum(
    REWRITE,
    'the IP checksum does not follow an address',
    'updateInt32(readU16(bytes, ipSum), from[0], to[0])',
    'readU16(bytes, ipSum)',
  ),
  checksum(
    REWRITE,
    'the checksum does not follow a port',
    'updateWord(readU16(view.bytes, tcpSum), from, to)',
    'readU16(view.bytes, tcpSum)',
  ),
];

/** Found only after some hundred sessions and more, as a rule: `npm run sim -- --planted` looks for them, `npm test` does not. */
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

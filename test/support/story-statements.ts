/** The statements of stories, in the order in which a line is matched. Named groups give the values of its words. */
import { Side } from '../../src/packet/batch';
import { buildTcp } from '../../src/packet/builder';
import { FAMILY, packetIn } from './family';
import { buildError, TYPES } from './icmp';
import { type Expected, type Story } from './story';
import { CPE, GET, OK, type Party, type Server, TOPOLOGY, type Type } from './rig';
import { type Segment, StoryConnection } from './story-connection';

const ROUTER = '10.9.9.9';
const HOST_UNREACHABLE = { ipv4: 1, ipv6: 3 };

type Words = Record<string, string | undefined>;
type Statement = [pattern: RegExp, act: (story: Story, words: Words) => void];

const INFORM = 'POST /ACS-server/ACS HTTP/1.1\r\nContent-Length: 6\r\n\r\nInform';
const INFORM_RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nInformResponse';

const EMPTY_POST = 'POST /ACS-server/ACS HTTP/1.1\r\nContent-Length: 0\r\n\r\n';
const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n';

const NAME = '(?<name>[a-z][a-z0-9 -]*)';
const SERVER = '(?<server>c1|c2|itms)';
const CPE_ADDRESS = '(?: of (?<cpe>10\\.1\\.\\d+\\.\\d+))?';
const ISN = '(?:, ISN (?<isn>\\d+))?';
const WHAT = '(?<forged>forged )?(?<old>challenge |challenged )?(?<what>SYN\\+ACK|SYN|ACK|FIN|bare RST|RST|"[^"]*")';
const HOW = '(?<newIsn> of a new ISN)?(?: with "(?<payload>[^"]*)")?(?<ecn> with ECN)?(?<again> again)?';

function statement(pattern: string, act: (story: Story, words: Words) => void): Statement {
  return [new RegExp(`^${pattern}$`), act];
}

/** Of a statement's words, one that its pattern always has. */
function word(words: Words, name: string): string {
  const value = words[name];
  if (value === undefined) throw new Error(`the statement has no ${name}`);
  return value;
}

function segment(type: Type, payload = '', rest: Partial<Segment> = {}): Segment {
  return { type, payload, again: false, forged: false, newIsn: false, old: false, ecn: false, ...rest };
}

/** A segment that is not looked at further than that it gets to the other end. */
function pass(story: Story, name: string, from: Party, to: Party, type: Type, payload = ''): void {
  story.send(story.connection(name), from, segment(type, payload), { who: to });
}

/** The server of a Connection Request is its opener; of a report connection, the one the statement names. */
function serverOf(story: Story, words: Words): Server {
  const { opener } = story.connection(word(words, 'name'));
  const server = words.server ?? opener;
  if (server === 'cpe') throw new Error('with whom?');
  return server as Server;
}

/** An ICMP error about the CPE's SYN, in by the collectors' interface. */
function unreachable(story: Story, words: Words): void {
  const connection = story.connection(word(words, 'name'));
  const syn = connection.synTo(serverOf(story, words), words.forged !== undefined);
  const packet = buildError({
    source: ROUTER,
    destination: connection.cpe,
    type: TYPES.unreachable[FAMILY],
    code: HOST_UNREACHABLE[FAMILY],
    quoted: buildTcp(packetIn(syn)),
  });
  const { reason } = story.rig.decideBytes(Side.Collector, packet, 0);
  equal(reason, word(words, 'reason'));
  story.packets++;
}

function opens(story: Story, words: Words): void {
  const name = word(words, 'name');
  const server = serverOf(story, words);
  const [opener, acceptor]: Party[] = story.connection(name).opener === 'cpe' ? ['cpe', server] : [server, 'cpe'];
  pass(story, name, opener, acceptor, 'SYN');
  pass(story, name, acceptor, opener, 'SYN+ACK');
  pass(story, name, opener, acceptor, 'ACK');
}

function talks(story: Story, words: Words): void {
  const name = word(words, 'name');
  const server = serverOf(story, words);
  pass(story, name, 'cpe', server, 'DATA', INFORM);
  pass(story, name, server, 'cpe', 'DATA', INFORM_RESPONSE);
  pass(story, name, 'cpe', server, 'ACK');
}

/** An empty POST, answered 204: the CWMP session is over. */
function ends(story: Story, words: Words): void {
  const name = word(words, 'name');
  const server = serverOf(story, words);
  pass(story, name, 'cpe', server, 'DATA', EMPTY_POST);
  pass(story, name, server, 'cpe', 'DATA', NO_CONTENT);
  pass(story, name, 'cpe', server, 'ACK');
}

function closes(story: Story, words: Words): void {
  const name = word(words, 'name');
  const server = serverOf(story, words);
  const [first, second]: Party[] = words.first === 'cpe' ? ['cpe', server] : [server, 'cpe'];
  pass(story, name, first, second, 'FIN');
  pass(story, name, second, first, 'FIN');
  pass(story, name, first, second, 'ACK');
}

function asks(story: Story, words: Words): void {
  const name = word(words, 'name');
  const server = serverOf(story, words);
  pass(story, name, server, 'cpe', 'DATA', GET);
  if (words.code === undefined) return;
  const answer = words.code === '200' ? OK : `HTTP/1.1 ${words.code} X\r\nContent-Length: 0\r\n\r\n`;
  pass(story, name, 'cpe', server, 'DATA', answer);
  pass(story, name, server, 'cpe', 'ACK');
}

function sends(story: Story, words: Words): void {
  const what = word(words, 'what');
  const isData = what.startsWith('"');
  const type = isData ? 'DATA' : (what as Type);
  const payload = unescaped(isData ? what.slice(1, -1) : (words.payload ?? ''));
  const expected: Expected = { who: word(words, 'to') as Expected['who'], reason: words.reason };
  const how = {
    again: words.again !== undefined,
    forged: words.forged !== undefined,
    newIsn: words.newIsn !== undefined,
    old: words.old !== undefined,
    ecn: words.ecn !== undefined,
  };
  story.send(
    story.connection(word(words, 'name')),
    word(words, 'from') as Party,
    segment(type, payload, how),
    expected,
  );
}

function unescaped(text: string): string {
  const bytes = text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return bytes.replaceAll('\\r', '\r').replaceAll('\\n', '\n');
}

function equal(found: string | number, expected: string | number): void {
  if (found !== expected) throw new Error(`expected: ${expected}\nfound: ${found}`);
}

function declare(story: Story, words: Words, connection: StoryConnection): void {
  story.connections.set(word(words, 'name'), connection);
}

function expectConnection(story: Story, words: Words): void {
  const { opener, cpe, cpePort, serverPort } = story.connection(word(words, 'name'));
  const found = opener === 'cpe' ? story.rig.report(cpePort, cpe) : story.rig.request(serverPort, cpe);
  equal(found, word(words, 'state'));
}

function reload(story: Story, words: Words): void {
  const collectors = TOPOLOGY.collectors.filter(({ name }) => name !== words.server);
  story.rig.restart({ topology: { ...TOPOLOGY, collectors }, activation: story.mode });
}

export const STATEMENTS: Statement[] = [
  statement(
    `${NAME}: a Connection Request of ${SERVER} from (?<port>\\d+)(?: to (?<cpe>[\\d.]+))?${ISN}`,
    (story, words) =>
      declare(
        story,
        words,
        StoryConnection.request(
          word(words, 'server') as Server,
          Number(words.port),
          words.cpe ?? CPE,
          Number(words.isn ?? 1000),
        ),
      ),
  ),
  statement(
    `${NAME}: a report connection${CPE_ADDRESS} from (?<cpePort>\\d+)(?: to (?<port>\\d+))?${ISN}`,
    (story, words) =>
      declare(
        story,
        words,
        StoryConnection.report(
          words.cpe ?? CPE,
          Number(words.cpePort),
          Number(words.port ?? 7547),
          Number(words.isn ?? 1000),
        ),
      ),
  ),
  statement(
    `${NAME}: an? (?<forged>forged )?error says that ${SERVER} is unreachable -> cpe, (?<reason>[a-z-]+)`,
    unreachable,
  ),
  statement(`${NAME}: opens(?: with ${SERVER})?`, opens),
  statement(`${NAME}: talks with ${SERVER}`, talks),
  statement(`${NAME}: ends with ${SERVER}`, ends),
  statement(`${NAME}: closes(?: with ${SERVER})?, (?<first>cpe|itms|c1|c2) first`, closes),
  statement(`${NAME}: is a session with ${SERVER}`, (story, words) => {
    opens(story, words);
    talks(story, words);
    ends(story, words);
    closes(story, { ...words, first: words.server });
  }),
  statement(`${NAME}: asks(?:, is answered (?<code>\\d{3}))?`, asks),
  statement(`${NAME}: succeeds`, (story, words) => {
    opens(story, words);
    asks(story, { ...words, code: '200' });
    closes(story, { ...words, first: words.server });
  }),
  statement(
    `${NAME}: (?<from>cpe|itms|c1|c2) sends ${WHAT}${HOW} -> (?<to>cpe|itms|c1|c2|nobody)(?:, (?<reason>[a-z-]+))?`,
    sends,
  ),
  statement(`${NAME}: may move, for .+`, (story, words) => {
    const { cpe, cpePort, visiblePort } = story.connection(word(words, 'name'));
    story.checker.excuse(cpe, cpePort, visiblePort);
  }),
  statement('wait (?<count>[\\d.]+) (?<unit>ms|s|min|h)', (story, words) => {
    const unitMs = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }[word(words, 'unit')] ?? 0;
    story.rig.wait(Number(words.count) * unitMs);
  }),
  statement(`expect activation (?<state>[a-z0-9 ]+?)${CPE_ADDRESS}`, (story, words) =>
    equal(story.rig.activation(words.cpe ?? CPE), word(words, 'state')),
  ),
  statement('expect (?<count>\\d+) (?<event>[a-z-]+)', (story, words) =>
    equal(story.rig.events(word(words, 'event')), Number(words.count)),
  ),
  statement(`expect ${NAME}: (?<state>.+)`, expectConnection),
  statement('expect empty tables', (story) => equal(JSON.stringify(story.rig.counts()), EMPTY)),
  statement('the tables are lost', (story) => void story.rig.loseTables()),
  statement('the sweep comes (?<count>\\d+) times in (?<seconds>\\d+) s', (story, words) => {
    const stepMs = (Number(words.seconds) * 1000) / Number(words.count);
    for (let step = 0; step < Number(words.count); step++) story.rig.wait(stepMs).splitter.sweep(story.rig.nowMs);
  }),
  statement('the operator pauses', (story) => void (story.rig.splitter.paused = true)),
  statement('the operator resumes', (story) => void (story.rig.splitter.paused = false)),
  statement(
    'the operator activates for (?<server>c1|c2)',
    (story, words) => void story.rig.activate(word(words, 'server')),
  ),
  statement('the configuration is reloaded(?: without (?<server>c1|c2))?', reload),
  statement('a table holds (?<capacity>\\d+) entries', (story, words) => {
    story.rig = story.rig.withCapacity(Number(words.capacity));
  }),
];

const EMPTY = JSON.stringify({ requests: 0, activated: 0, reports: 0 });

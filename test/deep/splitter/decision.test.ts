/**
 * The decision golden: every side, type, port class, entry and activation, in every mode, one line each. It has been
 * read against the rules (its head says how); a changed rule shows here as changed lines. UPDATE_GOLDENS=1 rewrites it.
 *
 * A line tells what was known of the connection and of the CPE's activation, what happened to the packet and why, whose
 * rule that is, and what changed as a result. Activations and modes with one outcome share a line; `any` is all of
 * them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REASONS } from '../../../src/splitter/reasons';
import { ACTIVATION_MODES, type ActivationMode } from '../../../src/splitter/topology';
import { ITMS_PORT, OK, REPORT_PORT, Rig, type Server, TOPOLOGY, type Type, UNAUTHORIZED } from '../../support/rig';
import * as known from './situations';
import { bringAbout, type Situation } from './situations';

const HEAD = `# Read group by group, by origin, reason and outcome, against the rules. Marks: [P n] the patent's, [D] ours.
# Of [D], the second edition's [2] are: report-unproven, answer-unproven, request-unproven (a packet that proves nothing
# changes nothing), syn-onto-live and report-forgotten (a SYN onto an entry), collector-silent, request-unknown, and in
# the other groups all that numbers, "silent", "syn pending", "asked", "session first", "said ..." and the choice of grace
# decide. syn-repeated is [P10] since table 3 knows the connection; owner-gone, report-table-full, would-divert and pinned
# lean to the ITMS. checksum-wrong, the bounds and what a listener or ICMP error says are in tests of their own.
# from port        packet          connection                     | mode              | what, why, whose rule, what changed | activation
`;
const GOLDEN = join(__dirname, 'decision.golden');
const isUpdating = process.env.UPDATE_GOLDENS === '1';

/** A collector of when the tables were written, no longer configured. */
const YESTERDAY = {
  ...TOPOLOGY,
  collectors: [...TOPOLOGY.collectors, { name: 'gone', interface: 'col0', address: { ipv4: '10.3.0.4' } }],
};

interface Packet {
  name: string;
  type: Type;
  /** Of the connection's own by as much; undefined: nobody's, a forger's guess. */
  sequence?: number;
  acknowledgement?: number;
  payload?: string;
  flags?: number;
}

interface Block {
  from: 'cpe' | Server;
  port: number;
  /** What the port is, in words. */
  portName: string;
  packets: Packet[];
  connections: Situation[];
  activations: Situation[];
}

const syn: Packet = { name: 'SYN', type: 'SYN', sequence: known.ISN };
const newSyn: Packet = { name: 'SYN of new ISN', type: 'SYN', sequence: known.NEW_ISN };
const rest: Packet[] = [
  { name: 'SYN+ACK', type: 'SYN+ACK' },
  { name: 'ACK', type: 'ACK' },
  { name: 'data', type: 'DATA', payload: 'Inform' },
  { name: 'FIN', type: 'FIN' },
  { name: 'RST', type: 'RST' },
  { name: 'bare RST', type: 'bare RST' },
];
const GUESS = { sequence: 0x5eed5eed, acknowledgement: 0x5eed5eed };
const guessed: Packet[] = [...rest, { name: 'SYN', type: 'SYN' } as const].map((packet) => ({
  ...packet,
  ...GUESS,
  name: `guessed ${packet.name}`,
}));
const malformed: Packet[] = [
  { name: 'SYN+FIN', type: 'SYN', flags: 0x03 },
  { name: 'no flags', type: 'ACK', flags: 0 },
];
const answers: Packet[] = [
  { name: 'SYN+ACK', type: 'SYN+ACK', sequence: known.JUDGED - 1 },
  { name: 'ACK', type: 'ACK', sequence: known.JUDGED },
  { name: '2xx', type: 'DATA', sequence: known.JUDGED, payload: OK },
  { name: 'next 2xx', type: 'DATA', sequence: known.JUDGED + 99, payload: OK },
  { name: '401', type: 'DATA', sequence: known.JUDGED, payload: UNAUTHORIZED },
  { name: 'HTTP, cut', type: 'DATA', sequence: known.JUDGED, payload: 'HTTP/1.1 2' },
  { name: 'other data', type: 'DATA', sequence: known.JUDGED, payload: 'SSH-2.0-x' },
  { name: 'FIN', type: 'FIN', sequence: known.JUDGED },
  { name: 'FIN, 2xx', type: 'FIN', sequence: known.JUDGED, payload: OK },
  { name: 'RST', type: 'RST', sequence: known.JUDGED },
  { name: 'guessed 2xx', type: 'DATA', ...GUESS, payload: OK },
  { name: 'guessed RST', type: 'RST', ...GUESS },
];

const standing = [...known.ACTIVATIONS, ...known.PINNED, ...known.FULL_AND_ARMED];
const arming = [...known.ACTIVATIONS, known.ACTIVATIONS_FULL];
const requests = [...known.REQUESTS, known.REQUESTS_FULL];

const BLOCKS: Block[] = [
  block('cpe', 'report port', [syn, newSyn], known.REPORTS, standing),
  block('cpe', 'report port', [...rest, ...guessed, ...malformed], known.REPORTS, known.ACTIVATIONS),
  block('cpe', 'itms port', [syn, ...rest, ...malformed], [known.NONE], known.ACTIVATIONS),
  block('cpe', 'other port', [syn, ...malformed], known.REQUESTS, known.ACTIVATIONS),
  block('cpe', 'other port', answers, known.REQUESTS, arming),
  block('itms', 'itms port', [syn, ...rest, ...malformed], [known.NONE], [known.NONE]),
  block('c1', 'itms port', [syn, ...rest, ...malformed], [known.NONE], [known.NONE]),
  block('itms', 'report port', [syn, ...rest, ...malformed], known.REPORTS, known.ACTIVATIONS),
  block('itms', 'other port', [syn, newSyn, ...rest, ...malformed], requests, arming),
  block('c1', 'report port', [syn, ...rest, ...malformed], known.REPORTS, known.ACTIVATIONS),
  block('c1', 'other port', [syn, newSyn, ...rest, ...malformed], requests, arming),
];

function block(
  from: Block['from'],
  portName: string,
  packets: Packet[],
  connections: Situation[],
  activations: Situation[],
): Block {
  const port = { 'report port': REPORT_PORT, 'itms port': ITMS_PORT, 'other port': known.SERVER_PORT }[portName] ?? 0;
  return { from, port, portName, packets, connections, activations };
}

/** One splitter per mode; `bringAbout` leaves so much time that its tables and pins have forgotten all before. */
const rigs = new Map(ACTIVATION_MODES.map((mode) => [mode, restartedRig(mode)]));

function restartedRig(activation: ActivationMode): Rig {
  const yesterday = new Rig({ activation, capacityEntries: known.CAPACITY, topology: YESTERDAY });
  return yesterday.restart({ topology: TOPOLOGY });
}

function decide(block: Block, packet: Packet, situations: Situation[], mode: ActivationMode): string {
  const rig = rigs.get(mode) as Rig;
  bringAbout(rig, situations);
  const before = knownOf(rig, block);
  const fields = { port: block.port, ...numbersOf(block, packet), ...packet };
  const text = block.from === 'cpe' ? rig.cpe(packet.type, fields) : rig.from(block.from, packet.type, fields);
  // Which port of the range it gets is a matter of turns.
  const [outcome, reason] = text.replace(/acs:6\d+/, 'acs:other').split(': ');
  const row = REASONS.find(([name]) => name === reason);
  // The patent does not mention the ITMS's packets.
  const rule = block.from === 'itms' ? '[D]' : (/\[.*\]$/.exec(row?.[2] ?? '')?.[0] ?? '[?]');
  return [outcome.padEnd(14), reason.padEnd(18), rule.padEnd(5), changes(before, knownOf(rig, block)).padEnd(50)].join(
    ' ',
  );
}

/** The current numbers of both ends: see `open` in situations.ts. */
function numbersOf({ from, portName }: Block, { type }: Packet): { sequence: number; acknowledgement: number } {
  const isOpener = (from === 'cpe') === (portName === 'report port');
  const next = (isOpens: boolean) => (isOpens ? known.ISN + 1 : known.JUDGED);
  return { sequence: next(isOpener) - (type === 'SYN+ACK' ? 1 : 0), acknowledgement: next(!isOpener) };
}

interface Known {
  connection: string;
  connectionAgeMs: number;
  activation: string;
  activationAgeMs: number;
}

/** What the tables say of the packet's connection and CPE. */
function knownOf(rig: Rig, block: Block): Known {
  rig.splitter.sweep(rig.nowMs);
  const { connections, connectionAgeMs } = known.connectionsKnown(rig, block.port);
  return { connection: connections, connectionAgeMs, ...known.activationKnown(rig) };
}

function changes(before: Known, after: Known): string {
  const said: string[] = [];
  if (before.connection !== after.connection) said.push(`connection ${after.connection}`);
  else if (after.connectionAgeMs < before.connectionAgeMs) said.push('refreshed');
  if (before.activation !== after.activation) said.push(`activation ${after.activation}`);
  else if (after.activationAgeMs < before.activationAgeMs) said.push('activation refreshed');
  return said.join('; ') || '-';
}

/** Outcomes by activation, then by mode. */
type Matrix = string[][];

function linesOf(block: Block, packet: Packet): string[] {
  const matrices = block.connections.map((connection) =>
    block.activations.map((activation) =>
      ACTIVATION_MODES.map((mode) => decide(block, packet, [connection, activation], mode)),
    ),
  );
  const texts = matrices.map((matrix) => JSON.stringify(matrix));
  const lead = `${block.from.padEnd(4)} ${block.portName.padEnd(11)} ${packet.name.padEnd(15)}`;
  if (texts.length > 1 && texts.every((text) => text === texts[0])) {
    return rowsOf(block, matrices[0]).map((row) => `${lead} ${'any'.padEnd(30)} | ${row}`);
  }
  return block.connections.flatMap(({ name }, i) => {
    const rows = rowsOf(block, matrices[i]);
    const first = texts.indexOf(texts[i]);
    const said = rows.length > 1 && first < i ? [`as with: ${block.connections[first].name}`] : rows;
    return said.map((row) => `${lead} ${name.padEnd(30)} | ${row}`);
  });
}

/** A row for each outcome: the activations and modes that lead to it. */
function rowsOf(block: Block, matrix: Matrix): string[] {
  const groups = new Map<string, string[]>();
  matrix.forEach((byMode, i) => {
    const key = JSON.stringify(byMode);
    groups.set(key, [...(groups.get(key) ?? []), block.activations[i].name]);
  });
  return [...groups].flatMap(([key, activations]) => {
    const byMode = JSON.parse(key) as string[];
    const who = groups.size === 1 ? 'any' : activations.join(' / ');
    return [...new Set(byMode)].map((outcome) => {
      const modes = ACTIVATION_MODES.filter((_, i) => byMode[i] === outcome);
      const when = modes.length === ACTIVATION_MODES.length ? 'any' : modes.join(' ');
      return `${when.padEnd(17)} | ${outcome} | ${who}`;
    });
  });
}

test('every decision is the one that was read and found right', () => {
  const lines = BLOCKS.flatMap((block) => block.packets.flatMap((packet) => linesOf(block, packet)));
  const text = `${HEAD}${lines.map((line) => line.trimEnd()).join('\n')}\n`;
  if (isUpdating) writeFileSync(GOLDEN, text);
  expect(text).toBe(readFileSync(GOLDEN, 'utf8'));
});

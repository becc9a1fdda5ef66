/**
 * The situations of the decision golden: what the tables may hold when a packet arrives, by name. They are built with
 * the tables' own methods, so that every combination is possible, including those that real traffic produces once a
 * year.
 */
import { isSameAddress } from '../../../src/packet/address';
import { type FamilyState } from '../../../src/splitter/memory/family-state';
import { asked, headOf, isCut, readHead } from '../../../src/splitter/decide/http-head';
import { Grace } from '../../../src/tables/activation-row';
import { Seen, Word } from '../../../src/tables/connection-row';
import { type ConnectionTable } from '../../../src/tables/connection-table';
import { addressNamed } from '../../support/family';
import { CPE, CPE_PORT, REPORT_PORT, type Rig } from '../../support/rig';

const cpe = addressNamed(CPE);
const stranger = addressNamed('10.1.99.99');
/** Of the connection's recorded SYN, and of another. */
export const ISN = 1000;
export const NEW_ISN = 2000;
export const REPORT_CPE_PORT = 40001;
/** Of the Connection Request, at the server that has it. */
export const SERVER_PORT = 50001;
/** Where the answer of the other end begins. */
export const JUDGED = 7001;
/** Entries of each table: few, so that a table is soon full. */
export const CAPACITY = 4;

/** A pause after which a table is empty (2^30 ms), a pin is void, and no idle time of a part matters. */
const FORGOTTEN_MS = 2 ** 30 + 10_000_000;

/** One fact, which came to be this long before the packet. */
interface Part {
  idleMs: number;
  put: (state: FamilyState) => void;
}

export interface Situation {
  name: string;
  parts: Part[];
}

/** Brings the situations about, oldest part first, so that the packet comes at the right distance from each. */
export function bringAbout(rig: Rig, situations: Situation[]): void {
  const atMs = rig.nowMs + FORGOTTEN_MS;
  const parts = situations.flatMap((situation) => situation.parts).sort((a, b) => b.idleMs - a.idleMs);
  for (const part of parts) {
    rig.splitter.state.advance(atMs - part.idleMs);
    part.put(rig.splitter.state.families[0]);
  }
  rig.nowMs = atMs;
}

export const NONE: Situation = { name: 'none', parts: [] };

const OWNERS = { itms: 0, c1: 1, c2: 2, gone: 3 } as const;
export type Owner = keyof typeof OWNERS;

type Phase = [name: string, seen: number, idleMs: number];

const FIN_BOTH = Seen.FinOfCpe | Seen.FinOfServer;
const SECOND = 1000;

const PHASES: Phase[] = [
  ['unanswered', 0, SECOND],
  ['established', Seen.Answer, SECOND],
  ['fin of cpe', Seen.Answer | Seen.FinOfCpe, SECOND],
  ['fin of server', Seen.Answer | Seen.FinOfServer, SECOND],
  ['closed', Seen.Answer | FIN_BOTH, SECOND],
  ['reset by cpe', Seen.Answer | Seen.RstOfCpe, SECOND],
  ['reset by server', Seen.Answer | Seen.RstOfServer, SECOND],
];
const PENDING = Seen.Answer | Seen.PendingSyn | Seen.Waiting;
const PROVISIONAL: Phase[] = [
  ['unanswered, silent 2.999 s', Seen.Waiting, 3 * SECOND - 1],
  ['unanswered, silent 3 s', Seen.Waiting, 3 * SECOND],
  ['unanswered, SYN+ACK seen', Seen.Learned, SECOND],
  ['established, SYN pending', PENDING, 10 * SECOND - 1],
  ['established, SYN pending 10 s', PENDING, 10 * SECOND],
  ['established, SYN challenged', Seen.Answer | Seen.PendingSyn, SECOND],
];
/** The last message of the collector, or of the CPE on a Connection Request. */
const HEADS: [name: string, text: string | undefined][] = [
  ['asked', undefined],
  ['said 204', 'HTTP/1.1 204'],
  ['said 200', 'HTTP/1.1 200'],
  ['said 401', 'HTTP/1.1 401'],
  ['said 500', 'HTTP/1.1 500'],
  ['said half a code', 'HTTP/1.1 2'],
  ['said no HTTP', 'SSH-2.0'],
];
const EXPIRED: Phase[] = [
  ['established, expired', Seen.Answer, 7500 * SECOND + 1],
  ['fin of cpe, expired', Seen.Answer | Seen.FinOfCpe, 240 * SECOND + 1],
  ['closed, expired', Seen.Answer | FIN_BOTH, 120 * SECOND + 1],
  ['reset by cpe, expired', Seen.Answer | Seen.RstOfCpe, 10 * SECOND + 1],
];
const REPORT_EXPIRED: Phase[] = [['unanswered, expired', 0, 10 * SECOND + 1], ...EXPIRED];
const REQUEST_EXPIRED: Phase[] = [['unanswered, expired', 0, 75 * SECOND + 1], ...EXPIRED];
/** An answer that is read this far. */
function say(table: ConnectionTable, slot: number, text: string | undefined, at: number): number {
  const bytes = Uint8Array.from(text ?? '', (character) => character.charCodeAt(0));
  table.setHead(slot, readHead(asked(0), bytes, 0, bytes.length));
  table.setWord(slot, Word.HeadAt, at + bytes.length);
  return bytes.length;
}

/** Numbers as the packets of the golden have them: the opener's go on at ISN + 1, the other end's at JUDGED. */
function open(table: ConnectionTable, cpePort: number, port: number, owner: Owner, seen: number, tag?: number): number {
  const slot = table.open(cpe, cpePort, port, OWNERS[owner], ISN);
  const isReport = tag === undefined;
  if (!isReport) table.setWord(slot, Word.OwnPort, (tag << 16) | SERVER_PORT);
  const cpeNext = isReport ? ISN + 1 : JUDGED;
  const serverNext = isReport ? JUDGED : ISN + 1;
  table.setWord(slot, Word.CpeNext, cpeNext);
  table.setWord(slot, Word.ServerNext, serverNext);
  table.setWord(slot, Word.Since, table.table.tick);
  table.setWord(slot, Word.DataAt, table.table.tick);
  if (seen & (Seen.Answer | Seen.Learned)) {
    table.setWord(slot, Word.ServerAck, cpeNext);
    table.setWord(slot, Word.ServerEdge, cpeNext + 65_535);
    table.setWord(slot, Word.CpeAck, serverNext);
    if (isReport) table.setWord(slot, Word.CpeEdge, serverNext + 65_535);
    table.mark(slot, Seen.Learned);
  }
  table.mark(slot, seen);
  return slot;
}

function report(owner: Owner, phases: Phase[]): Situation[] {
  return phases.map(([name, seen, idleMs]) => ({
    name: `${owner} ${name}`,
    parts: [{ idleMs, put: (state) => void open(state.reportConnections, REPORT_CPE_PORT, REPORT_PORT, owner, seen) }],
  }));
}

function request(owner: Owner, phases: Phase[]): Situation[] {
  return phases.map(([name, seen, idleMs]) => ({
    name: `${owner} ${name}`,
    parts: [
      {
        idleMs,
        put: (state) => void open(state.connectionRequests, CPE_PORT, SERVER_PORT, owner, seen, tagOf(state, owner)),
      },
    ],
  }));
}

function tagOf({ servers }: FamilyState, owner: Owner): number {
  return owner === 'gone' ? 0 : servers.tagOf(servers.addressOf(OWNERS[owner]));
}

/** Established, after this last message. */
function reportSaid(owner: Owner): Situation[] {
  return HEADS.slice(0, 5).map(([name, text]) => {
    const put = ({ reportConnections: table }: FamilyState) => {
      say(table, open(table, REPORT_CPE_PORT, REPORT_PORT, owner, Seen.Answer), text, JUDGED);
    };
    return { name: `${owner} ${name}`, parts: [{ idleMs: SECOND, put }] };
  });
}

function requestSaid(owner: Owner): Situation[] {
  return HEADS.map(([name, text]) => {
    const put = (state: FamilyState) => {
      const { connectionRequests: table } = state;
      const slot = open(table, CPE_PORT, SERVER_PORT, owner, Seen.Answer, tagOf(state, owner));
      const bytes = say(table, slot, text, JUDGED);
      table.setWord(slot, Word.CpeNext, JUDGED + bytes);
    };
    return { name: `${owner} ${name}`, parts: [{ idleMs: SECOND, put }] };
  });
}

/** Of HASH 3, for the connection that the packet belongs to. */
export const REPORTS: Situation[] = [
  NONE,
  ...report('c1', [...PHASES, ...PROVISIONAL, ...REPORT_EXPIRED]),
  ...reportSaid('c1'),
  ...report('c2', PHASES.slice(1, 3)),
  ...report('gone', PHASES.slice(1, 3)),
];

/** Of HASH 1, for the connection that the packet belongs to. */
export const REQUESTS: Situation[] = [
  NONE,
  ...request('c1', PHASES),
  ...requestSaid('c1'),
  ...request('c1', REQUEST_EXPIRED),
  remapped(),
  ...request('itms', PHASES),
  ...requestSaid('itms').slice(0, 4),
  ...request('itms', REQUEST_EXPIRED.slice(0, 2)),
  ...request('c2', PHASES.slice(0, 3)),
  ...request('gone', PHASES.slice(1, 3)),
];

/** c1 asked from the port that c2 already had: the CPE knows it by another port. */
function remapped(): Situation {
  const put = (state: FamilyState) => {
    const { connectionRequests: table } = state;
    open(table, CPE_PORT, SERVER_PORT, 'c2', Seen.Answer, tagOf(state, 'c2'));
    const slot = table.openRemapped(cpe, CPE_PORT, SERVER_PORT, OWNERS.c1, tagOf(state, 'c1'), ISN);
    table.mark(slot, Seen.Answer);
  };
  return { name: 'c2 established, c1 remapped', parts: [{ idleMs: SECOND, put }] };
}

// ---- activations ----

function armed(owner: Owner, idleMs: number): Part {
  return { idleMs, put: (state) => void state.activatedCpes.arm(cpe, OWNERS[owner]) };
}

/** Consumed by another report connection of the CPE, or by the one of the packet. */
function consumed(owner: Owner, idleMs: number, grace?: Grace, cpePort = 40999): Part {
  const put = ({ activatedCpes: activated }: FamilyState) => {
    const slot = activated.arm(cpe, OWNERS[owner]);
    activated.consume(slot, cpePort, REPORT_PORT);
    if (grace !== undefined) activated.finished(slot, grace);
  };
  return { idleMs, put };
}

/** A collector waits for the CPE's answer; the CPE has opened a session with the ITMS meanwhile. */
function askedCpe(idleMs: number, hasSession: boolean): Part {
  const put = ({ activatedCpes: activated }: FamilyState) => {
    const slot = activated.ask(cpe);
    if (hasSession) activated.sessionBegan(slot);
  };
  return { idleMs, put };
}

/** A SYN went to the collector of an armed CPE, and nothing has come back. */
function tried(idleMs: number): Part {
  const put = ({ activatedCpes: activated }: FamilyState) => activated.tried(activated.arm(cpe, OWNERS.c1));
  return { idleMs, put };
}

const GRACE_C1 = consumed('c1', 2 * SECOND, Grace.Short);
const ARMED_C1 = armed('c1', SECOND);

/** HASH 2, for the CPE of the packet. */
export const ACTIVATIONS: Situation[] = [
  NONE,
  { name: 'armed c1', parts: [armed('c1', 60 * SECOND)] },
  { name: 'armed c1, expired', parts: [armed('c1', 60 * SECOND + 1)] },
  { name: 'armed c2', parts: [armed('c2', SECOND)] },
  { name: 'armed gone', parts: [armed('gone', SECOND)] },
  { name: 'armed c1, silent 2.999 s', parts: [tried(3 * SECOND - 1)] },
  { name: 'armed c1, silent 3 s', parts: [tried(3 * SECOND)] },
  { name: 'armed c1, silent 10 s', parts: [tried(10 * SECOND)] },
  { name: 'asked', parts: [askedCpe(SECOND, false)] },
  { name: 'asked, session first', parts: [askedCpe(SECOND, true)] },
  { name: 'consumed c1', parts: [consumed('c1', SECOND)] },
  { name: 'consumed c1 by it', parts: [consumed('c1', SECOND, undefined, REPORT_CPE_PORT)] },
  { name: 'grace c1', parts: [GRACE_C1] },
  { name: 'grace c1, expired', parts: [consumed('c1', 2 * SECOND + 1, Grace.Short)] },
  { name: 'grace c2', parts: [consumed('c2', SECOND, Grace.Unfinished)] },
];

// ---- what else may stand in the way ----

function pinned(idleMs: number): Part {
  const put = ({ pins }: FamilyState) => {
    pins.pin(cpe, REPORT_CPE_PORT, REPORT_PORT, ISN);
  };
  return { idleMs, put };
}

/** Strangers take what room there is. */
const FULL_REPORTS: Part = {
  idleMs: 0,
  put: ({ reportConnections: reports }) => {
    for (let port = 1; reports.open(stranger, port, REPORT_PORT, OWNERS.c2, 1) >= 0; port++);
  },
};
const FULL_ACTIVATED: Part = {
  idleMs: 0,
  put: ({ activatedCpes: activated }) => {
    for (const other = stranger.slice(); activated.arm(other, OWNERS.c2) >= 0; other[0]++);
  },
};
const FULL_REQUESTS: Part = {
  idleMs: 0,
  put: ({ connectionRequests: requests }) => {
    for (let port = 1; requests.open(stranger, CPE_PORT, port, OWNERS.c2, 1) >= 0; port++);
  },
};

/** HASH 2 and the pin cache, where the CPE's SYN is of the ISN that was pinned. */
export const PINNED: Situation[] = [
  { name: 'armed c1, pinned', parts: [ARMED_C1, pinned(130 * SECOND)] },
  { name: 'armed c1, pin expired', parts: [ARMED_C1, pinned(130 * SECOND + 1)] },
  { name: 'grace c1, pinned', parts: [GRACE_C1, pinned(SECOND)] },
];
export const FULL_AND_ARMED: Situation[] = [
  { name: 'armed c1, table full', parts: [ARMED_C1, FULL_REPORTS] },
  { name: 'grace c1, table full', parts: [GRACE_C1, FULL_REPORTS] },
];
export const ACTIVATIONS_FULL: Situation = { name: 'none, table full', parts: [FULL_ACTIVATED] };
export const REQUESTS_FULL: Situation = { name: 'none, table full', parts: [FULL_REQUESTS] };

// ---- what is known, read off the tables ----

const SAYS: [bit: number, says: string][] = [
  [Seen.Answer, 'answered'],
  [Seen.FinOfCpe, 'fin of cpe'],
  [Seen.FinOfServer, 'fin of server'],
  [Seen.RstOfCpe, 'reset by cpe'],
  [Seen.RstOfServer, 'reset by server'],
  [Seen.PendingSyn, 'syn pending'],
  [Seen.Waiting, 'silent'],
];

const HEAD_WORDS = ['', 'asked', 'said empty', 'said body', 'said retry', 'said refused', 'unreadable'];

/** The connections that the packets of these tests may belong to, and the age of the youngest. */
export function connectionsKnown(rig: Rig, port: number): { connections: string; connectionAgeMs: number } {
  const { reportConnections: reports, connectionRequests: requests } = rig.splitter.state.families[0];
  const table: ConnectionTable = port === REPORT_PORT ? reports : requests;
  const said: string[] = [];
  let connectionAgeMs = Infinity;
  for (let slot = 0; slot < table.table.slotCount; slot++) {
    if (!table.table.isLive(slot) || !isSameAddress(table.cpe(slot), cpe)) continue;
    const owner = Object.keys(OWNERS)[table.owner(slot)];
    const seen = SAYS.filter(([bit]) => table.has(slot, bit)).map(([, says]) => says);
    const head = table.head(slot);
    const words = [HEAD_WORDS[headOf(head)], isCut(head) ? 'cut' : ''].filter((word) => word !== '');
    said.push([owner, ...(table.has(slot, Seen.Remapped) ? ['remapped'] : []), ...seen, ...words].join(', '));
    connectionAgeMs = Math.min(connectionAgeMs, table.idleMs(slot));
  }
  return {
    connections:
      said
        .map((one) => `(${one})`)
        .sort()
        .join(' ') || 'gone',
    connectionAgeMs,
  };
}

export function activationKnown(rig: Rig): { activation: string; activationAgeMs: number } {
  const { activatedCpes: activated } = rig.splitter.state.families[0];
  const slot = activated.find(cpe);
  const isAsked = slot >= 0 && activated.isAsked(slot);
  const asks = !isAsked
    ? ''
    : activated.hadSessionSince(slot, activated.table.tick - SECOND)
      ? ', session first'
      : ', asked';
  const activation = `${rig.activation()}${asks}`;
  return { activation, activationAgeMs: slot < 0 ? Infinity : activated.table.ageMs(slot) };
}

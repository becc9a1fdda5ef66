/**
 * The situations of the decision golden: what the tables may hold when a packet comes, by name. They are made by the
 * tables' own verbs, so that every combination can be had, also those that traffic brings about once a year.
 */
import { isSameAddress } from '../../../src/packet/address';
import { type FamilyState } from '../../../src/splitter/memory/family-state';
import { Seen, type ConnectionTable } from '../../../src/tables/connection-table';
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
/** Where the CPE's answer begins that has been judged already. */
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
const SILENT: Phase[] = [
  ['established, silent 29.999 s', Seen.Answer, 30 * SECOND - 1],
  ['established, silent 30 s', Seen.Answer, 30 * SECOND],
];
const EXPIRED: Phase[] = [
  ['established, expired', Seen.Answer, 7500 * SECOND + 1],
  ['fin of cpe, expired', Seen.Answer | Seen.FinOfCpe, 240 * SECOND + 1],
  ['closed, expired', Seen.Answer | FIN_BOTH, 120 * SECOND + 1],
  ['reset by cpe, expired', Seen.Answer | Seen.RstOfCpe, 10 * SECOND + 1],
];
const REPORT_EXPIRED: Phase[] = [['unanswered, expired', 0, 10 * SECOND + 1], ...EXPIRED];
const REQUEST_EXPIRED: Phase[] = [['unanswered, expired', 0, 75 * SECOND + 1], ...EXPIRED];
const SAID: Phase[] = [
  ['cpe spoke http', Seen.Answer | Seen.Http, SECOND],
  ['cpe spoke other', Seen.Answer | Seen.OtherData, SECOND],
  ['cpe spoke both', Seen.Answer | Seen.Http | Seen.OtherData, SECOND],
];

function open(table: ConnectionTable, cpePort: number, port: number, owner: Owner, seen: number): void {
  table.mark(table.open(cpe, cpePort, port, OWNERS[owner], ISN), seen);
}

function report(owner: Owner, phases: Phase[]): Situation[] {
  return phases.map(([name, seen, idleMs]) => ({
    name: `${owner} ${name}`,
    parts: [{ idleMs, put: (state) => open(state.reportConnections, REPORT_CPE_PORT, REPORT_PORT, owner, seen) }],
  }));
}

function request(owner: Owner, phases: Phase[]): Situation[] {
  return phases.map(([name, seen, idleMs]) => ({
    name: `${owner} ${name}`,
    parts: [{ idleMs, put: (state) => open(state.connectionRequests, CPE_PORT, SERVER_PORT, owner, seen) }],
  }));
}

/** Of HASH 3, for the connection that the packet belongs to. */
export const REPORTS: Situation[] = [
  NONE,
  ...report('c1', [...PHASES, ...SILENT, ...REPORT_EXPIRED]),
  ...report('c2', PHASES.slice(1, 3)),
  ...report('gone', PHASES.slice(1, 3)),
];

/** Of HASH 1, for the connection that the packet belongs to. */
export const REQUESTS: Situation[] = [
  NONE,
  ...request('c1', [...PHASES, ...SAID]),
  judged('c1'),
  ...request('c1', REQUEST_EXPIRED),
  remapped(),
  ...request('itms', PHASES),
  judged('itms'),
  ...request('itms', REQUEST_EXPIRED.slice(0, 2)),
  ...request('c2', PHASES.slice(0, 3)),
  ...request('gone', PHASES.slice(1, 3)),
];

/** The CPE's answer of sequence JUDGED has been judged. */
function judged(owner: Owner): Situation {
  const put = (state: FamilyState) => {
    open(state.connectionRequests, CPE_PORT, SERVER_PORT, owner, Seen.Answer | Seen.Http);
    state.connectionRequests.judged(state.connectionRequests.find(cpe, CPE_PORT, SERVER_PORT), JUDGED);
  };
  return { name: `${owner} answer judged`, parts: [{ idleMs: SECOND, put }] };
}

/** c1 asked from the port that c2 already had: the CPE knows it by another port. */
function remapped(): Situation {
  const put = (state: FamilyState) => {
    open(state.connectionRequests, CPE_PORT, SERVER_PORT, 'c2', Seen.Answer);
    const slot = state.connectionRequests.openRemapped(cpe, CPE_PORT, SERVER_PORT, OWNERS.c1, ISN);
    state.connectionRequests.mark(slot, Seen.Answer);
  };
  return { name: 'c2 established, c1 remapped', parts: [{ idleMs: SECOND, put }] };
}

// ---- activations ----

function armed(owner: Owner, idleMs: number): Part {
  return { idleMs, put: (state) => void state.activatedCpes.arm(cpe, OWNERS[owner]) };
}

/** Consumed by another report connection of the CPE. */
function consumed(owner: Owner, idleMs: number, then: 'unanswered' | 'answered' | 'finished' | 'reset'): Part {
  const put = ({ activatedCpes: activated }: FamilyState) => {
    activated.consume(activated.arm(cpe, OWNERS[owner]), 40999, REPORT_PORT);
    if (then !== 'unanswered') activated.answered(cpe, 40999, REPORT_PORT);
    if (then === 'finished') activated.finished(cpe, 40999, REPORT_PORT);
    if (then === 'reset') activated.reset(cpe, 40999, REPORT_PORT);
  };
  return { idleMs, put };
}

const GRACE_C1 = consumed('c1', 2 * SECOND, 'finished');
const ARMED_C1 = armed('c1', SECOND);

/** HASH 2, for the CPE of the packet. */
export const ACTIVATIONS: Situation[] = [
  NONE,
  { name: 'armed c1', parts: [armed('c1', 60 * SECOND)] },
  { name: 'armed c1, expired', parts: [armed('c1', 60 * SECOND + 1)] },
  { name: 'armed c2', parts: [armed('c2', SECOND)] },
  { name: 'armed gone', parts: [armed('gone', SECOND)] },
  { name: 'consumed c1', parts: [consumed('c1', SECOND, 'unanswered')] },
  { name: 'answered c1', parts: [consumed('c1', SECOND, 'answered')] },
  { name: 'grace c1', parts: [GRACE_C1] },
  { name: 'grace c1, expired', parts: [consumed('c1', 2 * SECOND + 1, 'finished')] },
  { name: 'reset c1', parts: [consumed('c1', SECOND, 'reset')] },
  { name: 'grace c2', parts: [consumed('c2', SECOND, 'finished')] },
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
  [Seen.Http, 'http'],
  [Seen.OtherData, 'other data'],
  [Seen.Judged, 'judged'],
];

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
    said.push([owner, ...(table.has(slot, Seen.Remapped) ? ['remapped'] : []), ...seen].join(', '));
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
  return { activation: rig.activation(), activationAgeMs: slot < 0 ? Infinity : activated.table.ageMs(slot) };
}

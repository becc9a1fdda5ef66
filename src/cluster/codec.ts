/**
 * Rows as text, format `v1`: `GENERATION STEP REFRESH ROUTER JSON`, where JSON has the deadline `d` and the fields. What
 * a later version adds to the fields is kept and passed on. Anybody who can write to a store can write rows, so everything
 * is checked. Times are in the store's clock; `offsetMs` is what it is ahead of ours.
 */
import { parseKey, PAUSE_KEY } from './key';
import { type Fields, Kind, kindOf, type Row } from './row';

export const FORMAT = 'v1';
const MAX_CHARACTERS = 4096;
export const MAX_KEY_CHARACTERS = 64;
const MAX_STEP = 15;
const HEADER = /^(\d{1,16}) (\d{1,2}) (\d{1,9}) ([\w.-]{1,31}) \{/;
/** Fields that are times. 0 means never. */
const TIMES = ['phaseAt', 'armedAt', 'askedAt', 'sessionAt'];
const MOVED = [...TIMES, 'overAt'];

/** Names of groups and routers. */
export function isName(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}$/.test(text);
}

export function encodeRow({ generation, step, refresh, router, deadlineMs, fields }: Row, offsetMs: number): string {
  const d = Math.round(deadlineMs + offsetMs);
  return `${generation} ${step} ${refresh} ${router} ${JSON.stringify({ d, ...moved(fields, offsetMs) })}`;
}

/** The row; why there is none: one line. */
export function decodeRow(key: string, text: string, offsetMs: number): Row | string {
  if (text.length > MAX_CHARACTERS || key.length > MAX_KEY_CHARACTERS) return 'it is too long';
  const header = HEADER.exec(text);
  if (header === null) return 'it is no row of this format';
  const [head, generation, step, refresh, router] = header;
  let json: unknown;
  try {
    json = JSON.parse(text.slice(head.length - 1));
  } catch {
    return 'its fields are no JSON';
  }
  const { d, ...rest } = json as Fields;
  if (!isIn(d, 0, Number.MAX_SAFE_INTEGER)) return 'it has no deadline';
  const fields = moved(rest, -offsetMs);
  const row = {
    ...{ key, generation: Number(generation), step: Number(step), refresh: Number(refresh), router },
    ...{ deadlineMs: d - offsetMs, fields },
  };
  if (!isIn(row.generation, 1, Number.MAX_SAFE_INTEGER - 1) || !isIn(row.step, 1, MAX_STEP)) return 'its step is odd';
  return objection(key, fields) ?? row;
}

/** A copy whose times are moved. */
function moved(fields: Fields, byMs: number): Fields {
  const copy = { ...fields };
  for (const name of MOVED) {
    const time = copy[name];
    if (typeof time === 'number' && time > 0) copy[name] = Math.max(1, Math.round(time + byMs));
  }
  return copy;
}

/** Why a row with these fields cannot be; undefined when it can. Fields of later versions may be anything. */
function objection(key: string, fields: Fields): string | undefined {
  if (key === PAUSE_KEY) return typeof fields.paused === 'boolean' ? undefined : 'paused is neither true nor false';
  if (parseKey(key) === undefined) return 'its key is no entry';
  return kindOf(key) === (Kind.Activation as string)
    ? objectionToActivation(fields)
    : objectionToConnection(key, fields);
}

function objectionToConnection(key: string, fields: Fields): string | undefined {
  if (!isOwner(fields.owner)) return 'its owner is no name';
  if (!isIn(fields.isn, -(2 ** 31), 2 ** 31 - 1)) return 'its ISN is no number';
  if (!isIn(fields.seen, 0, 0x3f) || !isIn(fields.scales, 0, 0xff) || !isIn(fields.head, 0, 7))
    return 'its marks are odd';
  if (kindOf(key) !== (Kind.Request as string)) return undefined;
  if (!isIn(fields.ownPort, 1, 0xffff) || !isIn(fields.tag, 0, 0xffff)) return 'its own port is none';
  if (typeof fields.remapped !== 'boolean') return 'remapped is neither true nor false';
  if (!fields.remapped && !key.endsWith(`/${fields.ownPort}`)) return 'its ports differ';
  return undefined;
}

function objectionToActivation(fields: Fields): string | undefined {
  if (!isIn(fields.phase, 0, 3) || !isIn(fields.grace, 0, 2)) return 'its phase is odd';
  if (fields.phase > 0 ? !isOwner(fields.collector) || fields.collector === 'itms' : fields.collector !== '') {
    return 'its collector is no name';
  }
  if (!isIn(fields.cpePort, 0, 0xffff) || !isIn(fields.port, 0, 0xffff)) return 'its ports are odd';
  const isOver = fields.overAt === undefined || isIn(fields.overAt, 0, Number.MAX_SAFE_INTEGER);
  const isTimed = isOver && TIMES.every((name) => isIn(fields[name], 0, Number.MAX_SAFE_INTEGER));
  return isTimed ? undefined : 'its times are odd';
}

function isOwner(name: unknown): boolean {
  return typeof name === 'string' && isName(name);
}

function isIn(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}

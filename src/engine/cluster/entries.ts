/**
 * The entries of a group's stream: the script by which a store compares, keeps and tells rows in one call, and how its
 * entries are read. Anyone who can write to a store can write entries, so everything is checked.
 */
import { createHash } from 'node:crypto';
import { isName } from '../../cluster/codec';
import { notAStore, type Reply } from './replies';

/**
 * Generations follow the store's clock. A row that is further ahead is nobody's: accepted, it could never be outbid. More than
 * the clocks of two stores differ.
 */
export const MOST_AHEAD_MS = 86_400_000;

/** `GENERATION STEP REFRESH ROUTER`: compare() in row.ts. */
export const WRITE = `
local most = tonumber(redis.call('TIME')[1]) * 1000 + ${MOST_AHEAD_MS}
local function head(text)
  local g, s, f, r = string.match(text, '^(%d+) (%d+) (%d+) (%S+) ')
  if g then return {tonumber(g), tonumber(s), tonumber(f), r} end
end
-- By bytes, as routers do: Lua's own < follows the server's locale.
local function below(one, other)
  for i = 1, math.min(#one, #other) do
    if one:byte(i) ~= other:byte(i) then return one:byte(i) < other:byte(i) end
  end
  return #one < #other
end
local function older(one, other)
  if not other or other[1] > most then return false end
  for i = 1, 3 do
    if one[i] ~= other[i] then return one[i] < other[i] end
  end
  return below(one[4], other[4])
end
local entry = {'p', ARGV[3], 'u', ARGV[4], 'n', ARGV[5], 'h', ARGV[6]}
for i = 2, #KEYS do
  local text, life = ARGV[2 * i + 3], ARGV[2 * i + 4]
  local known = redis.call('GET', KEYS[i])
  -- The same row once more: an earlier call may have got no further than the key.
  if not known or not older(head(text), head(known)) then
    redis.call('SET', KEYS[i], text, 'PX', life)
    entry[#entry + 1] = 'r'
    entry[#entry + 1] = string.sub(KEYS[i], tonumber(ARGV[2])) .. ' ' .. text
  end
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(entry))
return #entry / 2 - 4
`;
export const WRITE_SHA = createHash('sha1').update(WRITE).digest('hex');

/** What each entry of the stream tells of its router. */
export interface Greeting {
  router: string;
  /** Changes with each connection of that router. */
  run: string;
  ready: boolean;
  /** Generation of the last pause or resume that it has carried out. */
  pause: number;
  version: string;
  lagMs: number;
}

/** What an entry says before its rows; undefined for what is none. */
export function readEntry(fields: readonly string[]) {
  const [, router, , run, , numberText, , hello] = fields;
  const number = Number(numberText);
  if (hello === undefined || !isName(router) || !/^[0-9a-f]{1,32}$/.test(run) || !Number.isSafeInteger(number))
    return undefined;
  try {
    const { ready, pause, version } = JSON.parse(hello) as Record<string, unknown>;
    const isVersion = typeof version === 'string' && /^[\w.+-]{1,32}$/.test(version);
    const told = {
      ...{ ready: ready === true, pause: typeof pause === 'number' ? pause : 0 },
      version: isVersion ? version : 'unknown',
    };
    return { router, run, number, told };
  } catch {
    return undefined;
  }
}

/** `[id, fields]` of each entry that XREAD returns for one stream. @throws BrokenStore on another answer */
export function entriesIn(reply: Reply): [id: string, fields: string[]][] {
  if (reply === null) return [];
  if (!Array.isArray(reply) || !Array.isArray(reply[0]) || !Array.isArray(reply[0][1])) throw notAStore();
  return reply[0][1].map((entry) => {
    const [id, fields] = Array.isArray(entry) ? entry : [];
    if (typeof id !== 'string' || !/^\d{1,15}-\d{1,20}$/.test(id)) throw notAStore();
    return [id, Array.isArray(fields) ? fields.map((field) => (typeof field === 'string' ? field : '')) : []];
  });
}

/** `[key, text]` of each row of an entry, behind what it says of its router. */
export function* rowsIn(fields: readonly string[]): Generator<[key: string, text: string]> {
  for (let i = 8; i + 1 < fields.length; i += 2) {
    if (fields[i] !== 'r') continue;
    const space = fields[i + 1].indexOf(' ');
    yield [fields[i + 1].slice(0, space), fields[i + 1].slice(space + 1)];
  }
}

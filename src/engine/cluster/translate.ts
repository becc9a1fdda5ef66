/** Between rows of numbers in the rings and rows of the cluster. */
import { activationKey, connectionKey, type EntryKey, parseKey } from '../../cluster/key';
import { type ActivationFields, type ConnectionFields, Kind, type Row, Step } from '../../cluster/row';
import { type LocalChange } from '../../cluster/rows';
import { Cell, kindWord, type Ring, Table, tableOfKind, Time, What, whatOf, wordsOf } from '../shared/cluster-rings';
import { FIN, RST, Seen } from '../../tables/connection-row';

const ENDS = FIN | RST;
const TABLES = { [Kind.Request]: Table.Requests, [Kind.Activation]: Table.Activated, [Kind.Report]: Table.Reports };

/** A change as the ring tells it. */
export interface ToldChange extends LocalChange {
  isCleared: boolean;
}

/** The row that the ring points to. @param names of the servers by owner id */
export function readChange({ words, times, at, timesAt }: Ring, names: readonly string[]): ToldChange {
  const kind = words[at + Cell.Kind];
  const table = tableOfKind(kind);
  const what = whatOf(kind);
  const cpe = words.slice(at + Cell.Cpe, at + Cell.Cpe + wordsOf(kind));
  const common = {
    step: words[at + Cell.Step],
    begins: words[at + Cell.Begins] === 1,
    isStanding: what === What.Standing,
    isCleared: what === What.Cleared,
    deadlineMs: times[timesAt + Time.Deadline],
    applied: words[at + Cell.Seen],
  };
  const owner = names[words[at + Cell.Owner]] ?? '';
  const ports = words[at + Cell.Ports];
  const state = words[at + Cell.State];
  const isn = words[at + Cell.Isn];
  if (table === Table.Activated) {
    const phase = state & 0xff;
    const fields: ActivationFields = {
      ...{
        collector: phase === 0 ? '' : owner,
        phase,
        grace: (state >>> 8) & 3,
        cpePort: isn >>> 16,
        port: isn & 0xffff,
      },
      ...{ phaseAt: round(times[timesAt + Time.Phase]), armedAt: round(times[timesAt + Time.Armed]) },
      ...{ askedAt: round(times[timesAt + Time.Asked]), sessionAt: round(times[timesAt + Time.Session]) },
    };
    return { ...common, key: activationKey(cpe), fields };
  }
  const marks = words[at + Cell.Marks];
  const fields: ConnectionFields = { owner, isn, seen: state & ENDS, scales: marks & 0xff, head: (marks >>> 8) & 7 };
  if (table === Table.Requests) {
    fields.ownPort = words[at + Cell.OwnPort] & 0xffff;
    fields.tag = words[at + Cell.OwnPort] >>> 16;
    fields.remapped = (state & Seen.Remapped) !== 0;
  }
  const key = connectionKey(table === Table.Reports ? Kind.Report : Kind.Request, cpe, ports >>> 16, ports & 0xffff);
  return { ...common, key, fields };
}

/** Bits of a connection's row. */
function seenOf(step: number, fields: ConnectionFields): number {
  const isAnswered = step >= Step.Confirmed && step <= Step.Closed;
  const remapped = fields.remapped === true ? Seen.Remapped : 0;
  return (fields.seen & ENDS) | (isAnswered ? Seen.Answer : 0) | remapped;
}

/**
 * Writes a row for the tables where the ring points to.
 * @param read changes of ours that are in the rows @param ownerOf id of a server's name, or -1
 */
export function writeRow(
  { words, times, at, timesAt }: Ring,
  row: Row,
  read: number,
  ownerOf: (name: string) => number,
): void {
  const key = parseKey(row.key)!;
  begin(words, at, key, What.Changed);
  words[at + Cell.Seen] = read;
  words[at + Cell.Step] = row.step;
  times.fill(0, timesAt + Time.Deadline, timesAt + Time.Session + 1);
  times[timesAt + Time.Deadline] = row.deadlineMs;
  if (key.kind === Kind.Activation) {
    const fields = row.fields as ActivationFields;
    words[at + Cell.State] = fields.phase | (fields.grace << 8);
    words[at + Cell.Owner] = fields.phase === 0 ? 0 : ownerOf(fields.collector);
    words[at + Cell.Isn] = (fields.cpePort << 16) | fields.port;
    times[timesAt + Time.Phase] = fields.phaseAt;
    times[timesAt + Time.Armed] = fields.armedAt;
    times[timesAt + Time.Asked] = fields.askedAt;
    times[timesAt + Time.Session] = fields.sessionAt;
    return;
  }
  const fields = row.fields as ConnectionFields;
  words[at + Cell.State] = seenOf(row.step, fields);
  words[at + Cell.Owner] = ownerOf(fields.owner);
  words[at + Cell.Isn] = fields.isn;
  words[at + Cell.OwnPort] = ((fields.tag ?? 0) << 16) | (fields.ownPort ?? 0);
  words[at + Cell.Marks] = fields.scales | (fields.head << 8);
}

/** Asks the worker to tell an entry again. False for a row of no entry. */
export function writeQuestion({ words, at }: Ring, row: Row): boolean {
  const key = parseKey(row.key);
  if (key === undefined) return false;
  begin(words, at, key, What.Tell);
  words[at + Cell.Isn] = key.kind === Kind.Activation ? 0 : (row.fields as ConnectionFields).isn;
  return true;
}

function begin(words: Int32Array, at: number, { kind, cpe, cpePort, port }: EntryKey, what: What): void {
  words.fill(0, at, at + 16);
  words[at + Cell.Kind] = kindWord(TABLES[kind], cpe.length, what);
  words[at + Cell.Ports] = (cpePort << 16) | port;
  for (let word = 0; word < cpe.length; word++) words[at + Cell.Cpe + word] = cpe[word];
}

function round(ms: number): number {
  return Math.max(0, Math.round(ms));
}

/** `acsplit tables requests|activated|connections`: the table entries of the running engine. */

import { type CommandModule } from 'yargs';
import { MAX_ENTRIES, type TableAnswer } from '../../engine';
import { TABLES, type TableWord } from '../../splitter/table-list';
import { type ActivationEntry, type ConnectionEntry } from '../../splitter/entries';
import { requireAddress } from '../addresses';
import { asker } from '../ask';
import { Columns } from '../columns';
import { Failure, UsageError } from '../../configuration/errors';
import { engineOptions, type EngineOptions, type GlobalOptions, jsonOption } from '../options';
import { SORT_KEYS, sortEntries, type SortKey } from '../sort-entries';
import { endpoint } from '../trace-text';

interface TablesOptions extends EngineOptions {
  table: TableWord;
  cpe?: string | undefined;
  collector?: string | undefined;
  sort?: SortKey | undefined;
  reverse: boolean;
  limit: number;
  json: boolean;
}

export const tablesCommand: CommandModule<GlobalOptions, TablesOptions> = {
  command: 'tables <table>',
  describe:
    'print the entries of a table: requests (connectionRequests), activated (activatedCpes) or connections (reportConnections)',
  builder: (parser) =>
    parser
      .positional('table', { choices: TABLES.map(({ word }) => word), demandOption: true, describe: 'which table' })
      .options(engineOptions)
      .option('cpe', { type: 'string', requiresArg: true, describe: 'only the entries of this CPE' })
      .option('collector', {
        type: 'string',
        requiresArg: true,
        describe: 'only the entries of this collector, or itms',
      })
      .option('sort', {
        choices: SORT_KEYS,
        requiresArg: true,
        describe: 'by this column, the least first; reads the whole table',
      })
      .option('reverse', { type: 'boolean', default: false, describe: 'with --sort: the greatest first' })
      .option('limit', {
        type: 'number',
        requiresArg: true,
        default: 1000,
        describe: 'print at most this many entries',
      })
      .option('json', jsonOption)
      .example('$0 tables activated', 'which CPEs are armed, and for which collector')
      .example('$0 tables connections --cpe 10.1.0.5', 'the diverted connections of one CPE')
      .example('$0 tables connections --collector c1 --sort idle', 'those of one collector, the busiest first'),
  handler: printTable,
};

async function printTable(options: TablesOptions): Promise<void> {
  const { table, cpe, limit, json } = options;
  if (!Number.isSafeInteger(limit) || limit < 1) throw new UsageError('--limit must be a whole number of 1 or more');
  if (options.reverse && options.sort === undefined) throw new UsageError('--reverse needs --sort');
  const filter = {
    ...(cpe === undefined ? {} : { cpe: requireAddress(cpe) }),
    ...(options.collector === undefined ? {} : { collector: options.collector }),
  };
  if (options.sort !== undefined) return printSorted(options, options.sort, filter);
  const { ask } = asker(options);
  const print = json ? jsonPrinter() : textPrinter(table);
  let count = 0;
  for (let from: number | undefined = 0; from !== undefined;) {
    // Ask for one more than wanted, to know whether there are more.
    const request = { command: 'tables', table, from, limit: Math.min(limit - count + 1, MAX_ENTRIES), ...filter };
    const page = (await ask(request)) as TableAnswer;
    print.entries(page.entries.slice(0, limit - count));
    count += page.entries.length;
    from = page.next;
    if (count <= limit) continue;
    const more = Object.keys(filter).length === 0 ? `the table holds up to ${page.count}` : 'there are more';
    process.stderr.write(`only ${limit} shown, ${more}; raise --limit\n`);
    break;
  }
  print.end();
}

/** All of them must fit into memory. */
const MOST_SORTED = 200_000;

/** @throws Failure when there are too many */
async function printSorted(options: TablesOptions, key: SortKey, filter: object): Promise<void> {
  const { table, limit, json, reverse } = options;
  const { ask } = asker(options);
  const entries: TableAnswer['entries'] = [];
  for (let from: number | undefined = 0; from !== undefined;) {
    const page = (await ask({ command: 'tables', table, from, limit: MAX_ENTRIES, ...filter })) as TableAnswer;
    for (const entry of page.entries) entries.push(entry);
    from = page.next;
    if (entries.length > MOST_SORTED) {
      throw new Failure(`more than ${MOST_SORTED} entries cannot be sorted; select some with --cpe or --collector`);
    }
  }
  sortEntries(entries, key, reverse);
  const print = json ? jsonPrinter() : textPrinter(table);
  print.entries(entries.slice(0, limit));
  print.end();
  if (entries.length > limit) process.stderr.write(`only ${limit} of ${entries.length} shown; raise --limit\n`);
}

/** Prints entries page by page: a table may be too large to hold in memory. */
interface Printer {
  entries(entries: TableAnswer['entries']): void;
  end(): void;
}

/** One array, one entry per line. */
function jsonPrinter(): Printer {
  let separator = '[\n  ';
  return {
    entries: (entries) => {
      for (const entry of entries) {
        process.stdout.write(`${separator}${JSON.stringify(entry)}`);
        separator = ',\n  ';
      }
    },
    end: () => process.stdout.write(separator.startsWith('[') ? '[]\n' : '\n]\n'),
  };
}

function textPrinter(table: TableWord): Printer {
  const isActivated = table === 'activated';
  const columns = new Columns(isActivated ? ACTIVATION_HEADS : CONNECTION_HEADS);
  const format = (entries: TableAnswer['entries']) =>
    columns.format(
      isActivated
        ? (entries as ActivationEntry[]).map(activationCells)
        : (entries as ConnectionEntry[]).map(connectionCells),
    );
  return {
    entries: (entries) => process.stdout.write(format(entries)),
    end: () => undefined,
  };
}

const ACTIVATION_HEADS = ['CPE', 'COLLECTOR', 'PHASE', 'LEFT'];

function activationCells({ cpe, collector, phase, remainingMs }: ActivationEntry): string[] {
  return [cpe, collector || '-', phase, seconds(remainingMs)];
}

const CONNECTION_HEADS = ['CPE', 'ACS PORT', 'SERVER', 'PHASE', 'IDLE', 'LEFT'];

function connectionCells(entry: ConnectionEntry): (string | number)[] {
  const { cpe, cpePort, port, ownPort, owner, phase, idleMs, remainingMs } = entry;
  const server = ownPort === port ? owner : `${owner} (from port ${ownPort})`;
  return [endpoint(cpe, cpePort), port, server, phase, seconds(idleMs), seconds(remainingMs)];
}

function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
}

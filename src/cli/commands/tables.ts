/** `acsplit tables requests|activated|connections`: the table entries of the running engine. */

import { type CommandModule } from 'yargs';
import { MAX_ENTRIES, type TableAnswer } from '../../engine';
import { TABLES, type TableWord } from '../../splitter/table-list';
import { type ActivationEntry, type ConnectionEntry } from '../../splitter/entries';
import { requireAddress } from '../addresses';
import { asker } from '../ask';
import { Columns } from '../columns';
import { UsageError } from '../../configuration/errors';
import { engineOptions, type EngineOptions, type GlobalOptions, jsonOption } from '../options';
import { endpoint } from '../trace-text';

interface TablesOptions extends EngineOptions {
  table: TableWord;
  cpe?: string | undefined;
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
      .option('limit', {
        type: 'number',
        requiresArg: true,
        default: 1000,
        describe: 'print at most this many entries',
      })
      .option('json', jsonOption)
      .example('$0 tables activated', 'which CPEs are armed, and for which collector')
      .example('$0 tables connections --cpe 10.1.0.5', 'the diverted connections of one CPE'),
  handler: printTable,
};

async function printTable(options: TablesOptions): Promise<void> {
  const { table, cpe, limit, json } = options;
  if (!Number.isSafeInteger(limit) || limit < 1) throw new UsageError('--limit must be a whole number of 1 or more');
  const filter = cpe === undefined ? {} : { cpe: requireAddress(cpe) };
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
    const more = cpe === undefined ? `the table holds up to ${page.count}` : 'this CPE has more';
    process.stderr.write(`only ${limit} shown, ${more}; raise --limit\n`);
    break;
  }
  print.end();
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

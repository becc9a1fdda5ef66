/** `acsplit tables requests|activated|connections`: the entries of the running engine. */

import { type CommandModule } from 'yargs';
import { MAX_ENTRIES, type TableAnswer } from '../../engine';
import { TABLES, type TableWord } from '../../splitter/table-list';
import { type ActivationEntry, type ConnectionEntry } from '../../splitter/entries';
import { asker, requireAddress } from '../ask';
import { Columns } from '../columns';
import { loadConfiguration } from '../../configuration/configuration';
import { UsageError } from '../../configuration/errors';
import { type GlobalOptions, jsonOption } from '../options';
import { endpoint } from '../trace-text';

interface TablesOptions extends GlobalOptions {
  table: TableWord;
  cpe?: string | undefined;
  limit: number;
  json: boolean;
}

export const tablesCommand: CommandModule<GlobalOptions, TablesOptions> = {
  command: 'tables <table>',
  describe: 'entries of the running engine: requests (HASH 1), activated (HASH 2), connections (HASH 3)',
  builder: (parser) =>
    parser
      .positional('table', { choices: TABLES.map(({ word }) => word), demandOption: true, describe: 'which table' })
      .option('cpe', { type: 'string', requiresArg: true, describe: 'only the entries of this CPE' })
      .option('limit', { type: 'number', requiresArg: true, default: 1000, describe: 'entries at the most' })
      .option('json', jsonOption)
      .example('$0 tables activated', 'which CPE is whose')
      .example('$0 tables connections --cpe 10.1.0.5', 'the diverted connections of one CPE'),
  handler: printTable,
};

async function printTable({ config, table, cpe, limit, json }: TablesOptions): Promise<void> {
  if (!Number.isSafeInteger(limit) || limit < 1) throw new UsageError(`--limit takes a whole number from 1`);
  const filter = cpe === undefined ? {} : { cpe: requireAddress(cpe) };
  const ask = asker(loadConfiguration(config));
  const print = json ? jsonPrinter() : textPrinter(table);
  let count = 0;
  for (let from: number | undefined = 0; from !== undefined;) {
    // Not what is left alone: one more says whether these were all.
    const request = { command: 'tables', table, from, limit: Math.min(limit - count + 1, MAX_ENTRIES), ...filter };
    const page = (await ask(request)) as TableAnswer;
    print.entries(page.entries.slice(0, limit - count));
    count += page.entries.length;
    from = page.next;
    if (count <= limit) continue;
    const more = cpe === undefined ? `the table holds up to ${page.count}` : 'this CPE has more';
    process.stderr.write(`only ${limit} are shown, ${more}: raise --limit\n`);
    break;
  }
  print.end();
}

/** Takes the entries as they come: a table may be larger than what one wants in memory. */
interface Printer {
  entries(entries: TableAnswer['entries']): void;
  end(): void;
}

/** One array, an entry a line. */
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
  return [cpe, collector, phase, seconds(remainingMs)];
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

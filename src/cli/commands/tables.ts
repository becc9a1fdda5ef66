/** `acsplit tables requests|activated|connections`: the entries of the running engine. */

import { type CommandModule } from 'yargs';
import { MAX_ENTRIES, type TableName, TABLES } from '../../engine/operations';
import { type ActivationEntry, type ConnectionEntry } from '../../splitter/entries';
import { ask, requireAddress } from '../ask';
import { formatColumns } from '../columns';
import { type GlobalOptions, jsonOption } from '../options';

interface TablesOptions extends GlobalOptions {
  table: TableName;
  cpe?: string | undefined;
  json: boolean;
}

export const tablesCommand: CommandModule<GlobalOptions, TablesOptions> = {
  command: 'tables <table>',
  describe: 'entries of the running engine: requests (HASH 1), activated (HASH 2), connections (HASH 3)',
  builder: (parser) =>
    parser
      .positional('table', { choices: TABLES, demandOption: true, describe: 'which table' })
      .option('cpe', { type: 'string', requiresArg: true, describe: 'only the entries of this CPE' })
      .option('json', jsonOption)
      .example('$0 tables activated', 'which CPE is whose')
      .example('$0 tables connections --cpe 10.1.0.5', 'the diverted connections of one CPE'),
  handler: printTable,
};

async function printTable({ config, table, cpe, json }: TablesOptions): Promise<void> {
  const filter = cpe === undefined ? {} : { cpe: requireAddress(cpe) };
  const { entries } = (await ask(config, { command: 'tables', table, ...filter })) as { entries: unknown[] };
  if (json) {
    process.stdout.write(`${JSON.stringify(entries, null, 2)}\n`);
    return;
  }
  const text =
    table === 'activated'
      ? formatActivations(entries as ActivationEntry[])
      : formatConnections(entries as ConnectionEntry[]);
  process.stdout.write(text);
  if (entries.length === MAX_ENTRIES) process.stderr.write(`only the first ${MAX_ENTRIES} entries; ask for one CPE\n`);
}

function formatActivations(entries: ActivationEntry[]): string {
  const rows = entries.map((entry) => [entry.cpe, entry.collector, entry.phase, seconds(entry.remainingMs)]);
  return formatColumns(['CPE', 'COLLECTOR', 'PHASE', 'LEFT'], rows);
}

function formatConnections(entries: ConnectionEntry[]): string {
  const rows = entries.map((entry) => [
    `${entry.cpe}:${entry.cpePort}`,
    entry.port,
    entry.ownPort === entry.port ? entry.owner : `${entry.owner} (from port ${entry.ownPort})`,
    entry.phase,
    seconds(entry.idleMs),
    seconds(entry.remainingMs),
  ]);
  return formatColumns(['CPE', 'ACS PORT', 'SERVER', 'PHASE', 'IDLE', 'LEFT'], rows);
}

function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
}

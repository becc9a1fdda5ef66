/** `acsplit history`: past sessions and events, read from the files; no engine needs to run. */
import { join } from 'node:path';
import { type CommandModule } from 'yargs';
import {
  EVENT_KINDS,
  type EventKind,
  type HistoryEvent,
  readHistory,
  sessionJson,
  type SessionRow,
  type Status,
} from '../../engine';
import { Failure, UsageError } from '../../configuration/errors';
import { formatAddress, parseAddress } from '../../packet/address';
import { requireAddress } from '../addresses';
import { asker } from '../ask';
import { formatHistory, parseTime } from '../history-text';
import { engineOptions, type EngineOptions, type GlobalOptions, jsonOption } from '../options';

interface HistoryOptions extends EngineOptions {
  json: boolean;
  cpe?: string | undefined;
  collector?: string | undefined;
  kind?: (EventKind | 'session')[] | undefined;
  since?: string | undefined;
  until?: string | undefined;
  limit: number;
}

const MAX_LIMIT = 1_000_000;

export const historyCommand: CommandModule<GlobalOptions, HistoryOptions> = {
  command: 'history',
  describe: 'show past sessions, and what operators, servers and the engine did meanwhile',
  builder: (parser) =>
    parser
      .options(engineOptions)
      .option('json', jsonOption)
      .option('cpe', { type: 'string', requiresArg: true, describe: 'only what concerns this CPE' })
      .option('collector', { type: 'string', requiresArg: true, describe: 'only what concerns this collector' })
      .option('kind', {
        array: true,
        requiresArg: true,
        choices: ['session', ...EVENT_KINDS] as const,
        describe: 'only this; may be given several times',
      })
      .option('since', {
        type: 'string',
        requiresArg: true,
        describe: 'from then on: 15m, 2h, 3d ago, or 2026-11-30T22:00Z',
      })
      .option('until', { type: 'string', requiresArg: true, describe: 'up to then, in the same form' })
      .option('limit', { type: 'number', requiresArg: true, default: 1000, describe: 'the newest so many sessions' })
      .example('$0 history --cpe 10.1.0.5', 'every session of one CPE that is kept')
      .example('$0 history --kind operator --since 1d', 'who paused, resumed, activated')
      .example('$0 history --since 2h --json', 'for scripts'),
  handler: printHistory,
};

async function printHistory(options: HistoryOptions): Promise<void> {
  const { json, limit } = options;
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT)) {
    throw new UsageError(`--limit: expected a number of sessions from 1 to ${MAX_LIMIT}`);
  }
  const cpe = options.cpe === undefined ? undefined : parseAddress(requireAddress(options.cpe));
  const nowMs = Date.now();
  const search = {
    cpe,
    sinceMs: timeOf('since', options.since, nowMs),
    untilMs: timeOf('until', options.until, nowMs),
  };
  const directory = await directoryOf(options);
  const newest = new Newest(limit);
  const events: HistoryEvent[] = [];
  const { damaged } = read(directory, search, newest, events, options);
  const sessions = newest.inOrder();
  const shown = events.sort((a, b) => a.timeMs - b.timeMs);
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ sessions: sessions.map(sessionJson), events: shown, damaged }, null, 2)}\n`,
    );
  } else {
    process.stdout.write(formatHistory(sessions, shown));
  }
  if (newest.seen > sessions.length) {
    process.stderr.write(
      `acsplit: the newest ${sessions.length} of ${newest.seen} sessions; see --limit, --since, --cpe\n`,
    );
  }
  if (damaged > 0) process.stderr.write(`acsplit: ${damaged} damaged pieces of the history were left out\n`);
}

function read(
  directory: string,
  search: { cpe: Int32Array | undefined; sinceMs: number | undefined; untilMs: number | undefined },
  newest: Newest,
  events: HistoryEvent[],
  { collector, kind }: HistoryOptions,
): { damaged: number } {
  const isWanted = (one: EventKind | 'session') => kind === undefined || kind.includes(one);
  const cpe = search.cpe && formatAddress(search.cpe);

  try {
    return readHistory(
      { directory, ...search },
      {
        sessions: (row) => {
          if (isWanted('session') && (collector === undefined || row.collector === collector)) newest.add(row);
        },
        // What concerns all CPEs or servers would only be in the way.
        events: (event) => {
          const isOfCpe = cpe === undefined || event.cpe === cpe;
          const isOfCollector = collector === undefined || [event.collector, event.server].includes(collector);
          if (isWanted(event.kind) && isOfCpe && isOfCollector) events.push(event);
        },
      },
    );
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new Failure(`no history is in ${directory} yet: the engine writes it once it runs`);
    if (code === 'EACCES') throw new Failure(`permission denied at ${directory}; run as root`);
    throw new Failure(`the history in ${directory} cannot be read: ${message}`, { cause: error });
  }
}

/** Where the configuration says, or else where the engine says. @throws Failure when no history is kept */
async function directoryOf(options: HistoryOptions): Promise<string> {
  const { ask, configuration } = asker(options);
  if (configuration?.history) return join(configuration.history.directory, configuration.name);
  if (configuration) throw new Failure(`no history is kept: ${options.config} has no history; see docs/operations.md`);
  const { history } = (await ask({ command: 'status' })) as Status;
  if (history.state === 'off') throw new Failure('this engine keeps no history: its configuration has none');
  return history.directory;
}

function timeOf(option: string, word: string | undefined, nowMs: number): number | undefined {
  if (word === undefined) return undefined;
  const timeMs = parseTime(word, nowMs);
  if (timeMs === undefined) {
    throw new UsageError(
      `--${option}: "${word}" is neither a time such as 2026-11-30T22:00Z nor one such as 15m, 2h or 3d ago`,
    );
  }
  return timeMs;
}

/** The newest sessions of any number. */
class Newest {
  seen = 0;
  private rows: SessionRow[] = [];

  constructor(private readonly limit: number) {}

  add(row: SessionRow): void {
    this.seen++;
    this.rows.push(row);
    if (this.rows.length >= 2 * this.limit + 1000) this.rows = this.inOrder();
  }

  /** The oldest first. */
  inOrder(): SessionRow[] {
    return this.rows.sort((one, other) => one.endedMs - other.endedMs).slice(-this.limit);
  }
}

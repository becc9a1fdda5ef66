/** The page, put together from what the supervisor has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TraceAnswer } from '../control/operations';
import { readFiles } from '../page/files';
import { HistorySearch } from '../page/history-search';
import { Page } from '../page/page';
import { type LastHour } from '../report/last-hour';
import { type Status } from '../report/status';
import { type Answers } from '../shared/control-request';
import { type EngineLog } from '../shared/engine-log';
import { type Parts } from './told';
import { SEARCH_MAIN, WORKER_BOOT, type WorkerProgram } from './worker-program';

export function makePage(
  parts: Pick<Parts, 'options' | 'state'>,
  program: WorkerProgram,
  commands: Answers<'status' | 'hour' | 'events'>,
): Page {
  const { metrics, history, name, recentLog, log } = parts.options;
  const directory = history && join(history.directory, name);
  return new Page({
    files: readFiles(),
    token: metrics.tokenFile === undefined ? undefined : readToken(metrics.tokenFile, log),
    status: () => commands.status({ command: 'status' }) as Status,
    hour: () => commands.hour({ command: 'hour' }) as LastHour['answer'],
    log: () => recentLog?.lines ?? [],
    events: (since) => commands.events({ command: 'events', since }) as TraceAnswer,
    look: () => parts.state.asOfNow(),
    onCollectorDown: () => parts.options.onCollectorDown,
    history: new HistorySearch({ boot: WORKER_BOOT, main: SEARCH_MAIN, ...program }, directory),
  });
}

/** Short tokens can be guessed. */
const LEAST_CHARACTERS = 16;

/** Null, with a log line, when there is none to compare with: then nobody may see names. */
function readToken(path: string, log: EngineLog): string | null {
  const refuse = (why: string): null => {
    log.warn({ event: 'metrics-unavailable', tokenFile: path }, `the page shows no names: ${path} ${why}`);
    return null;
  };
  try {
    const token = readFileSync(path, 'utf8').trim();
    return token.length >= LEAST_CHARACTERS ? token : refuse(`holds fewer than ${LEAST_CHARACTERS} characters`);
  } catch (error) {
    return refuse(`cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

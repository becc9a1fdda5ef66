/** `acsplit trace`: live, one line an event: armed, diverted, closed, contended, remapped, engine restarted. */

import { setTimeout as pause } from 'node:timers/promises';
import { type CommandModule } from 'yargs';
import { type TraceAnswer, type TraceEvent } from '../../engine/operations';
import { ask, requireAddress } from '../ask';
import { Failure } from '../errors';
import { type GlobalOptions, jsonOption } from '../options';
import { formatTraceEvent } from '../trace-text';

interface TraceOptions extends GlobalOptions {
  cpe?: string | undefined;
  json: boolean;
}

/** The ring of events holds 4096: at this pace it takes 16 000 events a second to outrun us. */
const POLL_MS = 250;

export const traceCommand: CommandModule<GlobalOptions, TraceOptions> = {
  command: 'trace',
  describe: 'what happens to activations and sessions, live, one line an event; Ctrl-C ends it',
  builder: (parser) =>
    parser
      .option('cpe', { type: 'string', requiresArg: true, describe: 'only the events of this CPE' })
      .option('json', jsonOption)
      .example('$0 trace', 'armed (and by what), diverted, closed, contended, remapped')
      .example('$0 trace --cpe 10.1.0.5', 'of one CPE'),
  handler: follow,
};

async function follow({ config, cpe, json }: TraceOptions): Promise<void> {
  const only = cpe === undefined ? undefined : requireAddress(cpe);
  let answer = (await ask(config, { command: 'events' })) as TraceAnswer;
  process.stderr.write('tracing; Ctrl-C ends\n');
  let isGone = false;
  for (;;) {
    await pause(POLL_MS);
    const news = await askAgain(config, answer);
    if (news === undefined) {
      if (!isGone) process.stderr.write('no engine answers; waiting for one\n');
      isGone = true;
      continue;
    }
    isGone = false;
    answer = news;
    if (answer.missed > 0) process.stderr.write(`${answer.missed} events came too fast to be shown\n`);
    const startedMs = Date.now() - answer.nowMs;
    for (const event of answer.events) {
      if (only === undefined || event.cpe === only) print(event, startedMs, json);
    }
  }
}

/** The answer since the last one; undefined while no engine runs, whose restart is then told. */
async function askAgain(config: string, before: TraceAnswer): Promise<TraceAnswer | undefined> {
  try {
    const answer = (await ask(config, { command: 'events', since: before.next })) as TraceAnswer;
    if (answer.engine === before.engine) return answer;
    process.stderr.write('engine restarted\n');
    return (await ask(config, { command: 'events', since: 0 })) as TraceAnswer;
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

/** @param startedMs what the wall clock said at the engine's time 0 */
function print(event: TraceEvent, startedMs: number, json: boolean): void {
  const time = new Date(startedMs + event.timeMs);
  process.stdout.write(json ? `${JSON.stringify({ ...event, time })}\n` : `${formatTraceEvent(event, time)}\n`);
}

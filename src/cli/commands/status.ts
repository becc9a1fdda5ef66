/** `acsplit status`: tables, verdicts by reason and queues, once or live with `--watch`. */

import { type CommandModule } from 'yargs';
import { type Status } from '../../engine';
import { asker } from '../ask';
import { UsageError } from '../../configuration/errors';
import { engineOptions, type EngineOptions, type GlobalOptions, jsonOption } from '../options';
import { formatStatus } from '../status-text';
import { watch } from '../watch/watch';

interface StatusOptions extends EngineOptions {
  json: boolean;
  watch: boolean;
  interval: number;
}

const MIN_INTERVAL_SECONDS = 0.1;
const MAX_INTERVAL_SECONDS = 3600;

export const statusCommand: CommandModule<GlobalOptions, StatusOptions> = {
  command: 'status',
  describe: 'show tables, verdicts by reason, queue depth and losses of the running engine',
  builder: (parser) =>
    parser
      .options(engineOptions)
      .option('json', jsonOption)
      .option('watch', {
        alias: 'w',
        type: 'boolean',
        default: false,
        describe: 'live, with rates; q ends it, ? shows the keys',
      })
      .option('interval', {
        type: 'number',
        requiresArg: true,
        default: 1,
        describe: 'seconds between two updates of --watch',
      })
      .example('$0 status', 'for people')
      .example('$0 status --watch', 'live; in a pipe, one line per update')
      .example('$0 status --json | jq .packets.byReason', 'for scripts'),
  handler: printStatus,
};

async function printStatus(options: StatusOptions): Promise<void> {
  const { json, watch: isWatching, interval } = options;
  if (!(interval >= MIN_INTERVAL_SECONDS && interval <= MAX_INTERVAL_SECONDS)) {
    throw new UsageError(`--interval: expected seconds from ${MIN_INTERVAL_SECONDS} to ${MAX_INTERVAL_SECONDS}`);
  }
  const { ask } = asker(options);
  const look = async () => (await ask({ command: 'status' })) as Status;
  if (isWatching) return watch({ intervalMs: interval * 1000, json, ask: look });
  const status = await look();
  process.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : formatStatus(status));
}

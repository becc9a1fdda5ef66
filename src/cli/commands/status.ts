/** `acsplit status`: tables, verdicts by reason, queues. */

import { type CommandModule } from 'yargs';
import { type Status } from '../../engine/status';
import { ask } from '../ask';
import { type GlobalOptions, jsonOption } from '../options';
import { formatStatus } from '../status-text';

interface StatusOptions extends GlobalOptions {
  json: boolean;
}

export const statusCommand: CommandModule<GlobalOptions, StatusOptions> = {
  command: 'status',
  describe: 'tables, verdicts by reason, queue depth and losses of the running engine',
  builder: (parser) =>
    parser
      .option('json', jsonOption)
      .example('$0 status', 'for people')
      .example('$0 status --json | jq .packets.byReason', 'for scripts'),
  handler: printStatus,
};

async function printStatus({ config, json }: StatusOptions): Promise<void> {
  const status = (await ask(config, { command: 'status' })) as Status;
  process.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : formatStatus(status));
}

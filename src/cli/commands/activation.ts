/** `acsplit activate`, `deactivate`, `pause`, `resume`: an operator's commands to a running engine. */

import { type CommandModule } from 'yargs';
import { type ActivateAnswer, NoEngineError } from '../../engine';
import { type Ask, asker } from '../ask';
import { readAddresses } from '../addresses';
import { loginName } from '../login';
import { engineOptions, type EngineOptions, type GlobalOptions } from '../options';
import { Failure } from '../../configuration/errors';

interface HereOptions extends EngineOptions {
  here: boolean;
}

interface AddressOptions extends HereOptions {
  address: string;
}

/** Without it, the act is one of all routers of the cluster. */
const hereOption = {
  here: { type: 'boolean', default: false, describe: 'on this router alone, not on all of its cluster' },
} as const;

/** What the engine adds where it belongs to a cluster. */
interface Confirmation {
  confirmed: string[];
  missing: string[];
  stores: number;
}

interface ActivateOptions extends AddressOptions {
  collector: string;
}

const addressArgument = {
  type: 'string',
  demandOption: true,
  describe: 'the CPE; - reads addresses from standard input, separated by blanks or line ends',
} as const;

export const activateCommand: CommandModule<GlobalOptions, ActivateOptions> = {
  command: 'activate <address>',
  describe: 'divert the next session of a CPE to a collector',
  builder: (parser) =>
    parser
      .positional('address', addressArgument)
      .options(engineOptions)
      .options(hereOption)
      .option('collector', { type: 'string', requiresArg: true, demandOption: true, describe: 'its name' })
      .example('$0 activate 10.1.0.5 --collector c1', 'as if c1 had just woken 10.1.0.5')
      .example('$0 activate - --collector c1 < cpes.txt', 'every CPE in a file'),
  handler: async (options) => {
    const { collector, here } = options;
    await forEachAddress(options, async (ask, cpe) =>
      formatActivated(
        cpe,
        (await ask({ command: 'activate', cpe, collector, here, login: loginName() })) as ActivateAnswer,
      ),
    );
  },
};

/** Tells where the next session will really go. */
function formatActivated(address: string, { collector, activation, paused }: ActivateAnswer): string {
  const toItms = `the next session of ${address} goes to the ITMS`;
  if (paused) return `armed for ${collector}, but the engine is paused: ${toItms}; to divert again: acsplit resume`;
  if (activation === 'off') return `armed for ${collector}, but activation is off: ${toItms} and is only counted`;
  return `the next session of ${address} goes to ${collector}`;
}

export const deactivateCommand: CommandModule<GlobalOptions, AddressOptions> = {
  command: 'deactivate <address>',
  describe: 'send the next session of a CPE to the ITMS',
  builder: (parser) =>
    parser
      .positional('address', addressArgument)
      .options(engineOptions)
      .options(hereOption)
      .example('$0 deactivate 10.1.0.5', 'whichever collector has woken it')
      .example('$0 deactivate - < cpes.txt', 'every CPE in a file'),
  handler: (options) =>
    forEachAddress(options, async (ask, cpe) => {
      const { ended } = (await ask({ command: 'deactivate', cpe, here: options.here, login: loginName() })) as {
        ended: boolean;
      };
      return ended ? `the next session of ${cpe} goes to the ITMS` : `${cpe} was not activated: nothing to do`;
    }),
};

/** Commands in flight at once; the control socket takes 32 connections. */
const AT_ONCE = 8;

/**
 * Prints one line for each address. A refused address is reported and does not stop the others.
 * @throws UsageError before anything is done if an address is mistyped; Failure if the engine refused one
 */
async function forEachAddress(
  options: AddressOptions,
  command: (ask: Ask, cpe: string) => Promise<string>,
): Promise<void> {
  const addresses = await readAddresses(options.address);
  const { ask } = asker(options);
  let refused = 0;
  // The first one alone: it finds the engine.
  const batches = [addresses.slice(0, 1), ...chunks(addresses.slice(1), AT_ONCE)];
  for (const batch of batches) {
    const results = await Promise.allSettled(batch.map((cpe) => command(ask, cpe)));
    for (const result of results) {
      if (result.status === 'fulfilled') {
        process.stdout.write(`${result.value}\n`);
        continue;
      }
      const error: unknown = result.reason;
      const isRefusal = error instanceof Failure && !(error.cause instanceof NoEngineError);
      if (addresses.length === 1 || !isRefusal) throw error;
      process.stderr.write(`acsplit: ${error.message}\n`);
      refused++;
    }
  }
  if (refused > 0) throw new Failure(`${refused} of ${addresses.length} addresses were refused`);
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

interface PauseAnswer {
  was: boolean;
  cluster?: Confirmation;
}

async function askAll(options: HereOptions, command: 'pause' | 'resume'): Promise<PauseAnswer> {
  return (await asker(options).ask({ command, here: options.here, login: loginName() })) as PauseAnswer;
}

/** Which routers have done the same. */
export function confirmationText(cluster: Confirmation | undefined): string {
  if (!cluster) return '';
  const { confirmed, missing, stores } = cluster;
  if (stores === 0) return 'no store can be reached: on this router alone; repeat it on the others\n';
  const done = confirmed.length > 0 ? `so did ${confirmed.join(', ')}` : 'no other router has confirmed';
  return missing.length === 0 ? `${done}\n` : `${done}; not confirmed yet by ${missing.join(', ')}\n`;
}

export const pauseCommand: CommandModule<GlobalOptions, HereOptions> = {
  command: 'pause',
  describe: 'stop diverting new sessions at once; running sessions stay where they are',
  builder: (parser) =>
    parser
      .options(engineOptions)
      .options(hereOption)
      .example('$0 pause', 'every new session goes to the ITMS')
      .example('$0 pause --instance north', 'of several engines, the one named north'),
  handler: async (options) => {
    const { was, cluster } = await askAll(options, 'pause');
    process.stdout.write(was ? 'already paused\n' : 'paused: every new session goes to the ITMS\n');
    process.stdout.write(confirmationText(cluster));
  },
};

export const resumeCommand: CommandModule<GlobalOptions, HereOptions> = {
  command: 'resume',
  describe: 'divert sessions again after a pause',
  builder: (parser) =>
    parser.options(engineOptions).options(hereOption).example('$0 resume', 'woken CPEs are diverted again'),
  handler: async (options) => {
    const { was, cluster } = await askAll(options, 'resume');
    process.stdout.write(was ? 'resumed: woken CPEs are diverted again\n' : 'was not paused\n');
    process.stdout.write(confirmationText(cluster));
  },
};

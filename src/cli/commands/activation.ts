/** `acsplit activate`, `deactivate`, `pause`, `resume`: an operator's commands to a running engine. */

import { type CommandModule } from 'yargs';
import { type ActivateAnswer } from '../../engine';
import { ask, requireAddress } from '../ask';
import { type GlobalOptions } from '../options';

interface AddressOptions extends GlobalOptions {
  address: string;
}

interface ActivateOptions extends AddressOptions {
  collector: string;
}

export const activateCommand: CommandModule<GlobalOptions, ActivateOptions> = {
  command: 'activate <address>',
  describe: 'divert the next session of a CPE to a collector',
  builder: (parser) =>
    parser
      .positional('address', { type: 'string', demandOption: true, describe: 'the CPE' })
      .option('collector', { type: 'string', requiresArg: true, demandOption: true, describe: 'its name' })
      .example('$0 activate 10.1.0.5 --collector c1', 'as if c1 had just woken 10.1.0.5'),
  handler: async ({ config, address, collector }) => {
    const request = { command: 'activate', cpe: requireAddress(address), collector };
    process.stdout.write(`${formatActivated(address, (await ask(config, request)) as ActivateAnswer)}\n`);
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
      .positional('address', { type: 'string', demandOption: true, describe: 'the CPE' })
      .example('$0 deactivate 10.1.0.5', 'whichever collector has woken it'),
  handler: async ({ config, address }) => {
    const cpe = requireAddress(address);
    const { ended } = (await ask(config, { command: 'deactivate', cpe })) as { ended: boolean };
    process.stdout.write(
      ended ? `the next session of ${address} goes to the ITMS\n` : `${address} was not activated: nothing to do\n`,
    );
  },
};

export const pauseCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'pause',
  describe: 'stop diverting new sessions at once; running sessions stay where they are',
  builder: (parser) => parser.example('$0 pause', 'every new session goes to the ITMS'),
  handler: async ({ config }) => {
    const { was } = (await ask(config, { command: 'pause' })) as { was: boolean };
    process.stdout.write(was ? 'already paused\n' : 'paused: every new session goes to the ITMS\n');
  },
};

export const resumeCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'resume',
  describe: 'divert sessions again after a pause',
  builder: (parser) => parser.example('$0 resume', 'woken CPEs are diverted again'),
  handler: async ({ config }) => {
    const { was } = (await ask(config, { command: 'resume' })) as { was: boolean };
    process.stdout.write(was ? 'resumed: woken CPEs are diverted again\n' : 'was not paused\n');
  },
};

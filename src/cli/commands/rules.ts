/** `acsplit rules show | install | remove | check`: the iptables rules. */

import { type CommandModule } from 'yargs';
import {
  acsElsewhere,
  checkRules,
  DEFAULT_INSTANCE,
  describeDone,
  describeElsewhere,
  describeQueues,
  type Difference,
  installedInstances,
  installRules,
  removeRules,
  renderRules,
  RulesError,
} from '../../steering/iptables';
import { prepareFastPath, removeFastPath } from '../../steering/fast-path';
import { askEngine, controlSocketPath, listEngines } from '../../engine';
import { type Family } from '../../packet/address';
import { families } from '../../splitter/topology';
import { type Configuration, loadConfiguration, steeringOf } from '../../configuration/configuration';
import { requireServersElsewhere } from '../../configuration/own-addresses';
import { Failure, UsageError } from '../../configuration/errors';
import { withFile } from '../../doctor/command-line';
import { type GlobalOptions, jsonOption } from '../options';
import { printable } from '../printable';

/** An engine that does not answer must not hold up the check. */
const TELL_TIMEOUT_MS = 2000;

interface DataOptions extends GlobalOptions {
  json: boolean;
}

interface ShowOptions extends DataOptions {
  family: number | undefined;
}

export const rulesCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'rules',
  describe: 'the iptables rules that steer traffic to the engine: show, install, remove, check',
  builder: (parser) =>
    parser
      .command(showCommand)
      .command(installCommand)
      .command(removeCommand)
      .command(checkCommand)
      .demandCommand(1, 1, 'which one? acsplit rules show, install, remove or check')
      .example('$0 rules show', 'read what would be installed')
      .example('$0 rules install', 'install the rules in chains of their own (ACSPLIT-*)')
      .example('$0 rules check', 'are the rules installed, and does nothing interfere?')
      .example('$0 rules remove', 'remove them again'),
  handler: () => {},
};

const showCommand: CommandModule<GlobalOptions, ShowOptions> = {
  command: 'show',
  describe: 'print the rules as text for iptables-restore or ip6tables-restore',
  builder: (parser) =>
    parser
      .option('family', {
        choices: [4, 6],
        type: 'number',
        describe: 'IPv4 or IPv6  [default: 4, or 6 where no IPv4 address is configured]',
      })
      .option('json', jsonOption)
      .example('$0 rules show', 'with a comment on each group of rules')
      .example('$0 rules show --family 6 | ip6tables-restore --noflush --test', 'would this host accept them?'),
  handler: ({ config, family, json }) =>
    inWords(config, () => {
      const configuration = loadConfiguration(config);
      const { topology } = configuration;
      const shown = family === undefined ? families(topology)[0] : family === 4 ? 'ipv4' : 'ipv6';
      const text = renderRules(topology, steeringOf(configuration), shown);
      process.stdout.write(json ? `${JSON.stringify({ family: digitOf(shown), rules: text }, null, 2)}\n` : text);
    }),
};

const installCommand: CommandModule<GlobalOptions, GlobalOptions> = {
  command: 'install',
  describe: 'install the rules for every configured family, or update older ones; needs root',
  builder: (parser) =>
    parser.example('$0 rules install', 'before or after starting the engine; until it runs, onEngineDown applies'),
  handler: async ({ config }) => {
    const configuration = loadConfiguration(config);
    inWords(config, () => {
      requireServersElsewhere(configuration.topology);
      const done = installRules(configuration.topology, steeringOf(configuration));
      if (configuration.fastPath !== 'off') prepareFastPath(configuration.name, configuration.stateDirectory);
      process.stdout.write(`installed: ${describeDone(done)}\n`);
    });
    warnOfOtherQueues(configuration);
    await warnOfStandby(configuration);
  },
};

/** The engine that runs was started with another `queue.first`: it sees nothing of what these rules steer. */
function warnOfOtherQueues({ name, queue: { first } }: Configuration): void {
  const engine = listEngines().find((one) => one.name === name);
  if (engine === undefined || engine.firstQueue === first) return;
  const has = `the running engine (pid ${engine.pid}) has ${describeQueues(engine.firstQueue)}`;
  process.stderr.write(`acsplit: ${has}, these rules steer to ${describeQueues(first)}: restart the engine\n`);
}

/** The rules steer only where the ACS address is. */
async function warnOfStandby({ topology }: Configuration): Promise<void> {
  const addresses = await acsElsewhere(topology);
  if (addresses.length === 0) return;
  const what = `${describeElsewhere(addresses)}: these rules steer nothing for now (normal on a standby router)`;
  process.stderr.write(`acsplit: ${what}\n`);
}

interface RemoveOptions extends GlobalOptions {
  instance: string | undefined;
}

const removeCommand: CommandModule<GlobalOptions, RemoveOptions> = {
  command: 'remove',
  describe: 'remove all rules of an instance, IPv4 and IPv6; needs root but no configuration',
  builder: (parser) =>
    parser
      .option('instance', {
        type: 'string',
        requiresArg: true,
        describe: "name of the instance  [default: the configuration's]",
      })
      .example('$0 rules remove', "the host's own rules stay as they are")
      .example('$0 rules remove --instance north', 'with no configuration file'),
  handler: ({ config, instance }) =>
    inWords(config, () => {
      const chosen = instance ?? instanceIn(config);
      // First: without the rules, what it carries would go on.
      const filters = removeFastPath(chosen, stateDirectoryOf(chosen, config));
      const done = removeRules(undefined, chosen);
      const more = filters === 0 ? '' : `, and the fast path from ${filters} interface${filters === 1 ? '' : 's'}`;
      if (done.rules + done.sets + filters > 0) process.stdout.write(`removed: ${describeDone(done)}${more}\n`);
      else process.stdout.write(`nothing to remove${othersThan(chosen)}\n`);
    }),
};

/** Without a configuration: the only instance that has rules here. Never another one's by mistake. */
function instanceIn(config: string): string {
  try {
    return loadConfiguration(config).name;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const [only = DEFAULT_INSTANCE, ...others] = installedInstances();
    if (others.length === 0) return only;
    const which = `rules of ${[only, ...others].join(', ')} are installed: choose with --instance NAME`;
    throw new UsageError(`${error.message}; ${which}`, { cause: error });
  }
}

function othersThan(instance: string): string {
  const names = installedInstances();
  const whose = instance === DEFAULT_INSTANCE ? '' : ` of instance ${instance}`;
  return names.length === 0
    ? whose
    : `${whose}; rules of ${names.join(', ')} are installed: choose with --instance NAME`;
}

/** Where the instance's engine keeps its pins: the running one's, or as configured; undefined where neither is known. */
function stateDirectoryOf(instance: string, config: string): string | undefined {
  const running = listEngines().find(({ name }) => name === instance);
  if (running !== undefined) return running.stateDirectory;
  try {
    const configuration = loadConfiguration(config);
    return configuration.name === instance ? configuration.stateDirectory : undefined;
  } catch {
    // The command needs no configuration.
    return undefined;
  }
}

const checkCommand: CommandModule<GlobalOptions, DataOptions> = {
  command: 'check',
  describe: 'compare the live rules with the configuration; exit status 1 if anything differs or interferes',
  builder: (parser) =>
    parser
      .option('json', jsonOption)
      .example('$0 rules check', 'one line per difference, with the remedy')
      .example('$0 rules check --json | jq length', 'for scripts'),
  handler: async ({ config, json }) => {
    const configuration = loadConfiguration(config);
    let found: string[] = [];
    inWords(config, () => (found = printCheck(configuration, json)));
    await tellEngine(configuration, found);
  },
};

/** The engine has it in its metrics. None runs, or an older one: that is no fault of the rules. */
async function tellEngine({ stateDirectory }: Configuration, found: readonly string[]): Promise<void> {
  const request = { command: 'rules', differences: found.length, ...(found.length > 0 && { first: found[0] }) };
  await askEngine(controlSocketPath(stateDirectory), request, TELL_TIMEOUT_MS).catch(() => undefined);
}

/** What differs, in words. */
function printCheck(configuration: Configuration, json: boolean): string[] {
  // Drops by a set, a rate or a mark are the operator's own policy for some packets. doctor warns of them.
  const all = checkRules(configuration.topology, steeringOf(configuration)).filter(({ kind }) => kind !== 'mayDrop');
  const differences = all.map((found) => ({ ...found, message: withFile(found.message, configuration) }));
  if (json) process.stdout.write(`${JSON.stringify(differences.map(inDigits), null, 2)}\n`);
  else for (const { message } of differences) process.stdout.write(`${printable(message)}\n`);
  if (differences.length > 0) {
    process.exitCode = 1;
  } else if (!json) {
    process.stdout.write('the rules are installed as configured, and no other rule interferes\n');
  }
  return differences.map(({ message }) => message);
}

/** The command line and its JSON name the families by number. */
function digitOf(family: Family): 4 | 6 {
  return family === 'ipv4' ? 4 : 6;
}

function inDigits({ family, kind, table, chain, rule, message }: Difference): object {
  return { family: digitOf(family), kind, table, chain, rule, message };
}

/** Turns an error of src/steering/iptables into a failure of the command, so that it is printed as one line. */
function inWords(file: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    throw error instanceof RulesError ? new Failure(withFile(error.message, { file }), { cause: error }) : error;
  }
}

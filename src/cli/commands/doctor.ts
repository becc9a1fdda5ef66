/** `acsplit doctor`: checks everything this host needs, one line per check. */

import { type CommandModule } from 'yargs';
import { resolve } from 'node:path';
import { type Configuration, loadConfiguration } from '../../configuration/configuration';
import { UsageError } from '../../configuration/errors';
import { CHECKS, type Diagnosis, diagnose } from '../../doctor/checks';
import { diagnoseBroken } from '../../doctor/configuration';
import { LIVE_HOST } from '../../doctor/host';
import { listEngines } from '../../engine';
import { startedWith } from '../find-engine';
import { countOf, formatDiagnosis } from '../doctor-text';
import { type GlobalOptions, jsonOption } from '../options';
import { choosePaint, plain } from '../watch/style';

interface DoctorOptions extends GlobalOptions {
  json: boolean;
  quiet: boolean;
}

export const doctorCommand: CommandModule<GlobalOptions, DoctorOptions> = {
  command: 'doctor',
  describe: 'check everything this host needs, and print the command that fixes each fault; changes nothing',
  builder: (parser) =>
    parser
      .option('json', jsonOption)
      .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'only failures and warnings' })
      .example('$0 doctor', 'failures first; exit status 1 if there is one')
      .example('$0 doctor --quiet', 'only what is wrong')
      .example(`$0 doctor --json | jq -r '.findings[].mend // empty'`, 'the commands that fix what it found'),
  handler: async ({ config, debug, json, quiet }) => {
    const onError = (error: unknown) => {
      if (debug && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
    };
    const diagnosis = await diagnoseFile(config, onError);
    const { isTTY, columns } = process.stdout;
    const paint = isTTY ? choosePaint(process.env) : plain;
    const text = { paint, columns: isTTY ? columns : undefined, isQuiet: quiet };
    process.stdout.write(json ? `${JSON.stringify(asJson(diagnosis), null, 2)}\n` : formatDiagnosis(diagnosis, text));
    if (countOf(diagnosis, 'failure') > 0) process.exitCode = 1;
  },
};

/** A configuration that is refused is a finding: the only one, because all other checks depend on it. */
async function diagnoseFile(config: string, onError: (error: unknown) => void): Promise<Diagnosis> {
  let configuration: Configuration;
  try {
    configuration = loadConfiguration(config);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const [engine] = startedWith(config, listEngines());
    const also = engine === undefined ? '' : `; the engine that was started with it still runs (pid ${engine.pid})`;
    return diagnoseBroken(resolve(config), `${error.message}${also}`, CHECKS);
  }
  return diagnose(LIVE_HOST, configuration, CHECKS, onError);
}

function asJson(diagnosis: Diagnosis) {
  const failures = countOf(diagnosis, 'failure');
  return { ok: failures === 0, failures, warnings: countOf(diagnosis, 'warning'), ...diagnosis };
}

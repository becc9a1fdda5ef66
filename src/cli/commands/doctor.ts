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
import { type GlobalOptions, jsonOption } from '../options';

interface DoctorOptions extends GlobalOptions {
  json: boolean;
}

export const doctorCommand: CommandModule<GlobalOptions, DoctorOptions> = {
  command: 'doctor',
  describe: 'check everything this host needs, and print the command that fixes each fault; changes nothing',
  builder: (parser) =>
    parser
      .option('json', jsonOption)
      .example('$0 doctor', 'one line per check; exit status 1 on a failure')
      .example(`$0 doctor --json | jq -r '.findings[].mend // empty'`, 'the commands that fix what it found'),
  handler: async ({ config, debug, json }) => {
    const onError = (error: unknown) => {
      if (debug && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
    };
    const diagnosis = await diagnoseFile(config, onError);
    process.stdout.write(json ? `${JSON.stringify(asJson(diagnosis), null, 2)}\n` : asText(diagnosis));
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

function countOf({ findings }: Diagnosis, level: string): number {
  return findings.filter((finding) => finding.level === level).length;
}

function asJson(diagnosis: Diagnosis) {
  const failures = countOf(diagnosis, 'failure');
  return { ok: failures === 0, failures, warnings: countOf(diagnosis, 'warning'), ...diagnosis };
}

function asText(diagnosis: Diagnosis): string {
  const rows = diagnosis.findings.map(({ check, level, message, mend }) => {
    const line = mend === null ? message : `${message}; fix it: ${mend}`;
    return [level, check, line];
  });
  const width = Math.max(...rows.map(([, check]) => check.length));
  const lines = rows.map(
    ([level, check, line]) => `${level.padEnd('failure'.length)}  ${check.padEnd(width)}  ${line}`,
  );
  const left = diagnosis.omitted.map(({ check, until }) => `${check} (after ${until})`);
  const failures = countOf(diagnosis, 'failure');
  const warnings = countOf(diagnosis, 'warning');
  const sum = [
    `${failures} failure${failures === 1 ? '' : 's'}`,
    `${warnings} warning${warnings === 1 ? '' : 's'}`,
    ...(left.length === 0 ? [] : [`skipped: ${left.join(', ')}`]),
  ];
  return `${lines.join('\n')}\n${sum.join(', ')}\n`;
}

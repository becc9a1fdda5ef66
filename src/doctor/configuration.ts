/** The configuration file itself, and that its servers are not on this host. */

import { type Configuration } from '../configuration/configuration';
import { serversOnThisHost } from '../configuration/own-addresses';
import { type Check } from './check';
import { type Diagnosis } from './checks';
import { edit } from './command-line';
import { askIp } from './ask-ip';

export const configuration: Check<string[]> = {
  name: 'configuration',
  look: (host) =>
    (askIp<{ addr_info: { local: string }[] }[]>(host, ['address', 'show']) ?? []).flatMap(({ addr_info: list }) =>
      list.map(({ local }) => local),
    ),
  judge: (own, wanted) =>
    serversOnThisHost(wanted.topology, new Set(own)).map((says) => ({ level: 'failure', says, mend: edit(wanted) })),
  fine: (_, { file }: Configuration) => `${file} is valid`,
};

/** Without a configuration there is one finding, and every other check waits for it. */
export function diagnoseBroken(file: string, message: string, checks: readonly { name: string }[]): Diagnosis {
  const { name } = configuration;
  return {
    findings: [{ check: name, level: 'failure', message, mend: edit({ file }) }],
    omitted: checks.filter((check) => check.name !== name).map((check) => ({ check: check.name, until: name })),
  };
}

/** Connections of CPEs to a server's own address, in every state, family and back end, alone and beside firewalls. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BACK_ENDS } from '../e2e/support/back-end';
import { type DirectRow, ENGINE_STATES, measureDirect } from '../e2e/support/direct';
import type { Proof } from './proof';
import { byResult, type Run } from './rows';
import { ROOT } from './programs';

const RECORDED = join(ROOT, 'test/e2e/firewalls');
const FAMILIES = ['ipv4', 'ipv6'] as const;

/** Lets the CPEs open connections to elsewhere, as an operator tells each firewall: by default all of them forward nothing. */
const PERMISSION: Readonly<Record<string, (program: string) => string>> = {
  ufw: (program) => `${program} -A ${program === 'ip6tables' ? 'ufw6' : 'ufw'}-user-forward -i eth0 -j ACCEPT`,
  docker: (program) =>
    [
      `${program} -I DOCKER-USER -i eth0 -j ACCEPT`,
      `${program} -I DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    ].join(' && '),
  'firewalld-iptables': (program) => `${program} -A FORWARD_direct -i eth0 -j ACCEPT`,
  'firewalld-nftables': () => `nft 'insert rule inet firewalld filter_FORWARD_ZONES iifname "eth0" accept'`,
};

/** Rules of firewalls as they were recorded, for this family. */
function firewalls(family: 'ipv4' | 'ipv6'): { name: string; line?: string }[] {
  const suffix = family === 'ipv4' ? '.v4' : '.v6';
  const program = family === 'ipv4' ? 'iptables' : 'ip6tables';
  const files = readdirSync(RECORDED).filter((file) => file.endsWith(suffix));
  const loads: [name: string, load: string][] = [
    ...files.map((file): [string, string] => [file.replace(suffix, ''), `${program}-restore ${join(RECORDED, file)}`]),
    ['firewalld-nftables', `nft -f ${join(RECORDED, 'firewalld.nft')}`],
  ];
  const recorded = loads.map(([name, load]) => ({ name, line: `${load} && ${PERMISSION[name]!(program)}` }));
  return [{ name: 'no firewall' }, ...recorded];
}

export const direct: Proof = {
  name: 'direct',
  shows: 'what CPEs open to a server’s own address works as without us, in every state of the engine',
  takes: '15 minutes, root',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'direct' },
  smallest: { tests: ['test/e2e/rules-direct.test.ts'] },
  full: async (say) => {
    const failures: string[] = [];
    const runs: Run[] = [];
    for (const family of FAMILIES) {
      for (const backEnd of BACK_ENDS) {
        for (const { name, line } of firewalls(family)) {
          const options = { family, backEnd, states: ENGINE_STATES, mebibytes: 100 };
          const rows = await measureDirect(line === undefined ? options : { ...options, firewall: line });
          const wrong = rows.filter(({ got }) => got !== 'ok');
          const where = `${family}, iptables-${backEnd}, ${name}`;
          failures.push(...wrong.map((row) => `${where}: ${describe(row)}`));
          for (const state of ENGINE_STATES.filter((state) => state !== 'without us')) {
            const all = rows.filter((row) => row.state === state);
            const right = all.filter(({ got }) => got === 'ok').length;
            const at = [`${family} ${line === undefined ? 'alone' : `beside ${name}`}`, `iptables-${backEnd}`, state];
            runs.push({ at, result: `${right} of ${all.length} right` });
          }
          say(`${where}: ${rows.length - wrong.length} of ${rows.length}`);
        }
      }
    }
    return { failures, text: byResult(runs) };
  },
};

function describe({ state, server, what, got }: DirectRow): string {
  return `engine ${state}, ${server}, ${what}: ${got}`;
}

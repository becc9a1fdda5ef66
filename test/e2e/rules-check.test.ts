/** `acsplit rules check` against live rules: it names each rule that a test deletes, reorders or shadows. */

import { parseConfiguration, steeringOf } from '../../src/configuration/configuration';
import { checkRules, type Difference, installRules } from '../../src/steering/iptables';
import { BACK_ENDS, RulesHost } from './support/rules-host';

jest.setTimeout(180_000);

const CHAIN_TABLES = ['filter', 'raw', 'mangle'];

describe.each(BACK_ENDS)('with iptables-%s', (backEnd) => {
  let host: RulesHost;

  beforeAll(async () => {
    host = await RulesHost.create(backEnd, { cpes: ['10.1.1.1'] });
  });
  afterAll(() => host?.close());
  beforeEach(() => {
    for (const table of CHAIN_TABLES) host.restore(`*${table}\n-F\nCOMMIT\n`);
    install();
    whole = host.must(['iptables-save']);
  });

  let whole: string;
  /** As installed: what `install` would mend, in one command. */
  const reset = () => host.must(['iptables-restore', '-w', '10'], whole);
  const configuration = () => parseConfiguration(host.configurationText, 'test');
  const install = () => installRules(configuration().topology, steeringOf(configuration()), host.system);
  const check = () => checkRules(configuration().topology, steeringOf(configuration()), host.system);

  /** Every live rule: `table` and the line as iptables-save prints it. */
  const liveRules = () =>
    host
      .savedRules()
      .split(/^(?=\*)/m)
      .flatMap((text) =>
        (text.match(/^-A .*$/gm) ?? []).map((line) => ({ table: text.split('\n')[0].slice(1), line })),
      );

  /** One rule of each chain of ours: the unit tests take every one. */
  const samples = () => {
    const inOurs = liveRules().filter(({ line }) => line.startsWith('-A ACSPLIT-'));
    const seen = new Set<string>();
    return inOurs.filter(({ table, line }) => {
      const key = `${table} ${line.split(' ')[1]}`;
      return !seen.has(key) && seen.add(key);
    });
  };

  const change = (table: string, ...lines: string[]) => host.restore(`*${table}\n${lines.join('\n')}\nCOMMIT\n`);
  const naming = (difference: Partial<Difference>) => [expect.objectContaining(difference)];

  it('the installed rules give no message', () => {
    expect(liveRules().length).toBeGreaterThan(20);
    expect(check()).toEqual([]);
  });

  it('a deleted rule is named, and installing again mends it', () => {
    const mended = new Set<string>();
    for (const { table, line } of samples()) {
      change(table, line.replace('-A', '-D'));
      const [, chain, rule] = /^-A (\S+) (.*)$/.exec(line)!;
      expect(check()).toEqual(naming({ kind: 'missing', table: table as Difference['table'], chain, rule }));
      if (mended.has(table)) {
        reset();
        continue;
      }
      mended.add(table);
      install();
      expect(check()).toEqual([]);
    }
    expect(check()).toEqual([]);
  });

  it('a rule that was moved to its chain’s beginning or end is named', () => {
    for (const { table, line } of samples()) {
      for (const back of ['-I', '-A']) {
        const before = host.savedRules();
        change(table, line.replace('-A', '-D'), line.replace('-A', back));
        if (host.savedRules() === before) continue;
        const found = check();
        expect(found).not.toEqual([]);
        for (const { kind } of found) expect(kind).toBe('reordered');
        reset();
      }
    }
    expect(check()).toEqual([]);
  });

  it('a rule that another shadows is named, and so is the other', () => {
    for (const { table, line } of samples()) {
      const [, chain, rule] = /^-A (\S+) (.*)$/.exec(line)!;
      const protocol = /ERR|OWN/.test(chain) ? 'icmp' : 'tcp';
      const shadow = rule
        .replace(/ ?-p \S+/, '')
        .replace(/-[jg] .*$/, `-p ${protocol} -j ACCEPT`)
        .replace(/^.*-m (tcp|multiport|socket) .*(?=-p)/, '');
      change(table, `-I ${chain} ${shadow}`);
      const found = check().filter(({ kind }) => kind === 'shadows');
      expect(found.map(({ message }) => message)).toEqual([expect.stringContaining(`"${rule}"`)]);
      expect(found[0].message).toContain('not one of our rules');
      reset();
    }
    expect(check()).toEqual([]);
  });

  it('a jump of ours that comes too late is reported with the rule before it', () => {
    for (const { table, line } of liveRules().filter((r) => /-j ACSPLIT/.test(r.line) && !/^-A ACSPLIT/.test(r.line))) {
      const chain = line.split(' ')[1];
      // Our accepts for ICMP errors are as good as anybody's before them.
      if (table === 'filter' && line.includes('-p icmp')) continue;
      const accept = /-p \S+/.exec(line)![0] + ' -j ACCEPT';
      change(table, `-I ${chain} ${accept}`);
      const found = check();
      expect(found).toEqual(naming({ kind: 'shadows', chain, rule: accept }));
      expect(found[0].message).toContain(line.slice(`-A ${chain} `.length));
      change(table, `-D ${chain} ${accept}`);
    }
    expect(check()).toEqual([]);
  });

  it('a clamp behind our queues is named, and installing again puts ours behind it', () => {
    change('mangle', '-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu');
    expect(check()).toEqual(naming({ kind: 'skipped', table: 'mangle', chain: 'FORWARD' }));
    install();
    expect(check()).toEqual([]);
  });

  it('rules of ours in the other back end are named with the line that deletes them there', () => {
    const other = BACK_ENDS.find((name) => name !== backEnd);
    host.must([`iptables-${other}-restore`, '--noflush'], host.rules('show').stdout);
    const found = check();
    expect(found.map(({ kind, table }) => `${kind} ${table}`).sort()).toEqual([
      'duplicate filter',
      'duplicate mangle',
      'duplicate nat',
      'duplicate raw',
    ]);
    host.must(['sh', '-c', found[0].message.split('delete them there: ')[1]]);
    expect(check()).toEqual([]);
  });

  it('the command says it in lines, in JSON and by its exit status', () => {
    expect(host.rulesProgram('check')).toMatchObject({ status: 0, stderr: '' });
    change('mangle', '-D ACSPLIT-TO-CPE -s 10.2.0.2/32 -i eth1 -j NFQUEUE --queue-num 1');
    const what = 'mangle ACSPLIT-TO-CPE: missing "-s 10.2.0.2/32 -i eth1 -j NFQUEUE --queue-num 1"';
    const line = `${what}; run: acsplit rules install -c ${host.configuration}`;
    expect(host.rulesProgram('check')).toEqual(expect.objectContaining({ status: 1, stdout: `${line}\n`, stderr: '' }));
    const json = host.rulesProgram('check', '--json');
    expect(json.status).toBe(1);
    expect(JSON.parse(json.stdout)).toEqual([
      {
        kind: 'missing',
        family: 4,
        table: 'mangle',
        chain: 'ACSPLIT-TO-CPE',
        rule: '-s 10.2.0.2/32 -i eth1 -j NFQUEUE --queue-num 1',
        message: line,
      },
    ]);
    expect(host.rules('install')).toMatchObject({ status: 0 });
    expect(JSON.parse(host.rules('check', '--json').stdout)).toEqual([]);
  });
});

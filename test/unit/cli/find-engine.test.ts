/** Which engine a command talks to, and that none is asked by mistake. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findByFile, findEngine, type KnownEngine } from '../../../src/cli/find-engine';
import { Failure, UsageError } from '../../../src/configuration/errors';

const YAML = `
cpe: { interface: eth0, address: 10.1.0.1, networks: [10.1.0.0/16] }
itms: { interface: eth1, address: 10.2.0.2 }
collectors: [{ name: c1, interface: eth2, address: 10.3.0.2 }]
reportPorts: [7547]
stateDirectory: /run/other
`;

let directory: string;
const at = (name: string) => join(directory, name);

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'acsplit-find-'));
  mkdirSync(at('state'));
  writeFileSync(at('good.yaml'), YAML);
  writeFileSync(at('broken.yaml'), `${YAML}reportPort: [1]\n`);
  symlinkSync('broken.yaml', at('link.yaml'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const engine = (name: string, file: string, pid = 70): KnownEngine => ({
  ...{ pid, name, file: at(file) },
  socket: at(`${name}-${pid}.sock`),
});
const find = (words: { config?: string; socket?: string; instance?: string }, engines: KnownEngine[]) =>
  findEngine({ ...words, config: at(words.config ?? 'good.yaml'), debug: false }, () => engines);

/** The refusal's message and exit code. */
function refusal(act: () => unknown): { message: string; exitCode: number } {
  try {
    act();
  } catch (error) {
    if (error instanceof Failure || error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('not refused');
}

describe('by the configuration', () => {
  test('a good file names the socket, whatever runs', () => {
    const found = find({}, [engine('default', 'good.yaml')]);
    expect(found).toMatchObject({ socket: '/run/other/control.sock', configuration: { name: 'default' } });
    expect(found.note).toBeUndefined();
  });

  const rows: [what: string, asked: string, noted: string][] = [
    ['broken', 'broken.yaml', 'broken.yaml'],
    ['broken, by a link to it', 'link.yaml', 'broken.yaml'],
    ['broken, started by a link to it', 'broken.yaml', 'link.yaml'],
    ['gone', 'gone.yaml', 'gone.yaml'],
    ['a directory', 'state', 'state'],
  ];
  test.each(rows)(
    '%s: the engine that was started with this very file is asked, and one line says so',
    (_, asked, noted) => {
      const own = engine('default', noted);
      const found = find({ config: asked }, [engine('north', 'good.yaml', 71), own]);
      expect(found).toMatchObject({ socket: own.socket });
      expect(found.note).toMatch(/; asking the engine that was started with this file \(default, pid 70\)$/);
      expect(found.note).toContain(at(asked));
    },
  );

  test('broken, and no engine was started with it: refused, exit 2, and the running ones are listed', () => {
    const { message, exitCode } = refusal(() => find({ config: 'broken.yaml' }, [engine('north', 'good.yaml')]));
    expect(message).toMatch(
      /unknown key "reportPort"; did you mean "reportPorts"\?; no running engine was started with/,
    );
    expect(message).toContain(`running: north (pid 70, socket ${at('north-70.sock')}, file ${at('good.yaml')})`);
    expect(exitCode).toBe(2);
  });

  test('broken, and nothing runs', () => {
    expect(refusal(() => find({ config: 'broken.yaml' }, [])).message).toMatch(/; no engine runs on this host$/);
  });

  test('broken, and two engines were started with it: neither is asked', () => {
    const twins = [engine('a', 'broken.yaml', 1), engine('b', 'broken.yaml', 2)];
    const { message } = refusal(() => find({ config: 'broken.yaml' }, twins));
    expect(message).toMatch(/several running engines were started with this file; running: a \(pid 1, .*, b \(pid 2, /);
    expect(message).toMatch(/choose one with --socket PATH or --instance NAME$/);
  });
});

describe('nobody listens on the socket of a valid configuration', () => {
  const cause = new Error('nobody listens at /run/other/control.sock');
  const other = (engines: KnownEngine[]) => findByFile(at('good.yaml'), cause, () => engines);

  test('the engine that was started with this file before it was changed', () => {
    const own = engine('default', 'good.yaml');
    expect(other([own, engine('north', 'broken.yaml')])).toEqual({
      socket: own.socket,
      note: `${cause.message}; asking the engine that was started with this file (default, pid 70)`,
    });
  });

  test('none: refused, and the running ones are listed', () => {
    const { message, exitCode } = refusal(() => other([engine('north', 'broken.yaml')]));
    expect(message).toMatch(/^nobody listens at .*; running: north \(pid 70, /);
    expect(exitCode).toBe(1);
  });

  test('nothing runs: there is nothing to list', () => expect(refusal(() => other([])).message).toBe(cause.message));
});

describe('by name or socket, without a look at the configuration', () => {
  const engines = () => [engine('north', 'gone.yaml', 1), engine('south', 'gone.yaml', 2)];

  test('--socket', () => {
    expect(find({ config: 'gone.yaml', socket: '/run/x.sock' }, engines())).toEqual({ socket: '/run/x.sock' });
  });

  test('--instance', () => {
    expect(find({ config: 'gone.yaml', instance: 'south' }, engines())).toEqual({ socket: at('south-2.sock') });
  });

  test('--instance of none: refused, and the running ones are listed', () => {
    const { message } = refusal(() => find({ instance: 'east' }, engines()));
    expect(message).toMatch(/^no engine named "east" runs on this host; running: north \(pid 1, .*south \(pid 2/);
  });

  test('--instance of two: neither is asked', () => {
    const { message } = refusal(() => find({ instance: 'north' }, [...engines(), engine('north', 'good.yaml', 3)]));
    expect(message).toMatch(/^several engines are named "north"; choose one with --socket PATH; running: /);
  });

  test('both', () => {
    expect(refusal(() => find({ socket: '/x', instance: 'north' }, engines()))).toMatchObject({
      exitCode: 2,
      message: 'use either --socket or --instance, not both',
    });
  });
});

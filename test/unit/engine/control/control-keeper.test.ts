/** The control socket stays reachable, whatever happens to its path. */
import { mkdtempSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { askEngine } from '../../../../src/engine/control/ask';
import { serveControl } from '../../../../src/engine/control/control';
import { type KeptControl, keepControl } from '../../../../src/engine/control/control-keeper';
import { eventually } from '../../../e2e/support/run-host';

const LOOKS_MS = 5;
const COMMANDS = { status: () => ({ pid: 4711 }) };
/** One that we may give a file to: any as root, else one that we are in. */
const GROUP = process.getuid!() === 0 ? 1 : process.getgroups!().at(-1)!;

let directory: string;
let path: string;
let kept: KeptControl;
let lines: [level: string, event: unknown, message: string][];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'acsplit-kept-'));
  path = join(directory, 'state', 'control.sock');
  lines = [];
  const note = (level: string) => (fields: object, message: string) =>
    void lines.push([level, (fields as { event?: unknown }).event, message]);
  const log = { info: note('info'), warn: note('warn'), error: note('error') };
  kept = await keepControl({ path, commands: COMMANDS, group: String(GROUP), log }, LOOKS_MS);
});
afterEach(async () => {
  await kept.close();
  rmSync(directory, { recursive: true });
});

const answer = () => askEngine(path, { command: 'status' }).catch(() => undefined);
const restored = () => eventually('an answer', answer);

const losses: [string, () => void][] = [
  ['socket is removed', () => unlinkSync(path)],
  ['state directory is removed', () => rmSync(dirname(path), { recursive: true })],
  ['state directory is moved away', () => renameSync(dirname(path), join(directory, 'elsewhere'))],
];
test.each(losses)('its %s: it is there again, for the same group, and the log says so once', async (_, lose) => {
  expect(await answer()).toEqual({ pid: 4711 });
  lose();
  expect(await restored()).toEqual({ pid: 4711 });
  expect(statSync(path)).toMatchObject({ gid: GROUP });
  expect(statSync(path).mode & 0o777).toBe(0o660);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o711);
  expect(lines).toEqual([['warn', 'control-socket', 'control socket missing: created again']]);

  unlinkSync(path);
  await restored();
  expect(lines).toHaveLength(2);
});

test('something is in its place: left alone, said once, and done when that is gone', async () => {
  unlinkSync(path);
  writeFileSync(path, 'mine');
  await eventually('the complaint', () => lines[0]);
  await new Promise((resolve) => setTimeout(resolve, 5 * LOOKS_MS));
  expect(statSync(path).size).toBe(4);
  const complaint = `no command reaches this engine: ${path} is in the way and is no socket; remove it`;
  expect(lines).toEqual([['error', 'control-socket', complaint]]);
  unlinkSync(path);
  await restored();
  expect(lines.slice(1)).toEqual([['warn', 'control-socket', 'control socket missing: created again']]);
});

test('another engine has the path: it keeps it', async () => {
  unlinkSync(path);
  // Within one turn of the event loop, so that this one does not look in between.
  const other = await serveControl(path, { status: () => ({ pid: 7 }) });
  await eventually('the complaint', () => lines[0]);
  expect(lines[0]).toEqual(['error', 'control-socket', expect.stringMatching(/already running \(pid 7\)/)]);
  expect(await answer()).toEqual({ pid: 7 });
  await other.close();
  expect(await restored()).toEqual({ pid: 4711 });
});

test('closed, it does not come back', async () => {
  await kept.close();
  await new Promise((resolve) => setTimeout(resolve, 5 * LOOKS_MS));
  expect(await answer()).toBeUndefined();
  expect(lines).toEqual([]);
});

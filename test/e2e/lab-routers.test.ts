/** `acsplit lab --two-routers`: its story with real keepalived and redis-server. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DIST } from './support/stage';

jest.setTimeout(120_000);

const LAB = [join(DIST, 'cli', 'main.js'), 'lab', '--two-routers'];

function lab(...words: string[]) {
  const { pid, status, stdout, stderr } = spawnSync(process.execPath, [...LAB, ...words], { encoding: 'utf8' });
  return { pid, status, stdout, stderr };
}

test('a switch in the middle of a diverted download: every claim true, nothing left behind', () => {
  const { pid, status, stdout, stderr } = lab('--json');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const { cameTrue, claims } = JSON.parse(stdout) as { cameTrue: boolean; claims: { scene: number }[] };
  expect(cameTrue).toBe(true);
  expect(new Set(claims.map(({ scene }) => scene))).toEqual(new Set([1, 2, 3, 4, 5]));
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`acsplit-${pid}-`))).toEqual([]);
  expect(spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout).not.toContain(`acsplit-${pid}-`);
});

test('with --stay: one line, exit 2', () => {
  const { status, stderr } = lab('--stay');
  expect({ status, lines: stderr.trim().split('\n').length }).toEqual({ status: 2, lines: 1 });
});

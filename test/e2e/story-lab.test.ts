/** `acsplit lab`, the command: its verdict, and that it leaves nothing behind, however it ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute } from '../../src/lab/namespaces';
import { DIST } from './support/stage';

const LAB = [join(DIST, 'cli', 'main.js'), 'lab'];

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** What a lab with this process id has left on the machine. */
async function leftovers(pid: number): Promise<string[]> {
  const prefix = `acsplit-${pid}-`;
  const namespaces = (await execute(['ip', 'netns', 'list'])).split('\n');
  return [...namespaces, ...readdirSync(tmpdir())].filter((name) => name.startsWith(prefix));
}

function lab(...words: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [...LAB, ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout!.on('data', (chunk: Buffer) => out.push(chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => err.push(chunk.toString()));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout: out.join(''), stderr: err.join('') }));
  });
  return { child, ended };
}

/** Resolves once the lab has printed this. */
function printed(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes(text)) resolve();
    });
    child.once('close', () => reject(new Error(`ended without printing "${text}": ${said}`)));
  });
}

describe('acsplit lab', () => {
  it('plays the story to its good end: exit 0, every claim true, nothing left behind', async () => {
    const { child, ended } = lab('--json');
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const told = JSON.parse(stdout) as { cameTrue: boolean; claims: { scene: number; true: boolean }[] };
    expect(told.cameTrue).toBe(true);
    expect(told.claims.filter((claim) => !claim.true)).toEqual([]);
    expect(new Set(told.claims.map(({ scene }) => scene))).toEqual(new Set([1, 2, 3, 4, 5, 6]));
    expect(await leftovers(child.pid as number)).toEqual([]);
  });

  it('stays open with --stay until told to quit, and wakes CPEs on command', async () => {
    const { child, ended } = lab('--stay');
    await printed(child, 'The lab stays open');
    child.stdin!.write('wake 10.1.0.42\nwake 10.1.0.43\n');
    await printed(child, 'collection server   "6 CONNECTION REQUEST"');
    expect(await leftovers(child.pid as number)).not.toEqual([]);
    child.stdin!.write('quit\n');
    const { code, stdout } = await ended;
    expect(code).toBe(0);
    expect(stdout).toContain('collection server ──▶ 10.1.0.42   200');
    expect(stdout).toContain('no such CPE: 10.1.0.43; there are 10.1.0.17, 10.1.0.42');
    expect(await leftovers(child.pid as number)).toEqual([]);
  });

  it('a signal in the middle of the story ends it cleanly, with the code that shells expect', async () => {
    const { child, ended } = lab();
    await printed(child, 'informs');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, stderr: '' });
    expect(await leftovers(child.pid as number)).toEqual([]);
  });

  it('what a killed lab leaves behind stops by itself, and the next one removes it', async () => {
    const { child, ended } = lab();
    const pid = child.pid as number;
    await printed(child, 'engine running there');
    child.kill('SIGKILL');
    await ended;
    // The kernel tells engine and actors that their lab died. (Another world's start may already have tidied up.)
    for (const name of await leftovers(pid)) await emptied(name.split(' ')[0] as string);
    const { child: next, ended: nextEnded } = lab();
    await printed(next, 'four network namespaces');
    next.kill('SIGTERM');
    expect(await nextEnded).toMatchObject({ code: 143 });
    expect(await leftovers(pid)).toEqual([]);
  });

  it('--stay and --json exclude each other: one line, exit 2', async () => {
    const { code, stdout, stderr } = await lab('--stay', '--json').ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^acsplit: lab: use either --stay or --json, not both\n$/);
  });
});

/** Waits until no program runs in a namespace any more, or it is gone itself. */
async function emptied(namespace: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  const pids = (): Promise<string> => execute(['ip', 'netns', 'pids', namespace]).catch(() => '');
  while ((await pids()).trim() !== '') {
    if (Date.now() > deadline) throw new Error(`programs still run in ${namespace}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

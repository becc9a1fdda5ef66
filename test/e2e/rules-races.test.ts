/**
 * install, remove, check and the timer's line at the same time: one after the other, so that afterwards the rules stand
 * whole or not at all, and every exit status is true. ACSPLIT_RACES=200: as often, by `npm run prove races`.
 */
import { type ChildProcess } from 'node:child_process';
import { delimiter } from 'node:path';
import { cli } from '../../src/lab/engine';
import { RulesHost } from './support/rules-host';

const ROUNDS = Number(process.env.ACSPLIT_RACES ?? 4);
jest.setTimeout(60_000 + ROUNDS * 30_000);

interface Ended {
  words: string;
  status: number | null;
  stderr: string;
}

let host: RulesHost;
beforeAll(async () => {
  host = await RulesHost.create('nft', { cpes: ['10.1.1.1'] });
});
afterAll(() => host?.close());

function start(...words: string[]): Promise<Ended> {
  const path = [host.binaries, process.env.PATH ?? ''].join(delimiter);
  const argv = ['env', `PATH=${path}`, ...words];
  const child: ChildProcess = host.world.start('split', argv);
  let stderr = '';
  child.stdout!.resume();
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => child.once('close', (status) => resolve({ words: words.join(' '), status, stderr })));
}

const rules = (...words: string[]) => cli(host.world, 'rules', ...words, '-c', host.configuration);

test(`${ROUNDS} races leave the rules whole, or none`, async () => {
  const none = host.state();
  expect(host.rules('install').status).toBe(0);
  const whole = host.state();
  let installedLast = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const [check, install] = [rules('check').join(' '), rules('install').join(' ')];
    const timer = ['sh', '-c', `${check} > /dev/null || ${install}`];
    const commands = [rules('install'), rules('remove'), timer, rules('install'), rules('remove'), rules('check')];
    const ended = await Promise.all(commands.map((words) => start(...words)));
    for (const { words, status, stderr } of ended) {
      expect([words, status, stderr]).toEqual([words, words.includes('rules check -c') ? expect.any(Number) : 0, '']);
    }
    const after = host.state();
    expect([none, whole]).toContain(after);
    installedLast += Number(after === whole);
    expect(host.rules('check').status).toBe(after === whole ? 0 : 1);
  }
  console.log(`${ROUNDS} races: ${installedLast} times installed, ${ROUNDS - installedLast} times removed`);
});

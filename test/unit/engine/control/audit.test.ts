/** Who commands: what stands in log and history of each act. */
import { type Act, audited } from '../../../../src/engine/control/audit';

function audit(answer: () => Promise<unknown> = () => Promise.resolve({ paused: true })) {
  const kept: Act[] = [];
  const lines: string[] = [];
  const write = (level: string) => (fields: object, message: string) =>
    lines.push(`${level} ${(fields as { event: string }).event}: ${message}`);
  const log = { info: write('info'), warn: write('warn'), error: write('error') };
  const peerOf = (descriptor: number) => {
    if (descriptor !== 7) throw new Error('EBADF');
    return { pid: 812, uid: 1000 };
  };
  return { kept, lines, commands: audited({ act: answer, peerOf, keep: (act) => void kept.push(act), log }) };
}

test('an act has its command, its CPE, and who did it: uid and pid by the kernel, the login as claimed', async () => {
  const { kept, lines, commands } = audit();
  const request = { command: 'activate', cpe: '10.1.0.5', collector: 'c1', login: 'anna' };
  await expect(commands.activate(request, 7)).resolves.toEqual({ paused: true });
  expect(kept).toEqual([
    { ...{ command: 'activate', cpe: '10.1.0.5', collector: 'c1' }, ...{ uid: 1000, pid: 812, login: 'anna' } },
  ]);
  expect(lines).toEqual(['info operator: activate 10.1.0.5 c1, by anna (uid 1000, pid 812)']);
});

test('what was refused is told as well, and the caller hears it', async () => {
  const { kept, lines, commands } = audit(() => Promise.reject(new Error('no worker answers')));
  await expect(commands.pause({ command: 'pause', login: 'anna' }, 7)).rejects.toThrow('no worker answers');
  expect(kept).toEqual([{ command: 'pause', uid: 1000, pid: 812, login: 'anna', refused: 'no worker answers' }]);
  expect(lines).toEqual(['warn operator: pause, by anna (uid 1000, pid 812), refused: no worker answers']);
});

test.each<[string, unknown]>([
  ['none', undefined],
  ['a number', 5],
  ['one that paints', '\x1b[31mroot'],
  ['one that breaks lines', 'anna\nroot'],
  ['one without end', 'a'.repeat(65)],
])('a login that is %s is unknown; a caller who has hung up is nobody', async (_, login) => {
  const { kept, commands } = audit();
  await commands.resume({ command: 'resume', login, cpe: 'x\x1b', collector: {} }, undefined);
  await commands.resume({ command: 'resume', login }, 8);
  expect(kept).toEqual(Array(2).fill({ command: 'resume', uid: -1, pid: 0, login: 'unknown' }));
});

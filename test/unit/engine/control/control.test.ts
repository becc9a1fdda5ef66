/** The control socket: one line in, one line out; no client can block it or take it away. */
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askEngine, NoEngineError } from '../../../../src/engine/control/ask';
import { type ControlServer, serveControl } from '../../../../src/engine/control/control';
import { EngineError } from '../../../../src/engine/shared/engine-error';

const COMMANDS = {
  status: () => Promise.resolve({ pid: 4711 }),
  echo: (request: object) => request,
  fail: () => {
    throw new Error('not today');
  },
};

let directory: string;
let path: string;
let server: ControlServer | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'acsplit-control-'));
  path = join(directory, 'state', 'control.sock');
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(directory, { recursive: true, force: true });
});

/** Writes raw bytes and gives everything that comes back until the end. */
function speak(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path, () => socket.end(bytes));
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

test('a request is answered, and its own fields reach the command', async () => {
  server = await serveControl(path, COMMANDS);
  expect(await askEngine(path, { command: 'echo', cpe: '10.1.0.9' })).toEqual({ command: 'echo', cpe: '10.1.0.9' });
});

test('a command is carried out once, though its asker then hangs up', async () => {
  let count = 0;
  server = await serveControl(path, { count: () => ++count });
  expect(await askEngine(path, { command: 'count' })).toBe(1);
  expect(await speak('{"command":"count"}\n')).toBe('{"ok":true,"result":2}\n');
  expect(count).toBe(2);
});

test('the socket is for owner and group; others cannot look into its directory', async () => {
  server = await serveControl(path, COMMANDS);
  expect(statSync(path)).toMatchObject({ uid: process.getuid!(), gid: process.getgid!() });
  expect(statSync(path).mode & 0o777).toBe(0o660);
  expect(statSync(join(directory, 'state')).mode & 0o777).toBe(0o711);
});

test('the group is the one that is named; one that is not there is refused, and nothing is left', async () => {
  // One that we may give a file to: any as root, else one that we are in.
  const group = process.getuid!() === 0 ? 1 : process.getgroups!().at(-1)!;
  server = await serveControl(path, COMMANDS, String(group));
  expect(statSync(path)).toMatchObject({ uid: process.getuid!(), gid: group });
  expect(statSync(path).mode & 0o777).toBe(0o660);
  await server.close();
  server = undefined;
  await expect(serveControl(path, COMMANDS, 'no-such-group')).rejects.toThrow(
    'controlGroup: this host has no group "no-such-group"; make one with: groupadd --system no-such-group',
  );
  expect(existsSync(path)).toBe(false);
});

describe('a malformed request is refused in one line', () => {
  const rows: [string, string, RegExp][] = [
    ['nothing', '', /an empty request/],
    ['an empty line', '\n', /one line of JSON/],
    ['no JSON', 'status\n', /one line of JSON/],
    ['null', 'null\n', /a request is \{/],
    ['a number for a command', '{"command":7}\n', /a request is \{/],
    ['an unknown command', '{"command":"statsu"}\n', /unknown command \\"statsu\\"/],
    ['a name every object knows', '{"command":"toString"}\n', /unknown command/],
    ['a line without end', 'x'.repeat(5000), /at most 4096 bytes/],
    ['a long line with an end', `${'x'.repeat(5000)}\n`, /at most 4096 bytes/],
    ['a command that fails', '{"command":"fail"}\n', /not today/],
  ];
  test.each(rows)('%s', async (_, bytes, expected) => {
    server = await serveControl(path, COMMANDS);
    const answer = await speak(bytes);
    expect(JSON.parse(answer)).toMatchObject({ ok: false });
    expect(answer).toMatch(expected);
    expect(answer.trimEnd()).not.toContain('\n');
  });
});

test('a request may come in pieces, and without its line end', async () => {
  server = await serveControl(path, COMMANDS);
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(path, () => {
      socket.write('{"comm');
      setImmediate(() => socket.end('and":"status"}'));
    });
    socket.on('data', (chunk) => resolve(chunk.toString()));
  });
  expect(JSON.parse(answer)).toMatchObject({ ok: true });
});

test('only the first line counts', async () => {
  server = await serveControl(path, COMMANDS);
  expect((await speak('{"command":"status"}\n{"command":"fail"}\n')).trimEnd().split('\n')).toHaveLength(1);
});

test("what the engine's refusal says reaches the asker", async () => {
  server = await serveControl(path, COMMANDS);
  await expect(askEngine(path, { command: 'fail' })).rejects.toThrow(new EngineError('not today'));
});

test('close takes the socket away, and may come twice', async () => {
  const closing = await serveControl(path, COMMANDS);
  await closing.close();
  await closing.close();
  expect(existsSync(path)).toBe(false);
  await expect(askEngine(path, { command: 'status' })).rejects.toThrow(NoEngineError);
});

test("a living engine's socket is not taken", async () => {
  server = await serveControl(path, COMMANDS);
  await expect(serveControl(path, COMMANDS)).rejects.toThrow(/already running \(pid 4711\)/);
  expect(await askEngine(path, { command: 'status' })).toBeTruthy();
});

test('nor is the socket of a program with another protocol', async () => {
  path = join(directory, 'control.sock');
  const stranger = createServer((socket) => socket.resume().end('220 welcome\r\n'));
  await new Promise<void>((resolve) => stranger.listen(path, resolve));
  await expect(serveControl(path, COMMANDS)).rejects.toThrow(/already running/);
  await new Promise((resolve) => stranger.close(resolve));
});

test('a file that is no socket is kept', async () => {
  path = join(directory, 'control.sock');
  writeFileSync(path, 'mine');
  await expect(serveControl(path, COMMANDS)).rejects.toThrow(/is no socket; remove it/);
  expect(statSync(path).size).toBe(4);
});

test('an engine that is silent is told apart from none', async () => {
  path = join(directory, 'control.sock');
  const open: Socket[] = [];
  const silent = createServer({ allowHalfOpen: true }, (socket) => open.push(socket.resume()));
  await new Promise<void>((resolve) => silent.listen(path, resolve));
  await expect(askEngine(path, { command: 'status' }, 50)).rejects.toThrow(/does not answer/);
  for (const socket of open) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});

test.each([
  ['breaks off', '{"ok":true,"res', /broke off its answer$/],
  ['refuses without a word', '{"ok":false}\n', /refused$/],
  ['answers without end', 'x'.repeat(17 * 1024 * 1024), /answers without end$/],
])('an engine that %s: one line', async (_, said, expected) => {
  path = join(directory, 'control.sock');
  const odd = createServer((socket) =>
    socket
      .on('error', () => undefined)
      .resume()
      .end(said),
  );
  await new Promise<void>((resolve) => odd.listen(path, resolve));
  await expect(askEngine(path, { command: 'status' })).rejects.toThrow(expected);
  await new Promise((resolve) => odd.close(resolve));
});

test('a state directory that cannot be written is one line', async () => {
  writeFileSync(join(directory, 'file'), '');
  await expect(serveControl(join(directory, 'file', 'x', 'control.sock'), COMMANDS)).rejects.toThrow(
    /cannot be created/,
  );
  chmodSync(directory, 0o700);
});

test('what else the system says of a path comes in one line', async () => {
  const loop = join(directory, 'loop');
  symlinkSync('loop', loop);
  await expect(askEngine(loop, { command: 'echo' })).rejects.toThrow(/^cannot reach the engine at \S+: connect ELOOP /);
  await expect(askEngine(loop, { command: 'echo' })).rejects.not.toBeInstanceOf(NoEngineError);
});

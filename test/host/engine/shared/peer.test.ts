/** The addon asks the kernel who connected to a unix socket. */
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAddon } from '../../../../src/engine/shared/binding';

const { peerOf } = loadAddon();
const descriptorOf = (socket: Socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd;

/** The listening side's end of a connection from this process. */
async function connected(server: Server, to: { path: string } | { port: number }): Promise<Socket> {
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  createConnection(to as { path: string });
  return accepted;
}

test('process and user of a unix socket; of any other descriptor an error', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'acsplit-peer-'));
  const unix = createServer();
  const tcp = createServer();
  try {
    const path = join(directory, 'socket');
    await new Promise<void>((resolve) => unix.listen(path, resolve));
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    const own = await connected(unix, { path });
    expect(peerOf(descriptorOf(own))).toEqual({ pid: process.pid, uid: process.getuid!() });
    own.destroy();
    const other = await connected(tcp, { port: (tcp.address() as { port: number }).port });
    expect(() => peerOf(descriptorOf(other))).toThrow(/ENOTCONN|not connected/);
    other.destroy();
    const file = openSync(__filename, 'r');
    expect(() => peerOf(file)).toThrow(/ENOTSOCK|non-socket/);
    closeSync(file);
    expect(() => peerOf(file)).toThrow(/EBADF|Bad file/);
    for (const wrong of [-1, '7', undefined]) {
      expect(() => peerOf(wrong as never)).toThrow('peerOf: whole numbers are expected');
    }
  } finally {
    unix.close();
    tcp.close();
    rmSync(directory, { recursive: true });
  }
});

/** A server that answers as an empty store does, but for one command. */
import { type Socket } from 'node:net';
import { ReplyReader } from '../../src/engine/cluster/replies';
import { Listener } from './cluster-router';

/** Raw bytes, `|` for CR LF; undefined: no answer, ever. */
type Answer = string | undefined;

const SANE: Record<string, () => string> = {
  TIME: () => `*2|$10|${Math.floor(Date.now() / 1000)}|$1|0|`,
  GET: () => '$5|token|',
  SET: () => '+OK|',
  INFO: () => '$0||',
  XREVRANGE: () => '*0|',
  SCAN: () => '*2|$1|0|*0|',
  MGET: () => '*0|',
  EVALSHA: () => ':0|',
  XREAD: () => '*-1|',
};

export class OddStore extends Listener {
  constructor(command: string, answer: (socket: Socket) => Answer) {
    super((socket) => {
      // Requests are lists of texts, which replies may be as well.
      const reader = new ReplyReader();
      socket.on('data', (bytes) => {
        for (const words of reader.read(bytes)) {
          const [name] = words as [string];
          const text = name === command ? answer(socket) : SANE[name]!();
          if (text === undefined) continue;
          // XREAD waits a little for entries, so that nobody spins.
          setTimeout(() => socket.write(text.replaceAll('|', '\r\n')), name === 'XREAD' ? 50 : 0);
        }
      });
    });
  }
}

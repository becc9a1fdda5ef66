/** One end of a TCP connection of a test, in the kernel of its host, and the packets that are sent beside it. */
import type { Actor } from '../../../src/lab/actor';
import type { Happening } from '../../../src/lab/lines';

export type PeerEvent = Happening & (({ event: 'accepted' } & Accepted) | { event: 'packet'; hex: string });

export interface Accepted {
  socket: number;
  address: string;
  port: number;
  from: string;
  fromPort: number;
}

/** What came: its text, how many bytes, and how the other end closed, if it did. */
export interface Received {
  text: string;
  bytes: number;
  ended: null | 'finished' | 'ECONNRESET' | string;
  /** Of `receiveAll`. */
  sha256?: string;
}

/** A host's kernel at command: test/e2e/support/peer.py. */
export type Peer = Actor<PeerEvent>;

export class End {
  constructor(
    readonly peer: Peer,
    private readonly socket: number,
    /** This end's own port. */
    readonly port: number,
  ) {}

  /** @param options `times` repeats the text; `more` holds it back until something follows */
  send(text: string, options: { times?: number; more?: boolean } = {}): Promise<void> {
    return this.ask('send', { text, ...options });
  }

  /** Waits for so many bytes, or for the end. */
  receive(bytes: number): Promise<Received> {
    return this.ask('receive', { bytes });
  }

  /** Swallows everything until the end. */
  receiveAll(): Promise<Received> {
    return this.ask('receive', { all: true });
  }

  /** Sends random bytes and half-closes. */
  async stream(bytes: number, seed: number): Promise<string> {
    return (await this.ask<{ sha256: string }>('stream', { bytes, seed })).sha256;
  }

  /** Sends so many bytes to the other end, gigabytes too, and compares. */
  async pourTo(other: End, bytes: number): Promise<void> {
    const [sent, came] = await Promise.all([
      this.ask<{ sha256: string }>('pour', { bytes }),
      other.ask<{ sha256: string }>('swallow', { bytes }),
    ]);
    expect(came).toEqual(sent);
  }

  /** Half-close: a FIN, and still an ear. */
  finish(): Promise<void> {
    return this.ask('finish');
  }

  /** Waits until the other end has acknowledged our FIN. */
  acknowledged(): Promise<void> {
    return this.ask('acknowledged');
  }

  close(): Promise<void> {
    return this.ask('close');
  }

  /** RST. */
  reset(): Promise<void> {
    return this.ask('reset');
  }

  option(level: 'socket' | 'tcp', name: string, value: number): Promise<void> {
    return this.ask('option', { level, name, value });
  }

  /** Sends a text and has it arrive, whole. */
  async sendTo(other: End, text: string): Promise<void> {
    await this.send(text);
    expect(await other.receive(text.length)).toEqual({ text, bytes: text.length, ended: null });
  }

  private ask<T>(what: string, order: object = {}): Promise<T> {
    return this.peer.ask<T>(what, { socket: this.socket, ...order });
  }
}

/** Both ends of a connection between a CPE and whichever server. */
export interface Ends {
  cpe: End;
  far: End;
}

/** A line each way. */
export async function talk({ cpe, far }: Ends): Promise<void> {
  await cpe.sendTo(far, 'inform');
  await far.sendTo(cpe, 'answer');
}

/** One end closes, then the other; each hears it, down to the last ACK. */
export async function hangUp({ cpe, far }: Ends, first: 'cpe' | 'far' = 'cpe'): Promise<void> {
  const [early, late] = first === 'cpe' ? [cpe, far] : [far, cpe];
  await early.finish();
  expect(await late.receive(1)).toMatchObject({ ended: 'finished' });
  await late.finish();
  expect(await early.receive(1)).toMatchObject({ ended: 'finished' });
  await late.acknowledged();
  await Promise.all([early.close(), late.close()]);
}

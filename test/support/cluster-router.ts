/** Routers of a cluster on real stores, without a packet queue; and what can stand between a router and its store. */
import { createServer, connect, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { ClusterMember } from '../../src/engine/cluster/member';
import { type ClusterReport, type FromCluster, type StoreSettings } from '../../src/engine/shared/cluster-protocol';
import { ClusterRings } from '../../src/engine/shared/cluster-rings';
import { ClusterLink } from '../../src/engine/worker/cluster-link';
import { type RedisServer } from './redis';
import { Rig } from './rig';

/** A router whose packets the test decides. */
export class Router {
  readonly rings = new ClusterRings(new ArrayBuffer(ClusterRings.BYTES));
  readonly rig = new Rig({ capacityEntries: 4096 });
  readonly told: FromCluster[] = [];
  private readonly link = new ClusterLink(this.rings);
  private timer: NodeJS.Timeout | undefined;
  member: ClusterMember;

  constructor(
    readonly name: string,
    private readonly stores: StoreSettings[],
    private readonly group = 'g',
    isWorking = true,
  ) {
    if (isWorking) this.work();
    this.member = this.join();
  }

  /** The worker starts. */
  work(): void {
    const feed = this.link.follow(this.rig.splitter.state, () => undefined);
    feed.isSilent = true;
    this.rig.splitter.listen(feed);
    feed.isSilent = false;
    this.timer = setInterval(() => this.step(), 5);
  }

  /** As the worker does between packets. */
  step(): void {
    this.link.hear(this.rig.nowMs, Date.now());
    this.link.walk();
    this.link.settle();
  }

  join(): ClusterMember {
    const settings = { group: this.group, name: this.name, stores: this.stores };
    return new ClusterMember(settings, '1.0.0', this.rings, (message) => this.told.push(message));
  }

  get report(): ClusterReport {
    return this.member.report();
  }

  /** What was logged. */
  get lines(): string[] {
    return this.told.flatMap((message) => (message.kind === 'log' ? [message.message] : []));
  }

  async end(): Promise<void> {
    clearInterval(this.timer);
    await this.member.stop();
  }
}

/** Waits until what is expected holds. */
export async function holds(expected: () => void): Promise<void> {
  for (const untilMs = Date.now() + 20_000; ;) {
    try {
      return expected();
    } catch (error) {
      if (Date.now() > untilMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const storeAt = ({ socket }: RedisServer, more: Partial<StoreSettings> = {}): StoreSettings => ({
  ...{ address: socket, user: undefined, passwordFile: undefined, tls: undefined },
  ...more,
});

/** A server on a port of its own; its connections end with it. */
export class Listener {
  port = 0;
  protected readonly sockets = new Set<Socket>();
  protected readonly server: Server;

  constructor(onSocket: (socket: Socket) => void) {
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket));
      onSocket(socket);
    });
  }

  async start(): Promise<this> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
    this.port = (this.server.address() as { port: number }).port;
    return this;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  end(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

/** The link from one router to one store. While it is cut, nothing passes and nobody is told, as when a cable is. */
export class Link extends Listener {
  private isCut = false;

  constructor({ socket: path }: RedisServer) {
    super((near) => {
      // What connects meanwhile reaches nobody, and hears nothing.
      if (this.isCut) return;
      const far = connect(path);
      this.sockets.add(far);
      far.on('error', () => near.destroy()).on('close', () => near.destroy());
      near.on('close', () => far.destroy());
      near.on('data', (bytes) => !this.isCut && far.write(bytes));
      far.on('data', (bytes) => !this.isCut && near.write(bytes));
    });
  }

  cut(): void {
    this.isCut = true;
  }

  /** What was lost is not repeated: both ends give up their connections. */
  heal(): void {
    this.isCut = false;
    for (const socket of this.sockets) socket.destroy();
  }
}

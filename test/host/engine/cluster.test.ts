/** Routers of a cluster with real stores: redis-server on sockets of their own, no packet queue. */
import { ClusterMember } from '../../../src/engine/cluster/member';
import { type ClusterReport, type FromCluster, type StoreSettings } from '../../../src/engine/shared/cluster-protocol';
import { ClusterRings } from '../../../src/engine/shared/cluster-rings';
import { ClusterLink } from '../../../src/engine/worker/cluster-link';
import { RedisServer } from '../../support/redis';
import { Rig } from '../../support/rig';

/** A router whose packets the test decides. */
class Router {
  readonly rings = new ClusterRings(new ArrayBuffer(ClusterRings.BYTES));
  readonly rig = new Rig({ capacityEntries: 4096 });
  readonly told: FromCluster[] = [];
  private readonly link = new ClusterLink(this.rings);
  private readonly timer: NodeJS.Timeout;
  member: ClusterMember;

  constructor(
    readonly name: string,
    private readonly stores: StoreSettings[],
    private readonly group = 'g',
  ) {
    const feed = this.link.follow(this.rig.splitter.state, () => undefined);
    feed.isSilent = true;
    this.rig.splitter.listen(feed);
    feed.isSilent = false;
    this.member = this.join();
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
async function holds(expected: () => void): Promise<void> {
  for (const untilMs = Date.now() + 20_000; ;) {
    try {
      return expected();
    } catch (error) {
      if (Date.now() > untilMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const storeAt = ({ socket }: RedisServer, more: Partial<StoreSettings> = {}): StoreSettings => ({
  ...{ address: socket, user: undefined, passwordFile: undefined, tls: undefined },
  ...more,
});

const routers: Router[] = [];
const servers: RedisServer[] = [];
afterEach(async () => {
  for (const router of routers.splice(0)) await router.end();
  for (const server of servers.splice(0)) await server.end();
});

async function redis(...more: string[]): Promise<RedisServer> {
  const server = await new RedisServer(more).start();
  servers.push(server);
  return server;
}

function router(name: string, at: RedisServer[], more: Partial<StoreSettings> = {}): Router {
  const one = new Router(
    name,
    at.map((server) => storeAt(server, more)),
  );
  routers.push(one);
  return one;
}

const ready = (...all: Router[]) =>
  holds(() => expect(all.map(({ report }) => report.ready)).toEqual(all.map(() => true)));

test('two routers, two stores: activations and sessions cross; a store dies; a third router joins; a store comes back empty', async () => {
  const stores = [await redis(), await redis()];
  const [a, b] = [router('a', stores), router('b', stores)];
  await ready(a, b);
  a.rig.wake('c1');
  await holds(() => expect(b.rig.activation()).toBe('armed c1'));
  b.rig.divert('c1');
  await holds(() => expect([a.rig.activation(), a.rig.report()]).toEqual(['consumed c1', 'established c1']));
  await holds(() => expect(a.report.peers).toMatchObject([{ name: 'b', ready: true, version: '1.0.0' }]));
  expect(a.report.lost + a.report.refused).toBe(0);

  await stores[0]!.kill();
  b.rig.activate('c2', '10.1.7.2');
  await holds(() => expect(a.rig.activation('10.1.7.2')).toBe('armed c2'));
  await holds(() => expect(a.report.stores[0]).toMatchObject({ state: 'connecting' }));

  const c = router('c', stores);
  await ready(c);
  expect([c.rig.activation(), c.rig.report(), c.rig.activation('10.1.7.2')]).toEqual([
    'consumed c1',
    'established c1',
    'armed c2',
  ]);

  await stores[0]!.start();
  await holds(() => expect(stores[0]!.cli('KEYS', '*:rp/*')).toContain('rp/10.1.7.1/40001/7547'));
  await stores[1]!.kill();
  b.rig.from('c1', 'RST');
  await holds(() => expect(a.rig.report()).toBe('reset c1'));
});

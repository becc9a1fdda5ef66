/** What can happen to stores. Each fault ends as it began: with every store running, and empty or not. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { storeAddress } from '../../../src/lab/routers/places';
import { GROUP, PASSWORD, type Router, USER } from '../../../src/lab/routers/router';

export interface StoreFault {
  name: string;
  begin: (routers: readonly Router[]) => Promise<Begun>;
}

interface Begun {
  /** How long it lasts. */
  seconds: number;
  undo: () => Promise<void>;
}

const GONE_SECONDS = 10;
const SOON_SECONDS = 4;
const KEYS = `acsplit:{${GROUP}}:v1:`;

/** As the engines do, from the router of this store. */
export function redis(router: Router, ...words: string[]): Promise<string> {
  const [host, port] = storeAddress(router.name).split(':') as [string, string];
  const login = ['--user', USER, '--pass', PASSWORD, '--no-auth-warning'];
  return router.world.run(router.name, ['redis-cli', '-h', host, '-p', port, ...login, ...words]);
}

const nothing = (): Promise<void> => Promise.resolve();

async function restart(router: Router, ...words: string[]): Promise<void> {
  await router.stop('store', 'SIGKILL');
  await router.startStore(...words);
}

/** Restarts stores with a file of users that `edit` has changed. */
async function withUsers(routers: readonly Router[], edit: (text: string) => string): Promise<() => Promise<void>> {
  const files = routers.map((router) => join(router.directory, 'acsplit.acl'));
  const texts = files.map((file) => readFileSync(file, 'utf8'));
  files.forEach((file, at) => writeFileSync(file, edit(texts[at]!)));
  await Promise.all(routers.map((router) => restart(router)));
  return async () => {
    files.forEach((file, at) => writeFileSync(file, texts[at]!));
    await Promise.all(routers.map((router) => restart(router)));
  };
}

export const STORE_FAULTS: readonly StoreFault[] = [
  {
    name: 'one stopped for 10 s',
    begin: async ([router]) => {
      await router!.stop('store');
      return { seconds: GONE_SECONDS, undo: () => router!.startStore() };
    },
  },
  {
    name: 'all stopped for 10 s',
    begin: async (routers) => {
      await Promise.all(routers.map((router) => router.stop('store')));
      return {
        seconds: GONE_SECONDS,
        undo: async () => void (await Promise.all(routers.map((one) => one.startStore()))),
      };
    },
  },
  {
    name: 'one killed, restarted empty',
    begin: async ([router]) => {
      await restart(router!);
      return { seconds: SOON_SECONDS, undo: nothing };
    },
  },
  {
    name: 'all killed, restarted empty',
    begin: async (routers) => {
      await Promise.all(routers.map((router) => restart(router)));
      return { seconds: SOON_SECONDS, undo: nothing };
    },
  },
  {
    name: 'out of memory',
    begin: async (routers) => {
      await Promise.all(routers.map((router) => restart(router, '--maxmemory', '1')));
      return {
        seconds: SOON_SECONDS,
        undo: async () => void (await Promise.all(routers.map((router) => restart(router)))),
      };
    },
  },
  {
    name: 'hanging (SIGSTOP)',
    begin: (routers) => {
      for (const router of routers) router.signal('store', 'SIGSTOP');
      const undo = () => {
        for (const router of routers) router.signal('store', 'SIGCONT');
        return Promise.resolve();
      };
      return Promise.resolve({ seconds: GONE_SECONDS, undo });
    },
  },
  {
    name: 'slow: 64 kbit/s',
    begin: async (routers) => {
      for (const router of routers)
        await router.shell('tc qdisc add dev eth3 root tbf rate 64kbit burst 4kb latency 2s');
      const undo = async () => {
        for (const router of routers) await router.shell('tc qdisc delete dev eth3 root');
      };
      return { seconds: SOON_SECONDS, undo };
    },
  },
  {
    name: 'wrong password',
    begin: async (routers) => ({
      seconds: SOON_SECONDS,
      undo: await withUsers(routers, (text) => text.replace(`>${PASSWORD}`, '>another')),
    }),
  },
  {
    name: 'hostile rows',
    begin: async (routers) => {
      for (const router of routers) {
        await redis(router, 'XADD', `${KEYS}changes`, '*', 'p', 'x', 'u', 'y', 'n', '1', 'h', '{');
        await redis(router, 'XADD', `${KEYS}changes`, '*', 'bad', 'entry');
        await redis(router, 'SET', `${KEYS}row:rubbish`, 'rubbish');
        await redis(router, 'SET', `${KEYS}row:rubbish`, '9 9 9 x {"d":1e99}', 'PX', '60000');
        await redis(router, 'SET', `${KEYS}row:${'k'.repeat(5000)}`, 'v'.repeat(100_000), 'PX', '60000');
      }
      return { seconds: SOON_SECONDS, undo: nothing };
    },
  },
  {
    name: 'another group and another version beside ours',
    begin: async (routers) => {
      const undo = await withUsers(routers, (text) => text.replace('~acsplit:', '~*:* ~acsplit:'));
      for (const router of routers) {
        for (const other of ['acsplit:{south}:v1:', `acsplit:{${GROUP}}:v9:`]) {
          await redis(router, 'SET', `${other}row:rubbish`, 'of another');
          await redis(router, 'XADD', `${other}changes`, '*', 'p', 'x');
        }
      }
      return { seconds: SOON_SECONDS, undo };
    },
  },
  {
    name: 'one read-only: a replica without its master',
    begin: async (routers) => {
      const last = routers.at(-1)!;
      await restart(last, '--replicaof', '10.9.0.99', '6379');
      return { seconds: SOON_SECONDS, undo: () => restart(last) };
    },
  },
  {
    name: 'the link between the routers dead: each has its own store only',
    begin: async ([router]) => {
      await router!.world.cable(router!.name, [3], 'down');
      return { seconds: GONE_SECONDS, undo: () => router!.world.cable(router!.name, [3], 'up') };
    },
  },
];

/** All at once, for `npm test`. */
export const HARD_TIMES: StoreFault = {
  name: 'both stores hang, the link between the routers is dead, and the stores return empty',
  begin: async (routers) => {
    for (const router of routers) router.signal('store', 'SIGSTOP');
    await routers[0]!.world.cable(routers[0]!.name, [3], 'down');
    const undo = async () => {
      await Promise.all(routers.map((router) => restart(router)));
      await routers[0]!.world.cable(routers[0]!.name, [3], 'up');
    };
    return { seconds: SOON_SECONDS, undo };
  },
};

/** VRRP does not pass, so both routers have the addresses, and CPEs pass either. @param alsoStores nor do the stores */
export function bothActive(alsoStores: boolean): StoreFault {
  return {
    name: `both routers active: no VRRP between them${alsoStores ? ', and no store' : ''}`,
    begin: async ([router]) => {
      const rules = (chain: string, way: string) =>
        `chain ${chain} { type filter hook ${chain} priority raw; meta l4proto vrrp ${way} "eth*" drop;${alsoStores ? ` ${way} "eth3" drop;` : ''} }`;
      await router!.shell(`nft 'table inet parted { ${rules('input', 'iifname')}; ${rules('output', 'oifname')}; }'`);
      return { seconds: SOON_SECONDS, undo: async () => void (await router!.shell('nft delete table inet parted')) };
    },
  };
}

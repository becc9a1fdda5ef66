/**
 * Transfers both ways at once through a host whose kernel carries them: over narrow links, devices and routes, bridges and
 * macvlans, with loss before and behind, with and without offloads. What arrives is what was sent, diverted and not.
 * ACSPLIT_CARRIED=all: every combination.
 */
import { appendFileSync } from 'node:fs';
import { PRIORITY } from '../../src/steering/fast-path/place';
import { allPaths, onPath, type Path } from './support/carried';
import { forgetPaths } from './support/errors';
import { street } from './support/family';
import { eventually } from './support/run-host';
import { TcpStage } from './support/tcp-stage';

const isAll = process.env.ACSPLIT_CARRIED === 'all';
/** Where each transfer's result goes, a line of JSON each. */
const RESULTS = process.env.ACSPLIT_CARRIED_RESULTS;
const BYTES = isAll ? 4 << 20 : 1 << 20;
/** Each dimension's values, and no combination twice. */
const SOME: Path[] = [
  { mtu: 1500, side: 'cpe', place: 'link', device: 'veth', offloads: true, loses: false },
  { mtu: 1280, side: 'cpe', place: 'route', device: 'bridge', offloads: false, loses: true },
  { mtu: 1400, side: 'itms', place: 'device', device: 'macvlan', offloads: true, loses: true },
  { mtu: 1492, side: 'itms', place: 'link', device: 'veth', offloads: false, loses: false },
];
const PATHS = isAll ? allPaths() : SOME;

jest.setTimeout(120_000);

const cpes = street(3, 200);
let stage: TcpStage;
let used = 0;

beforeAll(async () => {
  stage = await TcpStage.open({ cpes, hops: true, fastPath: 'on', lossy: true });
});
afterAll(() => stage?.close());

const told = async () => (await stage.status()).fastPath;
const sum = (packets: Record<string, number | undefined>, like: RegExp): number =>
  Object.entries(packets).reduce((total, [name, count = 0]) => total + (like.test(name) ? count : 0), 0);

/** To the interfaces that bear these names now. */
async function untilAttached(): Promise<void> {
  const filters = (link: string) =>
    stage.world.run('split', ['tc', 'filter', 'show', 'dev', link, 'ingress']).catch(() => '');
  await eventually('the kernel to carry', async () => {
    const { carries, reason } = await told();
    const shown = await Promise.all(['eth0', 'eth1'].map(filters));
    return (carries && reason === null && shown.every((text) => text.includes(`pref ${PRIORITY}`))) || undefined;
  });
}

interface Counted {
  carried: number;
  /** Packets of a connection whose SYN or SYN+ACK was lost: all of them take the slow way. */
  overtaking: number;
}

async function counted(): Promise<Counted> {
  const { packets } = await told();
  return { carried: sum(packets, /^carried/), overtaking: sum(packets, /^overtaking$/) };
}

/** Both ways at once. Answers what the kernel made of the packets. */
async function transfer(server: 'itms' | 'c1'): Promise<Counted> {
  const cpe = cpes[used++ % cpes.length]!;
  if (server === 'c1') await stage.wake('c1', cpe);
  const before = await counted();
  const connection = await stage.connect(cpe);
  expect(connection.server).toBe(server);
  const { cpe: near, far } = connection;
  const [up, down, upSeen, downSeen] = await Promise.all([
    near.stream(BYTES, used),
    far.stream(BYTES, used + 1000),
    far.receiveAll(),
    near.receiveAll(),
  ]);
  const whole = { bytes: BYTES, ended: 'finished' };
  expect(upSeen).toMatchObject({ ...whole, sha256: up });
  expect(downSeen).toMatchObject({ ...whole, sha256: down });
  await Promise.all([near.close(), far.close()]);
  const after = await counted();
  return { carried: after.carried - before.carried, overtaking: after.overtaking - before.overtaking };
}

test.each(PATHS)('$mtu by $place towards $side, $device, offloads $offloads, loss $loses', async (path) => {
  await onPath(stage, path, async () => {
    await untilAttached();
    const [undiverted, diverted] = [await transfer('itms'), await transfer('c1')];
    expect(undiverted.carried + undiverted.overtaking).toBeGreaterThan(10);
    if (!path.loses) expect(undiverted.overtaking).toBe(0);
    const carried = { undiverted: undiverted.carried, diverted: diverted.carried };
    if (RESULTS !== undefined) appendFileSync(RESULTS, `${JSON.stringify({ ...path, ...carried })}\n`);
  });
  await forgetPaths(stage);
  await stage.expectOneServerEach();
});

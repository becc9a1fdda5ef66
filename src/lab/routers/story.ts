/**
 * The story of `acsplit lab --two-routers`: one of two routers loses power while a CPE downloads from the collection server
 * that has woken it. Every claim is judged by what servers and CPE saw, and by the routers' tables.
 */
import { settle, startCast, type Acs, type Cast } from '../cast';
import { pause } from '../engine';
import type { Bulk } from '../bulk';
import type { Narrator } from '../narrator';
import { CPE, LATER_MS, type Claim } from '../story';
import { ADDRESSES } from '../world';
import { Router } from './router';
import { untilMaster } from './switches';
import type { RouterWorld } from './world';

const DOWNLOAD_BYTES = 32 << 20;
/** With this pause after each piece it lasts for some seconds. */
const PACE_MS = 5;
/** Of the download, before the power goes. */
const BEFORE_MS = 600;
const SEED = 1;
/** Longer than a change takes to reach the other router, by far. */
const PATIENCE_MS = 10_000;

interface Transfer {
  up: Bulk;
  upSeen: Bulk;
  down: Bulk;
}

interface Stage {
  cast: Cast;
  routers: readonly Router[];
  narrator: Narrator;
  claims: Claim[];
  scene: number;
}

/** Plays all scenes; a false claim does not stop the story, unless nothing could follow. */
export async function playTwoRouters(world: RouterWorld, narrator: Narrator): Promise<Claim[]> {
  const routers = world.routers.map((name) => new Router(world, name, { cluster: true }));
  const [cast] = await Promise.all([startCast(world, [CPE]), ...routers.map((router) => boot(router))]);
  const stage: Stage = { cast, routers, narrator, claims: [], scene: 0 };

  begin(stage, 'Two routers, one of which has the addresses');
  const first = await introduceRouters(stage);
  const second = routers.find((router) => router !== first)!;

  begin(stage, `The collection server wakes CPE ${CPE.address}`);
  await wake(stage, first, second);

  begin(stage, `The CPE downloads ${DOWNLOAD_BYTES >> 20} MiB, and router ${first.name} loses power`);
  await download(stage, first, second);

  begin(stage, `${LATER_MS / 1000} seconds later the CPE informs again`);
  await pause(LATER_MS);
  await inform(stage, second);

  begin(stage, `Router ${first.name} is back`);
  await comeBack(stage, first, second);
  return stage.claims;
}

async function boot(router: Router): Promise<void> {
  await router.startStore();
  await router.startEngine();
  router.startKeeper();
}

function begin(stage: Stage, title: string): void {
  stage.narrator.scene(++stage.scene, title);
}

function claim(stage: Stage, claimed: string, came: boolean): void {
  stage.claims.push({ scene: stage.scene, claim: claimed, true: came });
  stage.narrator.claim(came, claimed);
}

async function introduceRouters(stage: Stage): Promise<Router> {
  const { routers, narrator } = stage;
  const first = await untilMaster(routers);
  const joined = await Promise.all(
    routers.map((router) => eventually(async () => (await router.status()).cluster.state === 'joined')),
  );
  for (const router of routers) {
    const what = router === first ? `active: has ${ADDRESSES.acs} by VRRP` : 'standing by';
    narrator.saw(`router ${router.name}  ${what}; engine ${router.pid('engine')}, store ${router.pid('store')}`);
  }
  claim(stage, 'both have joined their cluster', joined.every(Boolean));
  return first;
}

async function wake(stage: Stage, first: Router, second: Router): Promise<void> {
  const { cast, narrator } = stage;
  const { statuses } = await cast.collector.wake(CPE).catch(() => ({ statuses: [] as number[] }));
  narrator.saw(`${ADDRESSES.collector} ──▶ router ${first.name} ──▶ ${CPE.address}   ${statuses.join(', then ')}`);
  claim(stage, 'the Connection Request succeeded', statuses.at(-1) === 200);
  const knows = (router: Router) => eventually(async () => (await router.status()).tables.activatedCpes!.count === 1);
  claim(stage, `router ${second.name}, which saw none of it, expects the session too`, await knows(second));
}

async function download(stage: Stage, first: Router, second: Router): Promise<void> {
  const { cast, narrator, routers } = stage;
  const order = { cpe: CPE.address, bytes: DOWNLOAD_BYTES, seed: SEED, paceMs: PACE_MS };
  let failure = '';
  const transfer = cast.cpes.actor.ask<Transfer>('transfer', order).catch((error: Error): undefined => {
    failure = error.message;
    return undefined;
  });
  await Promise.race([cast.collector.actor.until((event) => event.event === 'bulk', 'an upload'), transfer]);
  await pause(BEFORE_MS);
  const isUnderWay = transfersAt(cast.collector, 'GET').length === 0 && failure === '';
  const cutMs = performance.now();
  await first.losePower();
  narrator.saw(`router ${first.name} is dead: engine, store and keepalived killed, its cables without carrier`);
  await untilMaster(routers, first);
  const movedMs = Math.round(performance.now() - cutMs);
  narrator.saw(`router ${second.name} has the addresses ${movedMs} ms later`);
  const done = await transfer;
  await settle(cast);
  if (failure !== '') narrator.saw(`the download failed: ${failure}`);
  const sent = transfersAt(cast.collector, 'GET')[0];
  claim(stage, 'the power went in the middle of the download', isUnderWay);
  claim(
    stage,
    `the download came to its end, every byte as the collection server sent it`,
    done !== undefined && done.down.bytes === DOWNLOAD_BYTES && done.down.sha256 === sent?.sha256,
  );
  const strangers = cast.itms.peers.filter((peer) => peer === CPE.address).length;
  claim(stage, 'the ITMS saw none of it', strangers === 0);
}

function transfersAt({ actor }: Acs, method: string): Bulk[] {
  return actor.events.flatMap((event) => (event.event === 'bulk' && event.method === method ? [event] : []));
}

async function inform(stage: Stage, second: Router): Promise<void> {
  const { cast, narrator } = stage;
  const before = cast.collector.peers.length;
  const { ok, error } = await cast.cpes.inform(CPE);
  await settle(cast);
  if (!ok) narrator.saw(`the session failed: ${error}`);
  else narrator.saw(`${CPE.address} ──▶ router ${second.name} ──▶ ITMS`);
  const atItms = cast.itms.informs.filter(({ peer }) => peer === CPE.address).length;
  claim(stage, 'this session is the ITMS’s', ok && atItms === 1 && cast.collector.peers.length === before);
}

async function comeBack(stage: Stage, first: Router, second: Router): Promise<void> {
  await first.regainPower();
  await boot(first);
  const hasJoined = await eventually(async () => (await first.status()).cluster.state === 'joined');
  claim(stage, `router ${first.name} has joined again, with what router ${second.name} knows`, hasJoined);
  claim(stage, `router ${second.name} keeps the addresses`, (await untilMaster(stage.routers)) === second);
}

async function eventually(holds: () => Promise<boolean>): Promise<boolean> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await pause(100)) {
    if (await holds()) return true;
  }
  return false;
}

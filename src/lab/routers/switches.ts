/** What moves the addresses from one router to the other, and how the first becomes whole again. */
import { writeFileSync } from 'node:fs';
import { pause } from '../engine';
import { type Router } from './router';

export const SWITCHES = ['planned', 'power loss', 'CPE link down', 'engine killed', 'keepalived killed'] as const;
export type Switch = (typeof SWITCHES)[number];

const PATIENCE_MS = 20_000;
/** systemd's RestartSec in docs/cluster.md. */
const KEEPER_RESTART_MS = 1000;

/** Begins a switch on the router that has the addresses. */
export async function begin(kind: Switch, router: Router): Promise<void> {
  if (kind === 'planned') writeFileSync(router.standbyFile, '1\n');
  if (kind === 'power loss') await router.losePower();
  if (kind === 'CPE link down') await router.world.cable(router.name, [0], 'down');
  if (kind === 'engine killed') await router.stop('engine', 'SIGKILL');
  if (kind === 'keepalived killed') await killKeeper(router);
}

/**
 * Mends what `begin` has broken. The addresses stay with the other router.
 * @param boot what starts on a router that has been without power, keepalived aside
 */
export async function mend(kind: Switch, router: Router, boot: () => Promise<void>): Promise<void> {
  if (kind === 'planned') writeFileSync(router.standbyFile, '0\n');
  if (kind === 'CPE link down') await router.world.cable(router.name, [0], 'up');
  if (kind === 'engine killed') await router.startEngine(false);
  if (kind === 'keepalived killed') await restartKeeper(router);
  if (kind !== 'power loss') return;
  await router.regainPower();
  await boot();
  router.startKeeper();
}

async function killKeeper(router: Router): Promise<void> {
  await router.stop('keeper', 'SIGKILL');
  await pause(KEEPER_RESTART_MS);
}

/** As systemd's Restart=always: the killed one's child may live a moment longer, and a second keepalived then ends at once. */
async function restartKeeper(router: Router): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await pause(KEEPER_RESTART_MS)) {
    if (!router.isRunning('keeper')) router.startKeeper();
    else if (router.isFit) return;
  }
  throw new Error(`keepalived of ${router.name} does not start: ${router.log('keeper').slice(-500)}`);
}

/** The router that has the ACS address, once it is exactly one. @param not this one */
export async function untilMaster(routers: readonly Router[], not?: Router): Promise<Router> {
  let having: Router[] = [];
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await pause(50)) {
    const all = await Promise.all(routers.map(async (router) => ({ router, has: await router.hasAddress() })));
    having = all.filter(({ has }) => has).map(({ router }) => router);
    if (having.length === 1 && having[0] !== not) return having[0]!;
  }
  throw new Error(
    `waited ${PATIENCE_MS} ms for another master; the address is at ${having.map(({ name }) => name).join()}`,
  );
}

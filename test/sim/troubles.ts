/**
 * What happens to the world besides its traffic: power cuts, moods, restarts, operator commands. All of it at random.
 */
import { type Cpe } from './cpe';
import { ITMS, lineAddress, SERVERS } from './parties';
import { type Trouble } from './options';
import { type Mood } from './server';
import { type World } from './world';

/** Mean times between troubles, in ms. */
const OUTAGES_MS = 20_000;
const POWER_CUTS_MS = 400_000;
/** One CPE in the middle of a session. */
const FLICKERS_MS = 30_000;
const MOODS_MS = 120_000;
const RESTARTS_MS = 200_000;
const STATE_LOSS_MS = 900_000;
const PAUSES_MS = 900_000;
const OPERATOR_MS = 20_000;

const BAD_MOODS: readonly (Mood | 'forgetful')[] = ['slow', 'busy', 'refusing', 'silent', 'dead', 'forgetful'];

export function scheduleTroubles(world: World): void {
  const { options } = world;
  const often = (trouble: Trouble, meanMs: number, act: () => void) => {
    if (options.without.includes(trouble)) return;
    const next = () => world.timeline.after(world.prng.exponential(meanMs), step);
    const step = () => {
      if (world.isQuiet) return;
      act();
      next();
    };
    next();
  };
  often('outages', OUTAGES_MS, () => cutLine(world));
  often('power-cuts', POWER_CUTS_MS, () => cutPower(world));
  often('power-cuts', FLICKERS_MS, () => flicker(world));
  often('moods', MOODS_MS, () => changeMood(world));
  often('restarts', RESTARTS_MS, () => restart(world, true));
  often('state-loss', STATE_LOSS_MS, () => restart(world, false));
  often('pauses', PAUSES_MS, () => pause(world));
  often('operator', OPERATOR_MS, () => operate(world));
}

function cutLine(world: World): void {
  const line = world.prng.pick(world.network.lines);
  line.outageUntilMs = world.timeline.nowMs + world.prng.between(200, 40_000);
}

/** Part of the country goes dark, comes back all at once, and some of its CPEs get another's address. */
export function cutPower(world: World, share = world.prng.between(0.1, 0.6), bootMs = 60_000): void {
  const { prng, timeline, cpes } = world;
  const count = Math.max(1, Math.floor(cpes.length * share));
  const first = prng.integer(0, cpes.length - 1);
  const dark: Cpe[] = [];
  for (let i = 0; i < count; i++) dark.push(cpes[(first + i) % cpes.length]!);
  for (const cpe of dark) cpe.powerOff();
  timeline.after(prng.between(1_000, 120_000), () => {
    for (let i = 0; i + 1 < dark.length; i += 2) if (prng.chance(0.2)) exchange(dark[i]!, dark[i + 1]!);
    for (const cpe of dark) cpe.powerOn(bootMs);
  });
}

/** A CPE loses power while it has a session, and boots at once. */
function flicker({ prng, timeline, cpes }: World): void {
  const first = prng.integer(0, cpes.length - 1);
  for (let i = 0; i < cpes.length; i++) {
    const cpe = cpes[(first + i) % cpes.length]!;
    if (!cpe.hasSession) continue;
    cpe.powerOff();
    timeline.after(prng.between(500, 20_000), () => cpe.powerOn(5_000));
    return;
  }
}

function exchange(one: Cpe, other: Cpe): void {
  if (one.isUp || other.isUp) return;
  const { address, line } = one;
  one.moveTo(other.address, other.line);
  other.moveTo(address, line);
}

function changeMood(world: World): void {
  const server = world.prng.pick(world.servers);
  if (server.mood !== 'well') return;
  const mood = world.prng.pick(BAD_MOODS);
  if (mood === 'forgetful') return server.forgetAll();
  server.setMood(mood);
  world.timeline.after(world.prng.between(5_000, 200_000), () => server.setMood('well'));
}

function restart(world: World, keepsState: boolean): void {
  const { box, prng, timeline, ledger } = world;
  if (!box.isRunning) return;
  box.stop();
  // A collision with a connection from before could not be seen by anybody.
  if (!keepsState) world.latest.clear();
  timeline.after(prng.between(0, 1_500), () => {
    if (!keepsState) ledger.stateLostMs = timeline.nowMs;
    box.start(keepsState, prng.int32(), prng.chance(0.5));
  });
}

function pause(world: World): void {
  const { box, prng, timeline } = world;
  box.pause(true);
  timeline.after(prng.between(1_000, 60_000), () => box.pause(false));
}

function operate(world: World): void {
  const { box, prng, options } = world;
  const cpe = lineAddress(prng.integer(0, options.cpes - 1));
  if (!box.isRunning) return;
  if (prng.chance(0.5)) box.activate(cpe, prng.integer(ITMS + 1, SERVERS.length - 1));
  else box.deactivate(cpe);
}

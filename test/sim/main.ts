/**
 * npm run sim: runs the simulation and reports what it saw; or measures, or judges itself (words.ts). Exits 1 on a
 * failure, with the command that repeats it in its shortest form. The last line of a run is its transcript's digest.
 */
import { createHash } from 'node:crypto';
import { commandOf, type SimOptions } from './options';
import { hunt } from './planted-bugs';
import { describeFigures, measureAll } from './scale';
import { measure } from './measure';
import { summaryOf } from './report';
import { shrink } from './shrink';
import { variedOptions } from './varied';
import { type Order, readOrder, USAGE } from './words';
import { type SimResult, World } from './world';

/** Of the CPE that a run failed on. */
const STORY_PACKETS = 60;

/** Runs it again for the packets of the CPE that it failed on. */
function storyOf({ options, failure }: SimResult): string {
  if (failure?.cpe === undefined) return '';
  const world = new World(options);
  world.box.traced.cpe = failure.cpe;
  world.run();
  return world.box.traced.lines.slice(-STORY_PACKETS).join('\n');
}

/** Says what failed, and how to see it again. */
function explain(failed: SimResult, mayShrink: boolean): void {
  console.log(`FAILED ${failed.failure!.message}`);
  process.exitCode = 1;
  const shortest = mayShrink ? shrink(failed) : failed;
  console.log(storyOf(shortest));
  if (mayShrink) console.log(`shrunk: ${shortest.failure!.message}`);
  console.log(`repeat: ${commandOf(shortest.options)}`);
}

function run(options: SimOptions, mayShrink: boolean): void {
  console.log(commandOf(options));
  const startedMs = performance.now();
  const result = new World(options).run();
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(summaryOf(result));
  console.error(`${seconds.toFixed(1)} s of wall time, ${Math.round(result.packets / seconds)} packets/s simulated`);
  if (result.failure !== undefined) explain(result, mayShrink);
  console.log(`transcript sha256 ${result.transcript}`);
}

/** To the first failure. */
function runMany(count: number, firstSeed: number, hasReference: boolean): void {
  const all = createHash('sha256');
  let sessions = 0;
  for (let i = 0; i < count; i++) {
    const options = { ...variedOptions(firstSeed + i), hasReference };
    const result = new World(options).run();
    sessions += result.sessions;
    all.update(result.transcript);
    console.log(`${commandOf(options)}   # ${result.sessions} sessions`);
    if (result.failure !== undefined) {
      explain(result, true);
      break;
    }
    if (i === count - 1) console.log(`${count} runs passed, ${sessions} sessions`);
  }
  console.log(`transcript sha256 ${all.digest('hex')}`);
}

function obey(order: Order): void {
  if (order.what === 'run') run(order.options, order.mayShrink);
  else if (order.what === 'runs') runMany(order.count, order.seed, order.hasReference);
  else if (order.what === 'load') console.log(describeFigures(measure(order.load, order.cpes)));
  else if (order.what === 'scale') measureAll(order.isWritten);
  else if (!hunt(order)) process.exitCode = 1;
}

function main(): void {
  let order;
  try {
    order = readOrder();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  obey(order);
}

main();

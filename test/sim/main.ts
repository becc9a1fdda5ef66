/**
 * npm run sim -- --seed N --cpes N --hours H: runs the simulation, and says what it saw. Exit 1 on a failure, with the
 * command that repeats it in its shortest form. The last line is the transcript's digest.
 */
import { parseArgs } from 'node:util';
import { type Mode } from './model';
import { commandOf, DEFAULTS, type SimOptions, type Trouble, TROUBLES } from './options';
import { summaryOf } from './report';
import { shrink } from './shrink';
import { type SimResult, World } from './world';

const USAGE = `npm run sim -- [--seed N] [--cpes N] [--hours H] [--activation auto|fin|response|off] [--capacity N]
               [--inform SECONDS] [--poll SECONDS] [--without TROUBLE,…] [--no-shrink]
troubles: ${TROUBLES.join(', ')}`;

/** Of the CPE that a run failed on. */
const STORY_PACKETS = 60;

function readOptions(): { options: SimOptions; mayShrink: boolean } {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      seed: text,
      cpes: text,
      hours: text,
      activation: text,
      capacity: text,
      inform: text,
      poll: text,
      without: text,
      'no-shrink': { type: 'boolean' },
    },
  });
  const number = (name: 'seed' | 'cpes' | 'hours' | 'capacity' | 'inform' | 'poll', otherwise: number) => {
    const value = values[name] === undefined ? otherwise : Number(values[name]);
    if (!Number.isFinite(value) || (value <= 0 && name !== 'seed')) throw new Error(`--${name} is no number`);
    return value;
  };
  const activation = (values.activation ?? DEFAULTS.activation) as Mode;
  if (!['auto', 'fin', 'response', 'off'].includes(activation)) throw new Error('--activation is no mode');
  const without = (values.without?.split(',') ?? []) as Trouble[];
  const stranger = without.find((word) => !TROUBLES.includes(word));
  if (stranger !== undefined) throw new Error(`no trouble is named '${stranger}'`);
  const options: SimOptions = {
    seed: number('seed', Math.floor(Math.random() * 0x7fffffff)) | 0,
    cpes: number('cpes', DEFAULTS.cpes),
    hours: number('hours', DEFAULTS.hours),
    activation,
    capacityEntries: number('capacity', DEFAULTS.capacityEntries),
    informSeconds: number('inform', DEFAULTS.informSeconds),
    pollSeconds: number('poll', DEFAULTS.pollSeconds),
    without,
    isChecked: true,
  };
  return { options, mayShrink: values['no-shrink'] !== true };
}

/** Runs it again for the packets of the CPE that it failed on. */
function storyOf({ options, failure }: SimResult): string {
  if (failure?.cpe === undefined) return '';
  const world = new World(options);
  world.box.traced.cpe = failure.cpe;
  world.run();
  return world.box.traced.lines.slice(-STORY_PACKETS).join('\n');
}

function main(): void {
  let read;
  try {
    read = readOptions();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  const { options, mayShrink } = read;
  console.log(commandOf(options));
  const startedMs = performance.now();
  const result = new World(options).run();
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(summaryOf(result));
  console.error(`${seconds.toFixed(1)} s of wall time, ${Math.round(result.packets / seconds)} packets/s simulated`);
  if (result.failure !== undefined) {
    console.log(`FAILED ${result.failure.message}`);
    process.exitCode = 1;
    const shortest = mayShrink ? shrink(result) : result;
    console.log(storyOf(shortest));
    if (mayShrink) console.log(`shrunk: ${shortest.failure!.message}`);
    console.log(`repeat: ${commandOf(shortest.options)}`);
  }
  console.log(`transcript sha256 ${result.transcript}`);
}

main();

/** What the core does on virtual time, and with any bytes. */
import { describeFigures, tableOfLoads } from '../sim/scale';
import { measure } from '../sim/measure';
import type { Proof } from './proof';
import { script, tests } from './programs';

const SIM = 'test/sim/main.ts';
const SIMULATION_TEST = { tests: ['test/deep/simulation.test.ts'] };

export const simulation: Proof = {
  name: 'simulation',
  shows: '300 simulated towns of every size and kind, seeds drawn at random: no checker objects',
  takes: '15 minutes',
  needsRoot: false,
  smallest: SIMULATION_TEST,
  full: script(SIM, '--runs', '300'),
};

export const plantedBugs: Proof = {
  name: 'planted-bugs',
  shows: 'the simulation finds each bug that is planted in the core; rewrites test/sim/planted-bugs.md',
  takes: '10 minutes',
  needsRoot: false,
  smallest: SIMULATION_TEST,
  full: script(SIM, '--planted', '--write'),
};

const MODEL_TEST = ['test/deep/model.test.ts'];

export const model: Proof = {
  name: 'model',
  shows: 'core and reference agree on every packet of 20 000 sequences, seeds drawn at random',
  takes: '5 minutes',
  needsRoot: false,
  smallest: { tests: MODEL_TEST },
  full: tests(MODEL_TEST, { MODEL_RUNS: '20000' }),
};

export const fuzz: Proof = {
  name: 'fuzz',
  shows: 'no packet of any bytes breaks the splitter',
  takes: '10 minutes',
  needsRoot: false,
  smallest: { tests: ['test/deep/fuzz.test.ts'] },
  full: script('test/fuzz/main.ts', '--seconds', '600'),
};

export const loads: Proof = {
  name: 'loads',
  shows: 'what ten million CPEs ask of one core and of the tables',
  takes: '10 minutes, an idle machine',
  needsRoot: false,
  section: { file: 'docs/scale.md', name: 'loads' },
  smallest: (say) => {
    say(describeFigures(measure('storm', 500)));
    return { failures: [] };
  },
  full: () => ({ failures: [], text: tableOfLoads() }),
};

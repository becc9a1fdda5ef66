/** Mutation testing: `npm run mutation` in full, and its report as a generated text. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MutationReport, reportText, scoreOf } from '../mutation/report';
import { program, ROOT } from './programs';
import type { Proof } from './proof';

/** In %: what is below needs a test, or a reason. */
const LEAST_SCORE = 95;

export const mutants: Proof = {
  name: 'mutants',
  shows: 'the quick tests of the core notice when its code is changed; rewrites test/mutation/survivors.md',
  takes: '45 minutes, an idle machine; fetches Stryker and mocha',
  needsRoot: false,
  section: { file: 'test/mutation/survivors.md', name: 'mutants' },
  smallest: { tests: ['test/deep/mutation-report.test.ts'] },
  full: async () => {
    const { failures } = await program(['npm', 'run', 'mutation'])();
    if (failures.length > 0) return { failures };
    const report = JSON.parse(readFileSync(join(ROOT, 'build', 'mutation.json'), 'utf8')) as MutationReport;
    const score = scoreOf(Object.values(report.files).flatMap((file) => file.mutants)) ?? 0;
    const tooLow = score < LEAST_SCORE ? [`the score is ${score.toFixed(1)} %, below ${LEAST_SCORE} %`] : [];
    return { failures: tooLow, text: reportText(report) };
  },
};

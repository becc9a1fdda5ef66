/** The text that `npm run prove mutants` writes: made from Stryker's report alone, and places are names, not lines. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mutant, reportText, scoreOf } from '../mutation/report';

const SOURCE = `const LIFE = 5;
class Rows {
  find(): number {
    return this.at >= 0
      ? 1 : 2;
  }
}
`;

const place = (line: number, from: number, toLine: number, to: number) => ({
  start: { line, column: from },
  end: { line: toLine, column: to },
});

function mutant(status: string, replacement: string, location = place(4, 12, 4, 24)): Mutant {
  return { mutatorName: 'EqualityOperator', replacement, status, location };
}

test('figures by file and in all, and what no test noticed by its place', () => {
  const killed = mutant('Killed', 'true');
  const mutants = [killed, mutant('Timeout', 'x'), mutant('Survived', 'this.at > 0'), mutant('RuntimeError', '')];
  const constant = mutant('NoCoverage', '6', place(1, 14, 1, 15));
  const whole = mutant('Survived', '', place(4, 5, 5, 15));
  const text = reportText({
    files: {
      'src/tables/rows.ts': { source: SOURCE, mutants: [...mutants, constant] },
      'src/splitter/a.ts': { source: SOURCE, mutants: [whole, killed] },
    },
  });
  expect(text.split('\n')).toEqual([
    '| file | mutants | killed | timed out | not covered | survived | in error | score |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    '| `splitter/a.ts` | 2 | 1 | 0 | 0 | 1 | 0 | 50.0 % |',
    '| `tables/rows.ts` | 5 | 1 | 1 | 1 | 1 | 1 | 50.0 % |',
    '| all | 7 | 2 | 1 | 1 | 2 | 1 | 50.0 % |',
    '',
    'Not detected:',
    '',
    '- splitter/a.ts, `Rows.find`: `return this.at >= 0 ? 1 : 2;` becomes nothing (EqualityOperator)',
    '- tables/rows.ts, `Rows.find`: `this.at >= 0` becomes `this.at > 0` (EqualityOperator)',
    '- tables/rows.ts, `LIFE`: `5` becomes `6` (EqualityOperator)',
  ]);
});

test('a file without a mutant that could be noticed has no score', () => {
  expect(scoreOf([mutant('RuntimeError', '')])).toBeUndefined();
});

test('the report is where the proof looks for it, and the text has a place for it', () => {
  const read = (...path: string[]) => readFileSync(join(__dirname, '..', '..', ...path), 'utf8');
  const settings = JSON.parse(read('stryker.config.json')) as { reporters: string[]; jsonReporter: unknown };
  expect(settings.reporters).toContain('json');
  expect(settings.jsonReporter).toEqual({ fileName: 'build/mutation.json' });
  expect(read('test', 'mutation', 'survivors.md')).toMatch(/<!-- begin mutants -->[^]*<!-- end mutants -->/);
});

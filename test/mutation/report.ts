/** Stryker's report as the text of survivors.md: figures by file, and each mutant that no test noticed, by its place. */
import ts from 'typescript';

/** What is read of build/mutation.json (mutation-testing-report-schema). Lines and columns count from 1. */
export interface MutationReport {
  files: Record<string, { source: string; mutants: Mutant[] }>;
}

export interface Mutant {
  mutatorName: string;
  replacement?: string;
  status: string;
  location: { start: Position; end: Position };
}

interface Position {
  line: number;
  column: number;
}

const COLUMNS: readonly (readonly [title: string, ...statuses: string[]])[] = [
  ['killed', 'Killed'],
  ['timed out', 'Timeout'],
  ['not covered', 'NoCoverage'],
  ['survived', 'Survived'],
  ['in error', 'RuntimeError', 'CompileError'],
];
const DETECTED = ['Killed', 'Timeout'];
const UNDETECTED = ['Survived', 'NoCoverage'];

export function reportText({ files }: MutationReport): string {
  const names = Object.keys(files).sort();
  const all = names.flatMap((name) => files[name]!.mutants);
  return [
    `| file | mutants | ${COLUMNS.map(([title]) => title).join(' | ')} | score |`,
    `| --- | ${'---: | '.repeat(COLUMNS.length + 2)}`.trimEnd(),
    ...names.map((name) => row(`\`${name.replace(/^src\//, '')}\``, files[name]!.mutants)),
    row('all', all),
    '',
    'Not detected:',
    '',
    ...names.flatMap((name) => survivorsOf(name, files[name]!)),
  ].join('\n');
}

/** Those that a test noticed, of those that any test could have noticed. Undefined where there is none. */
export function scoreOf(mutants: readonly Mutant[]): number | undefined {
  const detected = count(mutants, DETECTED);
  const valid = detected + count(mutants, UNDETECTED);
  return valid === 0 ? undefined : (100 * detected) / valid;
}

function row(name: string, mutants: readonly Mutant[]): string {
  const score = scoreOf(mutants);
  const counts = COLUMNS.map(([, ...statuses]) => count(mutants, statuses));
  return `| ${[name, mutants.length, ...counts, score === undefined ? '' : `${score.toFixed(1)} %`].join(' | ')} |`;
}

function count(mutants: readonly Mutant[], statuses: readonly string[]): number {
  return mutants.filter(({ status }) => statuses.includes(status)).length;
}

function survivorsOf(name: string, { source, mutants }: MutationReport['files'][string]): string[] {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.ES2022, true);
  const at = ({ line, column }: Position) => ts.getPositionOfLineAndCharacter(file, line - 1, column - 1);
  return mutants
    .filter(({ status }) => UNDETECTED.includes(status))
    .map(({ mutatorName, replacement = '', location }) => {
      const [from, to] = [at(location.start), at(location.end)];
      const place = `${name.replace(/^src\//, '')}, ${placeOf(file, from)}`;
      return `- ${place}: ${code(source.slice(from, to))} becomes ${code(replacement)} (${mutatorName})`;
    });
}

/** `Class.method`, a function, or a constant of the file. */
function placeOf(file: ts.SourceFile, at: number): string {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (at < node.getStart() || at >= node.end) return;
    if (ts.isConstructorDeclaration(node)) names.push('constructor');
    const isNamed = ts.isClassDeclaration(node) || ts.isMethodDeclaration(node) || ts.isFunctionDeclaration(node);
    if (isNamed || ts.isAccessor(node)) names.push(node.name?.getText() ?? '');
    else if (ts.isVariableDeclaration(node) && names.length === 0) names.push(node.name.getText());
    node.forEachChild(visit);
  };
  file.forEachChild(visit);
  return `\`${names.join('.') || 'the file'}\``;
}

/** On one line, and short. */
function code(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line === '' ? 'nothing' : `\`${line.length > 80 ? `${line.slice(0, 80)} …` : line}\``;
}

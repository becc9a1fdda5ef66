/** The reference is a second reading only as long as it shares no code with what it judges. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

test('the reference imports nothing but itself', () => {
  const files = readdirSync(__dirname).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  expect(files.length).toBeGreaterThanOrEqual(4);
  for (const name of files) {
    const text = readFileSync(join(__dirname, name), 'utf8');
    const imported = [...text.matchAll(/(?:from|import|require)\s*\(?\s*['"]([^'"]+)['"]/g)].map((match) => match[1]);
    expect([name, imported.filter((path) => !files.includes(`${path.replace(/^\.\//, '')}.ts`))]).toEqual([name, []]);
  }
});

/** The model is worth something only as long as it shares nothing with what it judges. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const MODEL = /^(bits|model.*)\.ts$/;

test('the model imports nothing but itself', () => {
  const files = readdirSync(__dirname).filter((name) => MODEL.test(name));
  expect(files.length).toBeGreaterThanOrEqual(4);
  for (const name of files) {
    const text = readFileSync(join(__dirname, name), 'utf8');
    const imported = [...text.matchAll(/(?:from|import|require)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]);
    expect([name, imported.filter((path) => !MODEL.test(`${path.replace(/^\.\//, '')}.ts`))]).toEqual([name, []]);
  }
});

/** Every script of this folder comes true, in each of its modes. How they read: test/support/story.ts */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readScript, tell } from '../support/story';

const names = readdirSync(__dirname)
  .filter((name) => name.endsWith('.story'))
  .map((name) => name.replace(/\.story$/, ''));

const cases = names.flatMap((name) => {
  const script = readScript(readFileSync(join(__dirname, `${name}.story`), 'utf8'));
  return script.modes.map((mode) => ({ claim: name.replaceAll('-', ' '), mode, script }));
});

test.each(cases)('$claim ($mode)', ({ script, mode }) => {
  expect(tell(script, mode).packets).toBeGreaterThan(0);
});

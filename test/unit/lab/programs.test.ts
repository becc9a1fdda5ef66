import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingPrograms } from '../../../src/lab/routers/programs';

test('what is missing for two routers is named', () => {
  const directory = mkdtempSync(join(tmpdir(), 'acsplit-programs-'));
  try {
    expect(missingPrograms([directory, '/nowhere'])).toEqual(['keepalived', 'redis-server']);
    writeFileSync(join(directory, 'keepalived'), '');
    expect(missingPrograms(['/nowhere', directory])).toEqual(['redis-server']);
    writeFileSync(join(directory, 'redis-server'), '');
    expect(missingPrograms([directory])).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

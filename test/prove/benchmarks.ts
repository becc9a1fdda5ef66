/** Ratios within one run: our cost beside the alternatives. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DecideRow } from '../bench/decide-run';
import { compile } from '../support/compiled';
import type { Proof } from './proof';
import { program, script } from './programs';

const REPLAY = 'test/bench/replay.ts';

export const benchmarks: Proof = {
  name: 'benchmarks',
  shows: 'acsplit beside nft, HAProxy, C and npm nfqueue, and the core by itself; writes docs/benchmarks.md',
  takes: '30 minutes, root, an idle machine',
  needsRoot: true,
  smallest: (say) => {
    const folder = mkdtempSync(join(tmpdir(), 'acsplit-bench-'));
    try {
      const options = { rounds: 1, entries: 1000, capacity: 2048, collectors: 1 };
      const words = ['--expose-gc', compile('test/bench/decide-run.ts', folder), JSON.stringify(options)];
      const rows = JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' })) as DecideRow[];
      for (const row of rows) say(JSON.stringify(row));
      return { failures: rows.length > 0 ? [] : ['no kind of packet was measured'] };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  full: program(['npm', 'run', 'bench']),
};

export const replaySpeed: Proof = {
  name: 'replay-speed',
  shows: '`acsplit replay` beside tcprewrite: the same output, and how fast; writes the figures of docs/replay.md',
  takes: '2 minutes, tcprewrite, an idle machine',
  needsRoot: false,
  smallest: script(REPLAY, '5000', '1'),
  full: script(REPLAY),
};

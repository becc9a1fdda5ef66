/** What the supervisor logs and keeps when the tables are reset: the pause, and how many packets were decided. */
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HeldState } from '../../../../src/engine/supervisor/held-state';
import { parseQueueCounters } from '../../../../src/engine/shared/queue-counters';
import { stateFilePath } from '../../../../src/engine/shared/state-file';
import { composeStatus } from '../../../../src/engine/report/status';
import { DEFAULT_LIVES } from '../../../../src/splitter/topology';
import { TOPOLOGY } from '../../../support/rig';
import { QUIET } from '../../../support/quiet-status';

let directory: string;
let open: HeldState[] = [];
let lines: [fields: object, message: string][] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'acsplit-held-'));
  lines = [];
});
afterEach(() => {
  for (const state of open) state.close();
  open = [];
  rmSync(directory, { recursive: true });
});

function hold(capacityEntries = 64): HeldState {
  const note = (fields: object, message: string) => void lines.push([fields, message]);
  const state = new HeldState({
    ...{ topology: TOPOLOGY, activation: 'auto', lives: DEFAULT_LIVES, capacityEntries, stateDirectory: directory },
    onCollectorDown: 'itms',
    ...{ name: 'default', queue: { first: 40 } },
    log: { info: note, warn: note, error: note },
  });
  open.push(state);
  return state;
}

test.each([
  ['paused', true, 'tables reset: tables.capacity was 64 and is 128; diverting stays paused'],
  ['not paused', false, 'tables reset: tables.capacity was 64 and is 128'],
])('another capacity, %s: it stays so, and the log says so', (_, paused, message) => {
  hold().header.paused = paused;
  const next = hold(128);
  expect(next.header.paused).toBe(paused);
  expect(lines).toEqual([[{ event: 'state-replaced', reason: 'tables.capacity was 64 and is 128', paused }, message]]);
});

test('whether it was paused is unknown: the log tells that it is not', () => {
  hold().header.paused = true;
  truncateSync(stateFilePath(directory), 100);
  expect(hold().header.paused).toBe(false);
  expect(lines[0]![1]).toBe('tables reset: it is cut short; diverting is not paused: if it was, acsplit pause');
});

test('between two workers: a pause stays', () => {
  const state = hold();
  state.header.paused = true;
  state.replace('a damaged table header', []);
  expect(state.header.paused).toBe(true);
  expect(lines).toEqual([
    [
      { event: 'state-replaced', reason: 'a damaged table header', paused: true },
      'tables reset: a damaged table header; diverting stays paused',
    ],
  ]);
});

describe('between two workers: the earlier packet count is not lost', () => {
  const rows: [string, (decided: Float64Array) => void][] = [
    ['and the count was right', () => undefined],
    ['and the count was zeroed', (decided) => decided.fill(0)],
    ['and the count was damaged', (decided) => decided.fill(-1e300)],
  ];
  test.each(rows)('%s', (_, damage) => {
    // An engine before this one had decided 1000.
    hold().look.counters.byQueue[1] = 1000;
    const state = hold();
    const lost = (lastPacketId: number, waiting: number) =>
      composeStatus({
        ...{
          version: '',
          name: 'default',
          pid: 0,
          isReady: true,
          uptimeMs: 0,
          worker: { pid: 0, restarts: 0 },
          activation: 'auto',
        },
        ...{ paused: false, splitter: state.look, eventCounts: new Float64Array(), earlier: state.earlier },
        ...{ firstQueue: 40, queues: counters(lastPacketId, waiting) },
        loop: { verdictsLate: 0, unparsed: 0, givenUp: 0 },
        ...QUIET,
        servers: {},
      }).queues[1]!.lost;
    state.look.counters.byQueue[1] = 1500;
    expect(lost(507, 7)).toBe(0);
    damage(state.look.counters.byQueue);
    state.replace('a damaged table header', counters(507, 7));
    expect([state.look.counters.byQueue[1], lost(507, 7)]).toEqual([0, 0]);
    state.look.counters.byQueue[1] = 20;
    expect(lost(520, 0)).toBe(0);
    expect(lost(523, 0)).toBe(3);
  });
});

function counters(lastPacketId: number, waiting: number) {
  return parseQueueCounters(`   41 1 ${waiting} 2 65535 0 0 ${lastPacketId} 1\n`);
}

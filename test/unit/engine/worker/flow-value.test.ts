/** A connection in the fast path's maps: the layout of native/fast-path/layout.h, and what becomes of a row in it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FlowState, FlowWord, NUMBERS_BYTES } from '../../../../src/engine/shared/flow-value';
import { RING_BYTES } from '../../../../src/engine/worker/overheard';
import { MAX_SEGMENT_BYTES } from '../../../../src/splitter/decide/http-head';
import { Word } from '../../../../src/tables/connection-row';

const HEADER = readFileSync(join(__dirname, '../../../../native/fast-path/layout.h'), 'utf8').replaceAll(
  /\/\*.*?\*\//gs,
  '',
);

test('the numbers stand where the C header has them', () => {
  const words: string[] = [];
  for (const [, type, name, count] of /struct numbers \{(.*?)\};/s
    .exec(HEADER)![1]!
    .matchAll(/__u(32|64) (\w+)(?:\[(\d)\])?;/g)) {
    for (let i = 0; i < (Number(type) / 32) * Number(count ?? 1); i++) words.push(name!);
  }
  expect(words).toHaveLength(NUMBERS_BYTES / 4);
  const at = { spoke: FlowWord.Spoke, data: FlowWord.Data, state: FlowWord.State, server: FlowWord.Server };
  expect(Object.keys(at).map((name) => words.indexOf(name))).toEqual(Object.values(at));
  expect(words.slice(FlowWord.Isn)).toEqual([
    ...['isn', 'server_next', 'server_ack', 'server_edge', 'cpe_next', 'cpe_ack', 'cpe_edge', 'head_at', 'marks'],
  ]);
  expect([Word.Isn, Word.ServerNext, Word.ServerAck, Word.ServerEdge, Word.CpeNext]).toEqual([0, 1, 2, 3, 4]);
  expect([Word.CpeAck, Word.CpeEdge, Word.HeadAt, Word.Marks]).toEqual([5, 6, 7, 8]);
});

test('who has a connection is told alike', () => {
  expect(/enum flow_state \{(.*?)\};/s.exec(HEADER)![1]!.match(/\w+/g)).toEqual([
    ...['FLOW_OF_ENGINE', 'FLOW_OFFERED', 'FLOW_CARRIED', 'FLOW_HANDED', 'FLOW_GONE'],
  ]);
  const states = [FlowState.OfEngine, FlowState.Offered, FlowState.Carried, FlowState.Handed, FlowState.Gone];
  expect(states).toEqual([0, 1, 2, 3, 4]);
});

test('the program copies as much as the engine reads', () => {
  expect(HEADER).toContain(`#define COPIED_BYTES ${MAX_SEGMENT_BYTES}\n`);
  expect(HEADER).toContain('#define COPIED_SEGMENTS 4\n');
  expect(HEADER).toContain(`#define OVERHEARD_BYTES (1 << ${Math.log2(RING_BYTES)})`);
});

/** Sequences of packets, waits and acts of the operator, in which most sessions are a collector's; and how to take them. */
import * as fc from 'fast-check';
import { addressNamed } from './family';
import { ITMS_PORT, REPORT_PORT, type Rig, type Server, TOPOLOGY, type Type } from './rig';

export type Act =
  | { what: 'cpe' | Server; type: Type; cpe: string; cpePort: number; port: number; payload: string; sequence?: number }
  | { what: 'wait'; ms: number }
  | { what: 'sweep' | 'kill' | 'takeover' }
  | { what: 'pause'; paused: boolean }
  | { what: 'activate' | 'deactivate'; cpe: string; collector: 'c1' | 'c2' };

const GET = 'GET / HTTP/1.1\r\n\r\n';
const ANSWERS = [
  'HTTP/1.1 200 OK\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 401 No\r\n\r\n',
  'HTTP/1.1 2',
  '\x16\x03',
];
const cpe = fc.constantFrom('10.1.7.1', '10.1.7.1', '10.1.7.2');
const collector = fc.constantFrom<'c1' | 'c2'>('c1', 'c2');
const type = fc.constantFrom<Type>('SYN', 'SYN', 'SYN+ACK', 'ACK', 'DATA', 'DATA', 'FIN', 'RST', 'bare RST');
const REPORT = {
  cpePort: fc.constantFrom(40001, 40001, 40002),
  port: fc.constantFrom(REPORT_PORT, REPORT_PORT, ITMS_PORT),
};
const REQUEST = { cpePort: fc.constant(7170), port: fc.constantFrom(50001, 50001, 50002) };
const sequence = fc.option(fc.constantFrom(5, 1000, 1001, 90_000), { nil: undefined, freq: 8 });

const packetOf = (ends: { cpePort: fc.Arbitrary<number>; port: fc.Arbitrary<number> }) =>
  fc.record({
    what: fc.constantFrom<'cpe' | Server>('cpe', 'cpe', 'c1', 'c1', 'c2', 'itms'),
    type,
    cpe,
    ...ends,
    payload: fc.constantFrom('', GET, ...ANSWERS),
    sequence,
  });

/** A collector wakes a CPE, which connects; the rest of their conversation is left to other arbitraries. */
const story = fc
  .tuple(collector, cpe, fc.constantFrom(...ANSWERS), fc.constantFrom(...ANSWERS))
  .map(([what, of, woken, last]): Act[] => {
    const request = { cpe: of, cpePort: 7170, port: 50001, payload: '' };
    const report = { cpe: of, cpePort: 40001, port: REPORT_PORT, payload: '' };
    return [
      { ...request, what, type: 'SYN' },
      { ...request, what: 'cpe', type: 'SYN+ACK' },
      { ...request, what, type: 'DATA', payload: GET },
      { ...request, what: 'cpe', type: 'DATA', payload: woken },
      { ...request, what, type: 'FIN' },
      { ...report, what: 'cpe', type: 'SYN' },
      { ...report, what, type: 'SYN+ACK' },
      { ...report, what: 'cpe', type: 'ACK' },
      { ...report, what: 'cpe', type: 'DATA', payload: GET },
      { ...report, what, type: 'DATA', payload: last },
    ];
  });
const one = (act: fc.Arbitrary<Act>) => act.map((each) => [each]);
export const acts = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: story },
      { weight: 12, arbitrary: one(packetOf(REPORT) as fc.Arbitrary<Act>) },
      { weight: 8, arbitrary: one(packetOf(REQUEST) as fc.Arbitrary<Act>) },
      {
        weight: 4,
        arbitrary: one(
          fc.record({
            what: fc.constant('wait' as const),
            ms: fc.constantFrom(1, 999, 3000, 10_001, 60_001, 300_001, 7_500_001, 2 ** 30 + 1),
          }),
        ),
      },
      {
        weight: 2,
        arbitrary: one(
          fc.record({
            what: fc.constantFrom('sweep' as const, 'sweep' as const, 'kill' as const, 'takeover' as const),
          }),
        ),
      },
      { weight: 1, arbitrary: one(fc.record({ what: fc.constant('pause' as const), paused: fc.boolean() })) },
      {
        weight: 1,
        arbitrary: one(
          fc.record({ what: fc.constantFrom('activate' as const, 'deactivate' as const), cpe, collector }),
        ),
      },
    ),
    { minLength: 1, maxLength: 60, size: 'max' },
  )
  .map((lists) => lists.flat());

/** @param listen called when a worker was killed and the next one has taken the tables over */
export function take(rig: Rig, act: Act, listen: () => void): void {
  switch (act.what) {
    case 'wait':
      return void rig.wait(act.ms);
    case 'sweep':
      return rig.splitter.sweep(rig.nowMs);
    case 'takeover':
      return rig.splitter.endActivations(rig.nowMs);
    case 'kill':
      // Another worker takes the tables over, and the listener begins again.
      rig.restart({ topology: TOPOLOGY, activation: rig.splitter.activation });
      return listen();
    case 'pause':
      rig.splitter.paused = act.paused;
      return;
    case 'activate':
      return void rig.splitter.activate(addressNamed(act.cpe), act.collector, rig.nowMs);
    case 'deactivate':
      return void rig.splitter.deactivate(addressNamed(act.cpe), rig.nowMs);
    default: {
      const { what, type, sequence, ...fields } = act;
      const packet = { ...fields, ...(sequence !== undefined && { sequence }) };
      if (what === 'cpe') rig.cpe(type, packet);
      else rig.from(what, type, packet);
    }
  }
}

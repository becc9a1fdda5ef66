/**
 * The worker is killed between any two writes to the tables, and the next one decides the current packet again, from
 * the bytes it came with. The result is the same: each packet goes to the same place, now and later, and the tables end
 * up the same.
 */
import { Splitter } from '../../../src/splitter/splitter';
import { type ActivationMode } from '../../../src/splitter/topology';
import { FAMILY, topologyIn } from '../../support/family';
import { GET, OK, Rig, TOPOLOGY, UNAUTHORIZED } from '../../support/rig';

type Step = (rig: Rig) => string;

const OTHER_PORT = 40002;
const CAPACITY = 16;

const request = (server: 'c1' | 'c2' | 'itms', port: number, answer: string, sequence = 7001): Step[] => [
  (rig) => rig.from(server, 'SYN', { port, sequence: 500 + port }),
  (rig) => rig.cpe('SYN+ACK', { port, sequence: 7000 }),
  (rig) => rig.from(server, 'DATA', { port, sequence: 501, payload: GET }),
  (rig) => rig.cpe('DATA', { port, sequence, payload: answer }),
  (rig) => rig.from(server, 'FIN', { port, sequence: 600 }),
  (rig) => rig.cpe('FIN', { port, sequence: 7100 }),
];

const session = (server: 'c1' | 'c2', cpePort: number): Step[] => [
  (rig) => rig.cpe('SYN', { cpePort, sequence: cpePort }),
  (rig) => rig.from(server, 'SYN+ACK', { cpePort }),
  (rig) => rig.cpe('DATA', { cpePort, payload: 'inform' }),
  (rig) => rig.cpe('FIN', { cpePort }),
  (rig) => rig.from(server, 'FIN', { cpePort }),
];

const STORIES: Record<string, Step[]> = {
  'woken, diverted, and back at the ITMS': [
    ...request('c1', 50001, OK),
    ...session('c1', 40001),
    (rig) => rig.wait(5000).cpe('SYN', { cpePort: OTHER_PORT }),
  ],
  'a session goes on in grace, on two more connections': [
    ...request('c1', 50001, OK),
    ...session('c1', 40001),
    ...session('c1', 40002),
    ...session('c1', 40003),
    (rig) => rig.wait(5000).cpe('SYN', { cpePort: 40004 }),
  ],
  'a port is used again at once': [
    ...request('c1', 50001, OK),
    ...session('c1', 40001),
    ...request('c2', 50002, OK),
    (rig) => rig.cpe('SYN', { cpePort: 40001, sequence: 99 }),
    (rig) => rig.from('c2', 'SYN+ACK', { cpePort: 40001 }),
    (rig) => rig.cpe('SYN', { cpePort: OTHER_PORT }),
  ],
  'its SYN is repeated': [
    ...request('c1', 50001, OK),
    (rig) => rig.cpe('SYN', { cpePort: 40001, sequence: 40001 }),
    (rig) => rig.wait(9000).cpe('SYN', { cpePort: 40001, sequence: 40001 }),
    (rig) => rig.wait(9000).from('c1', 'SYN+ACK', { cpePort: 40001 }),
    (rig) => rig.wait(60_000).cpe('SYN', { cpePort: 40001, sequence: 40001 }),
  ],
  'a 401, then a 200 on one connection': [
    ...request('c1', 50001, UNAUTHORIZED).slice(0, 4),
    (rig) => rig.cpe('DATA', { port: 50001, sequence: 7050, payload: OK }),
    ...session('c1', 40001),
  ],
  'two collectors on one source port': [
    ...request('c1', 50001, UNAUTHORIZED).slice(0, 4),
    (rig) => rig.from('c2', 'SYN', { port: 50001, sequence: 9 }),
    (rig) => rig.from('c2', 'DATA', { port: 50001, sequence: 10, payload: GET }),
    (rig) => rig.cpe('DATA', { port: 50001, sequence: 7050, payload: OK }),
    ...session('c1', 40001),
  ],
  'the ITMS ends what a collector has armed': [
    ...request('c1', 50001, OK),
    ...request('itms', 50003, OK),
    (rig) => rig.cpe('SYN', { cpePort: 40001 }),
  ],
  'a forged reset, then the connection goes on': [
    ...request('c1', 50001, OK),
    ...session('c1', 40001).slice(0, 3),
    (rig) => rig.from('c1', 'RST', { cpePort: 40001 }),
    (rig) => rig.cpe('DATA', { cpePort: 40001, payload: 'on' }),
    (rig) => rig.cpe('RST', { cpePort: 40001 }),
    (rig) => rig.from('c1', 'DATA', { cpePort: 40001, payload: 'on' }),
    (rig) => rig.cpe('FIN', { cpePort: 40001 }),
    (rig) => rig.cpe('SYN', { cpePort: OTHER_PORT }),
  ],
  // (Its RST itself may be lost: the CPE's SYN comes again, and is the ITMS's then.)
  'the collector refuses': [
    ...request('c1', 50001, OK),
    (rig) => rig.cpe('SYN', { cpePort: 40001 }),
    (rig) => (rig.from('c1', 'RST', { cpePort: 40001 }), ': '),
    (rig) => rig.cpe('SYN', { cpePort: OTHER_PORT }),
  ],
  // (The RST that refuses one may go to the ITMS, which never asked and ignores it; the collector's next SYN is refused.)
  'a Connection Request is reset': [
    ...request('c1', 50002, OK).slice(0, 3),
    (rig) => rig.cpe('RST', { port: 50002 }),
    (rig) => rig.from('c1', 'SYN', { port: 50002, sequence: 4 }),
    (rig) => rig.cpe('SYN', { cpePort: 40001 }),
  ],
  'the CPE resets its diverted connection, and opens another': [
    ...request('c1', 50001, OK),
    ...session('c1', 40001).slice(0, 3),
    (rig) => rig.cpe('RST', { cpePort: 40001 }),
    (rig) => rig.cpe('SYN', { cpePort: OTHER_PORT }),
  ],
};

/** Thrown at the write at which the worker dies. */
class Killed extends Error {}

/** Has the splitter die at its `nth` write to the tables from here on; answers how many there were when it lived. */
function killAt(splitter: Splitter, nth: number): () => number {
  let writes = 0;
  const put = (act: () => void): void => {
    if (++writes === nth) throw new Killed();
    act();
  };
  const watched = (words: Int32Array): Int32Array =>
    new Proxy(words, {
      get: (_, name) => {
        if (name === 'copyWithin') {
          return (to: number, from: number, end: number) => {
            for (let i = 0; from + i < end; i++) put(() => (words[to + i] = words[from + i]));
          };
        }
        const value = Reflect.get(words, name) as unknown;
        return typeof value === 'function' ? (value as (...rest: unknown[]) => unknown).bind(words) : value;
      },
      set: (_, name, word: number) => {
        put(() => (words[Number(name)] = word));
        return true;
      },
    });
  const {
    connectionRequests: requests,
    activatedCpes: activated,
    reportConnections: reports,
    pins,
  } = splitter.state[FAMILY]!;
  const tables = [requests.table, (requests as unknown as { remaps: object }).remaps, activated.table, reports.table];
  for (const table of tables as unknown as Record<'rows' | 'header', Int32Array>[]) {
    table.rows = watched(table.rows);
    table.header = watched(table.header);
  }
  const cache = pins as unknown as { lines: Int32Array };
  cache.lines = watched(cache.lines);
  return () => writes;
}

/** Where a packet went. The reason may differ: the second decision sees a repetition. */
function whereTo(line: string): string {
  return line.slice(0, line.indexOf(': '));
}

function end(rig: Rig): string[] {
  const reports = [40001, 40002, 40003, 40004].map((port) => rig.report(port));
  return [rig.activation(), ...reports, ...[50001, 50002, 50003].map((port) => rig.request(port))];
}

function tell(rig: Rig, steps: Step[]): string[] {
  return [...steps.map((step) => whereTo(step(rig))), ...end(rig)];
}

function begin(activation: ActivationMode): { rig: Rig; buffer: ArrayBuffer } {
  const buffer = new ArrayBuffer(Splitter.bufferBytes(CAPACITY, topologyIn(TOPOLOGY)));
  return { rig: new Rig({ activation, capacityEntries: CAPACITY, buffer }), buffer };
}

describe.each(['auto', 'fin'] as const)('in %s', (activation) => {
  test.each(Object.entries(STORIES))('%s', (_claim, steps) => {
    const expected = tell(begin(activation).rig, steps);
    let deaths = 0;
    for (let step = 0; step < steps.length; step++) {
      for (let nth = 1; ; nth++) {
        const { rig } = begin(activation);
        const told = steps.slice(0, step).map((before) => whereTo(before(rig)));
        const nowMs = rig.nowMs;
        killAt(rig.splitter, nth);
        let died = false;
        try {
          steps[step](rig);
        } catch (error) {
          if (!(error instanceof Killed)) throw error;
          died = true;
        }
        if (!died) break;
        deaths++;
        rig.nowMs = nowMs;
        rig.restart({ activation, seed: 77 });
        told.push(...tell(rig, steps.slice(step)));
        if (told.join('\n') !== expected.join('\n')) {
          throw new Error(`killed in step ${step} at write ${nth}:\n${diff(expected, told)}`);
        }
      }
    }
    expect(deaths).toBeGreaterThan(20);
  });
});

function diff(expected: string[], told: string[]): string {
  return expected.flatMap((line, i) => (line === told[i] ? [] : [`  ${i}: ${line}, but ${told[i]}`])).join('\n');
}

/** A connection's life depends on what has been seen of it: the strongest sign decides. */
import { Seen } from '../../../src/tables/connection-row';
import { ConnectionTable } from '../../../src/tables/connection-table';
import { addressNamed, neighbours, WORDS } from '../../support/family';

const LIVES = { unansweredMs: 10_000, establishedMs: 7_500_000, finOneMs: 240_000, finBothMs: 120_000, resetMs: 5_000 };
const CPE = addressNamed('10.1.2.3');
const COLLECTOR = 3;
/** Puts the connection of these tests into slot 0, which is easily taken for none. */
const SEED = 2739;

function tableOf(): ConnectionTable {
  const buffer = new ArrayBuffer(ConnectionTable.bytes(64, WORDS));
  const memory = { buffer, at: 0, capacityEntries: 64, addressWords: WORDS, seed: SEED };
  const connections = new ConnectionTable(memory, LIVES);
  connections.table.advance(0);
  return connections;
}

describe('lives', () => {
  test.each([
    ['a SYN', 0, LIVES.unansweredMs],
    ['a SYN and a SYN+ACK, unconfirmed', Seen.Learned | Seen.Waiting, LIVES.unansweredMs],
    ['an answer', Seen.Answer, LIVES.establishedMs],
    ['an answer, learned and remapped', Seen.Answer | Seen.Learned | Seen.Remapped, LIVES.establishedMs],
    ['a FIN of the CPE', Seen.Answer | Seen.FinOfCpe, LIVES.finOneMs],
    ['a FIN of the server', Seen.Answer | Seen.FinOfServer, LIVES.finOneMs],
    ['FINs of both', Seen.Answer | Seen.FinOfCpe | Seen.FinOfServer, LIVES.finBothMs],
    ['a RST of the CPE', Seen.Answer | Seen.RstOfCpe, LIVES.resetMs],
    ['a RST of the server after both FINs', Seen.FinOfCpe | Seen.FinOfServer | Seen.RstOfServer, LIVES.resetMs],
  ])('after %s', (_seen, bits, lifeMs) => {
    const connections = tableOf();
    const slot = connections.open(CPE, 50_000, 7547, COLLECTOR, 1);
    connections.mark(slot, bits);
    connections.table.advance(lifeMs);
    expect(connections.find(CPE, 50_000, 7547)).toBe(slot);
    connections.table.advance(lifeMs + 1);
    expect(connections.find(CPE, 50_000, 7547)).toBe(-1);
  });

  test('changed lives apply to existing connections', () => {
    const connections = tableOf();
    connections.open(CPE, 50_000, 7547, COLLECTOR, 1);
    connections.table.advance(8_000);
    connections.setLives({ ...LIVES, unansweredMs: 7_999 });
    expect(connections.find(CPE, 50_000, 7547)).toBe(-1);
  });
});

describe('keys are exact', () => {
  test.each([
    ...neighbours(CPE).map((cpe): [string, Int32Array, number, number] => [`CPE ${cpe}`, cpe, 50_000, 7547]),
    ['another CPE port', CPE, 50_001, 7547],
    ['another port at the ACS address', CPE, 50_000, 7548],
    ['the ports the other way round', CPE, 7547, 50_000],
  ])('%s is another connection', (_what, cpe, cpePort, port) => {
    const connections = tableOf();
    connections.open(CPE, 50_000, 7547, COLLECTOR, 1);
    expect(connections.find(cpe, cpePort, port)).toBe(-1);
  });

  test.each([
    [0, 0, 0, 0, 0],
    [-1, 65_535, 65_535, 1_023, -1],
    [0x7fffffff, 1, 65_535, 1, 0x7fffffff],
    [-0x80000000, 65_535, 1, 512, -0x80000000],
  ])('CPE %i, ports %i and %i, owner %i, ISN %i come back as they were stored', (word, cpePort, port, owner, isn) => {
    const cpe = new Int32Array(WORDS).fill(word);
    const connections = tableOf();
    const slot = connections.open(cpe, cpePort, port, owner, isn);
    connections.mark(slot, 0x3ff);
    const stored = [connections.cpe(slot), connections.cpePort(slot), connections.visiblePort(slot)];
    expect([...stored, connections.owner(slot), connections.isn(slot)]).toEqual([cpe, cpePort, port, owner, isn]);
  });
});

test('the ISN of an entry whose opening was cut short is set later; a full table opens none', () => {
  const connections = tableOf();
  const slot = connections.open(CPE, 50_000, 7547, COLLECTOR, 1);
  connections.begin(slot, 2);
  expect([slot, connections.isn(slot)]).toEqual([0, 2]);
  for (let port = 1; port < 64; port++) connections.open(CPE, port, 7547, COLLECTOR, 1);
  expect(connections.open(CPE, 64, 7547, COLLECTOR, 1)).toBe(-1);
});

describe('signs', () => {
  test('opened again over a closing connection, nothing of the old one is left', () => {
    const connections = tableOf();
    connections.mark(connections.open(CPE, 50_000, 7547, COLLECTOR, 1), Seen.Answer | Seen.FinOfCpe | Seen.Learned);
    const slot = connections.open(CPE, 50_000, 7547, 9, 2);
    expect(connections.table.state(slot)).toBe(Seen.Syn | (9 << 16));
    expect([connections.isn(slot), connections.table.count]).toEqual([2, 1]);
  });

  test('reopened by its owner, it keeps owner and remapping, and forgets the rest', () => {
    const connections = tableOf();
    const slot = connections.open(CPE, 50_000, 7547, COLLECTOR, 1);
    connections.mark(slot, Seen.Remapped | Seen.Answer | Seen.FinOfServer | Seen.Learned);
    connections.table.advance(100_000);
    connections.reopen(slot, 2);
    expect(connections.table.state(slot)).toBe(Seen.Syn | Seen.Remapped | (COLLECTOR << 16));
    expect([connections.isn(slot), connections.idleMs(slot)]).toEqual([2, 0]);
  });

  test('packets keep an answered connection; an unanswered one lives by its SYNs alone', () => {
    const connections = tableOf();
    const slot = connections.open(CPE, 50_000, 7547, COLLECTOR, 1);
    connections.table.advance(4_000);
    connections.keep(slot);
    expect(connections.idleMs(slot)).toBe(4_000);
    connections.mark(slot, Seen.Answer);
    connections.keep(slot);
    expect(connections.idleMs(slot)).toBe(0);
  });

  test('a RST is lifted by the side that received it, once', () => {
    const connections = tableOf();
    const slot = connections.open(CPE, 50_000, 7547, COLLECTOR, 1);
    connections.mark(slot, Seen.Answer | Seen.RstOfCpe);
    expect(connections.lift(slot, Seen.RstOfServer)).toBe(false);
    expect(connections.isReset(slot)).toBe(true);
    expect(connections.lift(slot, Seen.RstOfCpe)).toBe(true);
    expect(connections.lift(slot, Seen.RstOfCpe)).toBe(false);
    expect([connections.isReset(slot), connections.isAnswered(slot)]).toEqual([false, true]);
  });

  test.each([
    ['nothing', 0, [false, false, false]],
    ['a FIN', Seen.FinOfCpe, [true, false, false]],
    ['both FINs', Seen.FinOfCpe | Seen.FinOfServer, [true, true, false]],
    ['a RST', Seen.RstOfServer, [true, false, true]],
  ])('closing, finished, reset: after %s', (_what, bits, expected) => {
    const connections = tableOf();
    const slot = connections.open(CPE, 50_000, 7547, COLLECTOR, 1);
    connections.mark(slot, bits);
    expect([connections.isClosing(slot), connections.isFinished(slot), connections.isReset(slot)]).toEqual(expected);
  });
});

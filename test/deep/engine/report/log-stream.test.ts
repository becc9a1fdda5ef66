/** The log never blocks and never fails; lines it cannot write are counted and reported later. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DescriptorSink, isJournal, openAgain, type Sink } from '../../../../src/engine/report/log-sink';
import { LogStream } from '../../../../src/engine/report/log-stream';

/** Takes so many bytes, or fails. */
class TestSink implements Sink {
  isHolding = false;
  room = Infinity;
  fault: string | undefined;
  private taken = '';

  put(bytes: Buffer): number {
    if (this.room === 0) return 0;
    if (this.fault !== undefined && this.room === Infinity) throw new Error(this.fault);
    const count = Math.min(this.room, bytes.length);
    this.room -= count;
    this.taken += bytes.subarray(0, count).toString();
    // A device that is full takes a piece of a line before it fails.
    if (this.fault !== undefined && this.room === 0) this.room = Infinity;
    return count;
  }

  /** The lines so far; of a line about lost ones, how many. */
  lines(): string[] {
    return this.taken.split('\n').map((line) => {
      if (!line.startsWith('{')) return line;
      const { level, event, lines, msg } = JSON.parse(line) as Record<string, unknown>;
      expect({ level, event, msg }).toEqual({
        ...{ level: 'warn', event: 'log-lost' },
        msg: `${String(lines)} lines of the log are missing here: they could not be written`,
      });
      return `lost ${String(lines)}`;
    });
  }
}

test('the journal is where JOURNAL_STREAM says, and nowhere after a redirection', () => {
  const descriptor = openSync(__filename, 'r');
  const { dev, ino } = fstatSync(descriptor);
  expect(isJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, descriptor)).toBe(true);
  expect(isJournal({ JOURNAL_STREAM: `${dev}:${ino + 1}` }, descriptor)).toBe(false);
  expect(isJournal({}, descriptor)).toBe(false);
  closeSync(descriptor);
});

describe('lines', () => {
  let sink: TestSink;
  let log: LogStream;
  const write = (...lines: string[]) => lines.forEach((line) => log.write(`${line}\n`));
  beforeEach(() => {
    jest.useFakeTimers();
    sink = new TestSink();
    log = new LogStream(sink, 20);
  });
  afterEach(() => jest.useRealTimers());

  test('are written at once', () => {
    write('one', 'two');
    expect(sink.lines()).toEqual(['one', 'two', '']);
  });

  test('bear a priority where the journal reads them', () => {
    const journal = new LogStream(sink, 200, true);
    const levels = ['error', 'warn', 'info'];
    for (const level of levels) journal.write(`{"level":"${level}"}\n`);
    journal.write('no JSON\n');
    expect(sink.lines()).toEqual(['<3>{"level":"error"}', '<4>{"level":"warn"}', '<6>{"level":"info"}', 'no JSON', '']);
  });

  test('that would have to wait follow in order, each whole, when there is room', () => {
    sink.room = 2;
    write('one', 'two', 'three');
    expect(sink.lines()).toEqual(['on']);
    sink.room = 4;
    jest.advanceTimersByTime(1000);
    expect(sink.lines()).toEqual(['one', 'tw']);
    sink.room = Infinity;
    jest.advanceTimersByTime(1000);
    expect(sink.lines()).toEqual(['one', 'two', 'three', '']);
  });

  test('without room in the backlog are counted, and told of where they are missing', () => {
    sink.room = 0;
    write('seventeen bytes..', 'too', 'many');
    sink.room = Infinity;
    write('next');
    expect(sink.lines()).toEqual(['seventeen bytes..', 'lost 3', '']);
    write('last');
    expect(sink.lines()).toEqual(['seventeen bytes..', 'lost 3', 'last', '']);
  });

  test('that cannot be written are counted, however long it takes', () => {
    sink.fault = 'ENOSPC';
    write('one', 'two');
    jest.advanceTimersByTime(60_000);
    write('three');
    sink.fault = undefined;
    write('four');
    expect(sink.lines()).toEqual(['lost 3', 'four', '']);
  });

  test('that are lost are told of without another line to come', () => {
    sink.fault = 'EIO';
    write('one');
    sink.fault = undefined;
    jest.advanceTimersByTime(1000);
    expect(sink.lines()).toEqual(['lost 1', '']);
  });

  test('of which a piece was written do not run into the next', () => {
    sink.fault = 'ENOSPC';
    sink.room = 2;
    write('one');
    jest.advanceTimersByTime(1000);
    sink.fault = undefined;
    write('two');
    expect(sink.lines()).toEqual(['on', 'lost 1', 'two', '']);
  });

  test('that wait at the end are waited for, and not for ever', async () => {
    jest.useRealTimers();
    sink.room = 0;
    write('one');
    expect(await log.end()).toBe(false);
    setTimeout(() => (sink.room = Infinity), 50);
    expect(await log.end()).toBe(true);
    expect(sink.lines()).toEqual(['one', '']);
    sink.isHolding = true;
    expect(await log.end()).toBe(false);
  });

  test('that cannot be written hold up no end', async () => {
    jest.useRealTimers();
    sink.fault = 'EIO';
    write('one');
    expect(await log.end()).toBe(true);
  });
});

describe('a pipe', () => {
  let directory: string;
  let shared: number;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'acsplit-log-'));
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    // Opened for reading and writing, so that no reader has to exist.
    shared = openSync(path, constants.O_RDWR);
  });
  afterEach(() => {
    closeSync(shared);
    rmSync(directory, { recursive: true });
  });
  /** Of the open file, which descriptors of other processes may share. */
  const waits = (descriptor: number) => {
    const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))![1];
    return (parseInt(flags, 8) & constants.O_NONBLOCK) === 0;
  };

  test('that is full accepts nothing until it is read; other users of it still block', () => {
    const own = openAgain(shared)!;
    const sink = new DescriptorSink(own);
    const page = Buffer.alloc(4096, '.');
    while (sink.put(page) > 0);
    expect([waits(own), waits(shared)]).toEqual([false, true]);
    readSync(shared, Buffer.alloc(65536));
    expect(sink.put(page)).toBe(4096);
    closeSync(own);
  });

  test('without a reader cannot be opened again, and that is no error', () => {
    const path = join(directory, 'pipe');
    const [reader, writer] = [openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), openSync(path, 'w')];
    closeSync(reader);
    closeSync(shared);
    expect(openAgain(writer)).toBeUndefined();
    closeSync(writer);
    shared = openSync(path, constants.O_RDWR);
  });
});

test('a full disk fails', () => {
  const full = openSync('/dev/full', 'w');
  expect(() => new DescriptorSink(full).put(Buffer.from('x'))).toThrow('ENOSPC');
  closeSync(full);
});

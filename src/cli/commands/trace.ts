/**
 * `acsplit trace`: live, one line per event (armed, diverted, closed, contended, remapped, engine restarted). With --cpe
 * also one line per packet of that CPE; with --write the packets as a capture. The engine keeps the last few thousand of
 * both and never waits: if we fall behind, we skip some and report how many.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { type CommandModule } from 'yargs';
import { type PacketsAnswer, type TraceAnswer, type TraceEvent } from '../../engine';
import { requireAddress } from '../addresses';
import { asker, type Asker } from '../ask';
import { Failure } from '../../configuration/errors';
import { engineOptions, type EngineOptions, type GlobalOptions, jsonOption } from '../options';
import { describePacket, formatPacket, type PacketLine, TraceFile } from '../trace-packets';
import { formatTime, formatTraceEvent } from '../trace-text';

interface TraceOptions extends EngineOptions {
  cpe?: string | undefined;
  collector?: string | undefined;
  write?: string | undefined;
  json: boolean;
}

/** The engine keeps 4096 events and 2048 packets: at this interval we fall behind at about 8000 packets a second. */
const POLL_MS = 250;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export const traceCommand: CommandModule<GlobalOptions, TraceOptions> = {
  command: 'trace',
  describe: 'show activations and sessions live, one line per event; Ctrl-C ends it',
  builder: (parser) =>
    parser
      .options(engineOptions)
      .option('cpe', { type: 'string', requiresArg: true, describe: 'only this CPE, with one line per packet' })
      .option('collector', { type: 'string', requiresArg: true, describe: 'only events of this collector, or itms' })
      .option('write', {
        type: 'string',
        requiresArg: true,
        describe: 'also write the packets to this pcapng file, mode 0600: captures contain credentials',
      })
      .option('json', jsonOption)
      .example('$0 trace', 'armed (and why), diverted, closed, contended, remapped')
      .example('$0 trace --collector c1', 'who is armed for one collector, and what becomes of them')
      .example('$0 trace --cpe 10.1.0.5', 'every packet of one CPE, with its reason')
      .example('$0 trace --cpe 10.1.0.5 --write cpe.pcapng', 'for Wireshark, and for acsplit replay'),
  handler: async (options) => {
    const tracer = new Tracer(options);
    await tracer.follow();
  },
};

/** A line to be printed, and the time of what it describes. */
interface PendingLine {
  timeMs: number;
  format: (time: Date) => string;
}

class Tracer {
  private readonly only: string | undefined;
  private readonly filter: { cpe?: string };
  private readonly wantsPackets: boolean;
  private readonly ended = new AbortController();
  private readonly engine: Asker;
  private file: TraceFile | undefined = undefined;
  private events: TraceAnswer | undefined = undefined;
  private packets: PacketsAnswer | undefined = undefined;
  private isGone = false;

  constructor(private readonly options: TraceOptions) {
    this.only = options.cpe === undefined ? undefined : requireAddress(options.cpe);
    this.filter = this.only === undefined ? {} : { cpe: this.only };
    this.wantsPackets = this.only !== undefined || options.write !== undefined;
    this.engine = asker(options);
  }

  /** Resolves when the user ends it. @throws Failure when no engine runs at the start */
  async follow(): Promise<void> {
    const { write } = this.options;
    await this.begin();
    if (write !== undefined) this.file = new TraceFile(write, this.engine.configuration?.topology);
    const end = () => this.ended.abort();
    for (const signal of SIGNALS) process.on(signal, end);
    process.stderr.write('tracing; Ctrl-C ends\n');
    try {
      await this.lookOn();
      this.file?.close();
    } catch (error) {
      throw this.file ? this.file.giveUp(error) : error;
    } finally {
      for (const signal of SIGNALS) process.off(signal, end);
    }
    if (this.file) process.stderr.write(`${count(this.file.packets, 'packet')} written to ${write}\n`);
  }

  private async lookOn(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      await this.step();
      // Rejects when the user ends the trace.
      await pause(this.packets?.more === true ? 0 : POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Notes the engine's current position, so that nothing between now and the first poll is missed. */
  private async begin(): Promise<void> {
    this.events = await this.ask<TraceAnswer>({ command: 'events' });
    if (this.wantsPackets) this.packets = await this.ask<PacketsAnswer>({ command: 'packets', ...this.filter });
  }

  private async step(): Promise<void> {
    try {
      const events = await this.newEvents();
      const lines = [...(this.wantsPackets ? await this.newPackets() : []), ...events];
      this.isGone = false;
      this.print(lines);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (!this.isGone) process.stderr.write(`${error.message}; waiting\n`);
      this.isGone = true;
    }
  }

  private async newEvents(): Promise<PendingLine[]> {
    const before = this.events;
    let answer = await this.ask<TraceAnswer>({ command: 'events', since: before?.next ?? 0 });
    const areTablesLost = answer.engine !== before?.engine;
    if (areTablesLost) answer = await this.ask<TraceAnswer>({ command: 'events', since: 0 });
    if (answer.run !== before?.run) this.tellRestart('engine', areTablesLost);
    else if (answer.restarts !== before.restarts) this.tellRestart('worker', areTablesLost);
    this.events = answer;
    if (answer.missed > 0) process.stderr.write(`${count(answer.missed, 'event')} skipped: the trace fell behind\n`);
    const { collector } = this.options;
    const isOurs = ({ cpe, owner }: TraceEvent) =>
      (this.only === undefined || cpe === this.only) && (collector === undefined || owner === collector);
    const ours = answer.events.filter(isOurs);
    return ours.map((event) => ({ timeMs: event.timeMs, format: (time) => this.eventLine(event, time) }));
  }

  private async newPackets(): Promise<PendingLine[]> {
    const before = this.packets;
    let answer = await this.ask<PacketsAnswer>({ command: 'packets', since: before?.next ?? 0, ...this.filter });
    if (answer.run !== before?.run) {
      answer = await this.ask<PacketsAnswer>({ command: 'packets', since: 0, ...this.filter });
    }
    this.packets = answer;
    if (answer.missed > 0) process.stderr.write(`${count(answer.missed, 'packet')} skipped: the trace fell behind\n`);
    const startedMs = Date.now() - answer.nowMs;
    for (const packet of answer.packets) this.file?.write(packet, startedMs);
    this.file?.flush();
    if (this.only === undefined) return [];
    return answer.packets.map((packet) => ({
      timeMs: packet.timeMs,
      format: (time) => this.packetLine(describePacket(packet), time),
    }));
  }

  /** In order of time. An event has the time of the packet that caused it, and follows that packet. */
  private print(lines: PendingLine[]): void {
    const startedMs = Date.now() - (this.events?.nowMs ?? 0);
    // The sort is stable, and packets come first.
    lines.sort((a, b) => a.timeMs - b.timeMs);
    for (const { timeMs, format } of lines) process.stdout.write(`${format(new Date(startedMs + timeMs))}\n`);
  }

  /** Printed before everything that happened since the restart. */
  private tellRestart(who: 'engine' | 'worker', areTablesLost: boolean): void {
    const time = new Date();
    const line = this.options.json
      ? JSON.stringify({ event: `${who}-restarted`, areTablesLost, time })
      : `${formatTime(time)}  ${who} restarted${areTablesLost ? ': the tables were reset' : ''}`;
    process.stdout.write(`${line}\n`);
  }

  private eventLine(event: TraceEvent, time: Date): string {
    return this.options.json ? JSON.stringify({ ...event, time }) : formatTraceEvent(event, time);
  }

  private packetLine(line: PacketLine, time: Date): string {
    return this.options.json ? JSON.stringify({ ...line, time }) : `${formatTime(time)}  ${formatPacket(line)}`;
  }

  private ask<T>(request: { command: string } & Record<string, unknown>): Promise<T> {
    return this.engine.ask(request) as Promise<T>;
  }
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

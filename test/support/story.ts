/**
 * Stories: scripts that read aloud, told to a splitter on virtual time. A file's name is its claim. One statement a
 * line, `#` begins a comment, `[fin] ...` is a line for that mode only:
 *
 *     modes: auto response
 *     wake: a Connection Request of c1 from 50001
 *     report: a report connection from 40001
 *
 *     wake: opens
 *     wake: c1 sends "GET / HTTP/1.1" -> cpe
 *     wake: cpe sends "HTTP/1.1 200 OK" -> c1, answer-to-owner
 *     expect activation armed c1
 *     wait 300 ms
 *     report: cpe sends SYN -> c1, diverted
 *     report: c1 sends SYN+ACK -> cpe
 *
 * Every statement is in STATEMENTS (story-statements.ts), each a regular expression beside what it does.
 */
import { packetEnds } from './packet-ends';
import { type Outcome, type Party, Rig, type Server } from './rig';
import { ACTIVATION_MODES, type ActivationMode } from '../../src/splitter/topology';
import { StandingChecker } from './standing-checker';
import { type Segment, type StoryConnection } from './story-connection';
import { STATEMENTS } from './story-statements';

export interface Line {
  number: number;
  /** None: every mode. */
  modes: string[];
  text: string;
}

export interface Script {
  modes: ActivationMode[];
  lines: Line[];
}

export function readScript(text: string): Script {
  let modes: ActivationMode[] = ['auto'];
  const lines: Line[] = [];
  text.split('\n').forEach((raw, index) => {
    const line = raw.replace(/(^|\s)#.*$/, '').trim();
    if (line === '') return;
    const header = /^modes: ([a-z ]+)$/.exec(line);
    if (header) {
      modes = header[1].split(' ').map(modeNamed);
      return;
    }
    const parts = /^\[([a-z ]+)\] +(.*)$/.exec(line);
    lines.push({ number: index + 1, modes: parts ? parts[1].split(' ').map(modeNamed) : [], text: parts?.[2] ?? line });
  });
  return { modes, lines };
}

function modeNamed(name: string): ActivationMode {
  const mode = ACTIVATION_MODES.find((known) => known === name);
  if (!mode) throw new Error(`no mode is named '${name}'`);
  return mode;
}

/** Tells a script in one mode. @throws Error that names the line which did not come true */
export function tell(script: Script, mode: ActivationMode): Story {
  const story = new Story(mode);
  for (const line of script.lines) {
    if (line.modes.length > 0 && !line.modes.includes(mode)) continue;
    try {
      story.take(line.text);
    } catch (error) {
      throw new Error(`line ${line.number}, in ${mode}: ${line.text}\n${(error as Error).message}`, { cause: error });
    }
  }
  return story;
}

export class Story {
  rig: Rig;
  readonly connections = new Map<string, StoryConnection>();
  readonly checker = new StandingChecker();
  /** Outcomes, so that a script without a packet is seen to be none. */
  packets = 0;

  constructor(readonly mode: ActivationMode) {
    this.rig = new Rig({ activation: mode });
  }

  take(line: string): void {
    for (const [pattern, act] of STATEMENTS) {
      const match = pattern.exec(line);
      if (match) return act(this, match.groups ?? {});
    }
    throw new Error('no statement reads like this');
  }

  connection(name: string): StoryConnection {
    const connection = this.connections.get(name);
    if (!connection) throw new Error(`no connection is named '${name}'`);
    return connection;
  }

  /** Sends a segment; `expected` is its receiver, and the reason if given. */
  send(connection: StoryConnection, from: Party, segment: Segment, expected: Expected): void {
    const { rig } = this;
    const packet = connection.packet(from, segment);
    const outcome = rig.send(from, packet);
    this.packets++;
    this.checker.see(from, outcome.before, outcome);
    if (from !== 'cpe' && segment.type === 'SYN') connection.visiblePort = portOf(outcome);
    const got = whoGot(outcome);
    const told = `${got.who}, ${got.reason}`;
    if (got.who !== expected.who) throw new Error(`expected: ${expected.who}\nit went to: ${told}`);
    if (expected.reason && got.reason !== expected.reason) {
      throw new Error(`expected: ${expected.reason}\nit went to: ${told}`);
    }
  }
}

export interface Expected {
  who: Party | 'nobody';
  reason?: string | undefined;
}

function whoGot(outcome: Outcome): { who: string; reason: string } {
  const [where, reason] = outcome.text.split(': ');
  if (where === 'drop') return { who: 'nobody', reason };
  const who = where.startsWith('as acs') ? 'cpe' : where.replace(/^to /, '').replace(/:\d+$/, '');
  return { who: who as Server, reason };
}

/** Source port as it left. */
function portOf(outcome: Outcome): number {
  return packetEnds(outcome.bytes).sourcePort;
}

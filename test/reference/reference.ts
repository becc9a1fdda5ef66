/**
 * The reference: the decision written a second time, from the design and in the slow and obvious way. It tells for each
 * packet what must happen to it. It shares no code with src/, so a mistake has to be made twice to go unnoticed.
 *
 * Where the design leaves a choice, it accepts what the core did if that is one of the choices: which free port a
 * colliding connection gets, and whether a table that is full of unswept entries had room.
 */
import { isAsked, phaseAt } from './activations';
import { Arming } from './arming';
import { Context, type Decision, type Mode, type Room, type Tables, type World } from './context';
import { find, findOwned, Memory } from './memory';
import { readPacket } from './packet';
import { Reports } from './reports';
import { Requests } from './requests';
import { Sessions } from './sessions';

export { type Decision, type Mode, type Room, type Tables, type World } from './context';
export { type Connection, phaseOf } from './memory';

export interface Counts {
  requests: number;
  activations: number;
  reports: number;
}

export class Reference {
  readonly context: Context;
  private readonly arming: Arming;
  private readonly reports: Reports;
  private readonly sessions: Sessions;
  private readonly requests: Requests;

  /** @param room see Room; without it the reference knows by itself when a table is full @param tables see Tables */
  constructor(world: World, mode: Mode, capacity: number, room?: Room, tables?: Tables) {
    this.context = new Context(world, mode, capacity, room, tables);
    this.arming = new Arming(this.context);
    this.reports = new Reports(this.context);
    this.sessions = new Sessions(this.context);
    this.requests = new Requests(this.context, this.arming);
  }

  /** Why the last packet was decided as it was. */
  get reason(): string {
    return this.context.reason;
  }

  /** What must become of a packet. @param fromCpes it came in by the first interface @param observed what became of it */
  decide(fromCpes: boolean, bytes: Uint8Array, nowMs: number, observed: Decision): Decision {
    const { context } = this;
    const { world } = context;
    context.nowMs = nowMs;
    context.observed = observed;
    context.isLimited = false;
    const reading = readPacket(bytes);
    if (reading.kind === 'foreign') return context.leave('foreign');
    if (reading.kind === 'bad ip') return context.drop('malformed-ip');
    const { source, destination } = reading.kind === 'tcp' ? reading.packet : reading;
    const sender = fromCpes ? '' : context.serverAt(source);
    const isOurs = fromCpes ? destination === world.acs : sender !== '' && world.isCpe(destination);
    if (!isOurs) return context.leave('not-ours');
    if (reading.kind !== 'tcp') return context.drop(reading.kind === 'fragment' ? 'fragment' : 'malformed-tcp');
    const { syn, ack, fin, rst } = reading.packet;
    if ((syn && (fin || rst)) || !(syn || ack || fin || rst)) return context.drop('malformed-flags');
    context.packet = reading.packet;
    return fromCpes ? this.fromCpe() : this.fromServer(sender);
  }

  private fromCpe(): Decision {
    const { context } = this;
    const { destinationPort, syn, ack } = context.packet;
    const { itmsPorts, reportPorts } = context.world;
    if (itmsPorts.includes(destinationPort)) return context.to('itms', 'itms-port');
    const isReport = reportPorts.includes(destinationPort);
    if (syn && !ack) return isReport ? this.reports.open() : context.drop('syn-other-port');
    return isReport ? this.sessions.fromCpe() : this.requests.fromCpe();
  }

  private fromServer(sender: string): Decision {
    const { context } = this;
    const { sourcePort, syn, ack } = context.packet;
    const { itmsPorts, reportPorts } = context.world;
    const isSyn = syn && !ack;
    const isItmsPort = itmsPorts.includes(sourcePort);
    if (sender === 'itms' && isItmsPort) return context.asAcs('itms-forwarded');
    if (reportPorts.includes(sourcePort) || isItmsPort) {
      if (sender === 'itms') return this.sessions.fromItms();
      return isSyn ? context.drop('syn-from-report-port') : this.sessions.fromCollector(sender);
    }
    return isSyn ? this.requests.open(sender) : this.requests.fromServer(sender);
  }

  /**
   * An ICMP error from the servers' side says of a CPE's packet that the server is not there; `sequence` is quoted. What
   * becomes of the error.
   */
  unreachable(cpe: string, cpePort: number, port: number, server: string, sequence: number, nowMs: number): string {
    this.context.nowMs = nowMs;
    return this.sessions.unreachable(cpe, cpePort, port, server, sequence);
  }

  // ---- from outside ----

  /** False where there was no room. */
  activate(cpe: string, owner: string, nowMs: number): boolean {
    this.context.nowMs = nowMs;
    return this.arming.arm(cpe, owner);
  }

  /** False where there was nothing to end. */
  deactivate(cpe: string, nowMs: number): boolean {
    const { context } = this;
    context.nowMs = nowMs;
    const known = context.activation(cpe);
    if (!known || phaseAt(known, nowMs) === 'none') return false;
    context.endActivation(cpe);
    return true;
  }

  /** The kernel alone has sent CPEs to the ITMS for a while: every armed or asked entry ends. */
  endActivations(nowMs: number): void {
    const { memory } = this.context;
    for (const [cpe, one] of memory.activations(nowMs)) {
      if (phaseAt(one, nowMs) === 'armed' || isAsked(one, nowMs)) memory.of(cpe).setActivation(undefined);
    }
  }

  /** The engine has lost its tables. */
  forget(): void {
    this.context.memory = new Memory();
  }

  // ---- what it remembers ----

  /** The server that has a connection, and its own port. */
  ownerOf(cpe: string, cpePort: number, port: number): { owner: string; ownPort: number } | undefined {
    const known = this.context.memory.of(cpe);
    const { nowMs } = this.context;
    return find(known.reports(nowMs), cpePort, port) ?? find(known.requests(nowMs), cpePort, port);
  }

  /** The port that the CPE sees of a server's connection. */
  visiblePort(cpe: string, cpePort: number, ownPort: number, owner: string): number {
    const { memory, nowMs } = this.context;
    return findOwned(memory.of(cpe).requests(nowMs), cpePort, ownPort, owner)?.port ?? ownPort;
  }

  /** Such as `10.1.7.1 armed c1`. */
  activations(nowMs: number): string[] {
    return this.context.memory.activations(nowMs).map(([cpe, one]) => {
      const phase = phaseAt(one, nowMs);
      return phase === 'none' ? `${cpe} asked ` : `${cpe} ${phase} ${one.owner}`;
    });
  }

  counts(nowMs: number): Counts {
    const { memory } = this.context;
    return {
      requests: memory.requests(nowMs).length,
      activations: memory.activations(nowMs).length,
      reports: memory.reports(nowMs).length,
    };
  }
}

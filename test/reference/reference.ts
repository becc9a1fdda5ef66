/**
 * The reference: the decision written a second time, from the design and in the slow and obvious way. It says of each
 * packet what must become of it. It shares no code with src/, so that a mistake has to be made twice to pass unseen.
 *
 * Where the design leaves a choice it accepts what the core did, if that is one of the choices: which free port a
 * colliding connection gets, and whether a table had room that is full of entries not yet swept.
 */
import { Arming } from './arming';
import { Context, type Decision, type Mode, type Room, type World } from './context';
import { find, Memory, stands } from './memory';
import { readPacket } from './packet';
import { Reports } from './reports';
import { Requests } from './requests';

export { type Decision, type Mode, type Room, type World } from './context';
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
  private readonly requests: Requests;

  /** @param room see Room; without it the reference knows by itself when a table is full */
  constructor(world: World, mode: Mode, capacity: number, room?: Room) {
    this.context = new Context(world, mode, capacity, room);
    this.arming = new Arming(this.context);
    this.reports = new Reports(this.context);
    this.requests = new Requests(this.context, this.arming);
  }

  /** What must become of a packet. @param fromCpes it came in by the first interface @param observed what became of it */
  decide(fromCpes: boolean, bytes: Uint8Array, nowMs: number, observed: Decision): Decision {
    const { context } = this;
    const { world } = context;
    context.nowMs = nowMs;
    context.observed = observed;
    context.isLimited = false;
    const reading = readPacket(bytes);
    if (reading.kind === 'foreign') return 'untouched';
    if (reading.kind === 'bad ip') return 'dropped';
    const { source, destination } = reading.kind === 'tcp' ? reading.packet : reading;
    const sender = fromCpes ? '' : context.serverAt(source);
    const isOurs = fromCpes ? destination === world.acs : sender !== '' && world.isCpe(destination);
    if (!isOurs) return 'untouched';
    if (reading.kind !== 'tcp') return 'dropped';
    const { syn, ack, fin, rst } = reading.packet;
    if ((syn && (fin || rst)) || !(syn || ack || fin || rst)) return 'dropped';
    context.packet = reading.packet;
    return fromCpes ? this.fromCpe() : this.fromServer(sender);
  }

  private fromCpe(): Decision {
    const { context } = this;
    const { destinationPort, syn, ack } = context.packet;
    const { itmsPorts, reportPorts } = context.world;
    if (itmsPorts.includes(destinationPort)) return context.to('itms');
    const isReport = reportPorts.includes(destinationPort);
    if (syn && !ack) return isReport ? this.reports.open() : 'dropped';
    return isReport ? this.reports.fromCpe() : this.requests.fromCpe();
  }

  private fromServer(sender: string): Decision {
    const { context } = this;
    const { sourcePort, syn, ack } = context.packet;
    const isSyn = syn && !ack;
    if (context.world.reportPorts.includes(sourcePort)) {
      if (sender === 'itms') return this.reports.fromItms();
      return isSyn ? 'dropped' : this.reports.fromCollector(sender);
    }
    return isSyn ? this.requests.open(sender) : this.requests.fromServer(sender);
  }

  // ---- from outside ----

  /** False where there was no room. */
  activate(cpe: string, owner: string, nowMs: number): boolean {
    this.context.nowMs = nowMs;
    return this.arming.arm(cpe, owner);
  }

  /** False where there was nothing to end. */
  deactivate(cpe: string, nowMs: number): boolean {
    const known = this.context.memory.of(cpe);
    const stood = known.activation(nowMs) !== undefined;
    known.setActivation(undefined);
    return stood;
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

  /** Such as `10.1.7.1 armed c1`. */
  activations(nowMs: number): string[] {
    return this.context.memory
      .activations(nowMs)
      .map(([cpe, one]) => `${cpe} ${one.isArmed ? 'armed' : stands(one) ? 'grace' : 'consumed'} ${one.owner}`);
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

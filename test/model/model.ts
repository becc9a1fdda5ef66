/**
 * The rules of the splitter, written a second time in the slow and obvious way: Maps of plain objects, whole times, text
 * for addresses. It shares no code with src/, so that a mistake has to be made twice to pass unseen.
 */
import { readPacket, type ReadPacket } from './bits';
import { ModelActivations } from './model-activations';
import { type Connection, isClosing, ModelConnections, type Side } from './model-connections';

export type ModelMode = 'auto' | 'fin' | 'response' | 'off';

export interface World {
  acs: string;
  itms: string;
  /** Name to address. */
  collectors: Record<string, string>;
  isCpe: (address: string) => boolean;
  reportPorts: number[];
  itmsPorts: number[];
}

interface Addresses {
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
}

/** What becomes of a packet. Source port 0 stands for a free one of the remap range: `learnPort` says which it was. */
export type Decision = 'dropped' | 'untouched' | Addresses;

const ITMS = 'itms';
const SILENT_MS = 30_000;
const PIN_MS = 130_000;

export class Model {
  paused = false;
  readonly requests: ModelConnections;
  readonly reports: ModelConnections;
  readonly activations: ModelActivations;
  /** SYNs that went to the ITMS, by their ports. */
  private readonly pins = new Map<string, { isn: number; atMs: number }>();
  private nowMs = 0;
  private packet: ReadPacket = NO_PACKET;

  constructor(
    public world: World,
    public mode: ModelMode,
    capacity: number,
  ) {
    this.requests = new ModelConnections(capacity, 75_000);
    this.reports = new ModelConnections(capacity, 10_000);
    this.activations = new ModelActivations(capacity);
  }

  /** What has expired by now goes. */
  at(nowMs: number): void {
    this.nowMs = nowMs;
    this.requests.at(nowMs);
    this.reports.at(nowMs);
    this.activations.at(nowMs);
  }

  /** @param fromCpes it came in by the first interface */
  decide(fromCpes: boolean, bytes: Uint8Array, nowMs: number): Decision {
    this.at(nowMs);
    const reading = readPacket(bytes);
    if (reading.kind === 'foreign') return 'untouched';
    if (reading.kind === 'bad ip') return 'dropped';
    const { source, destination } = reading.kind === 'tcp' ? reading.packet : reading;
    const sender = this.serverAt(source);
    const isOurs = fromCpes ? destination === this.world.acs : sender !== '' && this.world.isCpe(destination);
    if (!isOurs) return 'untouched';
    if (reading.kind !== 'tcp') return 'dropped';
    const { syn, ack, fin, rst } = reading.packet;
    if ((syn && (fin || rst)) || !(syn || ack || fin || rst)) return 'dropped';
    this.packet = reading.packet;
    return fromCpes ? this.fromCpe() : this.fromServer(sender);
  }

  // ---- from CPEs ----

  private fromCpe(): Decision {
    const { destinationPort, syn, ack } = this.packet;
    if (this.world.itmsPorts.includes(destinationPort)) return this.to(ITMS);
    const isReport = this.world.reportPorts.includes(destinationPort);
    if (syn && !ack) return isReport ? this.reportSyn() : 'dropped';
    return isReport ? this.reportRest() : this.answer();
  }

  private reportSyn(): Decision {
    const { source, sourcePort, destinationPort, sequence } = this.packet;
    const known = this.reports.find(source, sourcePort, destinationPort);
    if (!known) return this.decideAfresh();
    if (known.isn === sequence) {
      if (!known.answered) {
        this.reports.touch(known);
        this.activations.synAgainOn(known);
      }
      return this.to(known.owner);
    }
    if (!isClosing(known) && this.nowMs - known.touchedMs < SILENT_MS) return this.to(known.owner);
    this.reports.forget(known);
    return this.decideAfresh();
  }

  private decideAfresh(): Decision {
    const { source, sourcePort, destinationPort, sequence } = this.packet;
    const collector = this.activations.standingFor(source);
    const pin = this.pins.get(this.reportPorts());
    const isPinned = pin !== undefined && pin.isn === sequence && this.nowMs - pin.atMs <= PIN_MS;
    if (collector === undefined || !this.isConfigured(collector) || isPinned) return this.toItmsPinned();
    if (this.paused || this.mode === 'off') {
      this.activations.end(source);
      return this.toItmsPinned();
    }
    const opened = this.reports.open(source, sourcePort, destinationPort, collector, sequence);
    if (!opened) return this.toItmsPinned();
    this.activations.consume(opened);
    return this.to(collector);
  }

  private reportPorts(): string {
    const { source, sourcePort, destinationPort } = this.packet;
    return `${source}:${sourcePort} to ${destinationPort}`;
  }

  private toItmsPinned(): Decision {
    this.pins.set(this.reportPorts(), { isn: this.packet.sequence, atMs: this.nowMs });
    return this.to(ITMS);
  }

  private reportRest(): Decision {
    const { source, sourcePort, destinationPort } = this.packet;
    const known = this.reports.find(source, sourcePort, destinationPort);
    if (!known) return this.to(ITMS);
    this.passOnReport(known, 'cpe');
    return this.to(known.owner);
  }

  /** A packet of either end of a diverted connection, but no SYN of the CPE. */
  private passOnReport(connection: Connection, sender: Side): void {
    const { syn, fin, rst } = this.packet;
    const other: Side = sender === 'cpe' ? 'server' : 'cpe';
    if (rst) {
      connection.rsts.add(sender);
      // The collector has not closed in order.
      if (!connection.fins.has('server')) this.activations.resetOn(connection);
    } else {
      const before = connection.rsts.size;
      connection.rsts.delete(other);
      // A SYN+ACK says that its sender is still there.
      if (sender === 'server' && syn) connection.rsts.delete(sender);
      if (connection.rsts.size === 0 && before > 0) this.activations.forgedResetOn(connection);
      if (sender === 'server' && syn && !connection.answered) {
        connection.answered = true;
        this.activations.answeredOn(connection);
      }
      if (fin) {
        connection.fins.add(sender);
        this.activations.finOn(connection);
      }
    }
    if (rst || fin) this.reports.touch(connection);
    else this.reports.keep(connection);
  }

  /** On a Connection Request, to whoever asked. */
  private answer(): Decision {
    const { source, sourcePort, destinationPort, syn, fin, rst, payload } = this.packet;
    const known = this.requests.find(source, sourcePort, destinationPort);
    if (!known) return this.to(ITMS);
    if (rst && !known.answered) {
      if (this.refuses(known.isn)) this.requests.forget(known);
    } else if (rst) {
      known.rsts.add('cpe');
      this.requests.touch(known);
    } else {
      known.rsts.delete('server');
      if (syn) known.answered = true;
      if (fin) known.fins.add('cpe');
      this.requests.keep(known);
      if (payload !== '') this.judge(known);
    }
    return this.to(known.owner, known.ownPort);
  }

  private judge(connection: Connection): void {
    const { payload, syn } = this.packet;
    const sequence = (this.packet.sequence + (syn ? 1 : 0)) % 2 ** 32;
    const isHttp = payload.startsWith('HTTP/1.') || 'HTTP/1.'.startsWith(payload);
    if (!isHttp) {
      connection.spokeOther = true;
      return;
    }
    connection.spokeHttp = true;
    if (connection.judged !== undefined) {
      const ahead = (sequence - connection.judged + 2 ** 32) % 2 ** 32;
      if (ahead === 0 || ahead >= 2 ** 31) return;
    }
    if (payload.length < 'HTTP/1.1 200'.length) return;
    connection.judged = sequence;
    if (!/^HTTP\/1\.\d 2\d\d/.test(payload)) return;
    if (connection.owner !== ITMS) {
      if (this.mode !== 'fin') this.arm(connection);
    } else {
      this.activations.end(connection.cpe);
    }
  }

  private arm({ cpe, owner }: Connection): void {
    const rival = this.activations.armedFor(cpe);
    const isContended = rival !== undefined && rival !== owner && this.isConfigured(rival);
    if (this.isConfigured(owner) && !isContended) this.activations.arm(cpe, owner);
  }

  // ---- from servers ----

  private fromServer(sender: string): Decision {
    const { sourcePort, syn, ack } = this.packet;
    const isSyn = syn && !ack;
    if (this.world.reportPorts.includes(sourcePort)) {
      if (sender === ITMS) return this.reportOfItms();
      return isSyn ? 'dropped' : this.reportOfCollector(sender);
    }
    return isSyn ? this.requestSyn(sender) : this.requestRest(sender);
  }

  private reportOfItms(): Decision {
    const { destination, destinationPort, sourcePort } = this.packet;
    const known = this.reports.find(destination, destinationPort, sourcePort);
    const isCollectors = known && !isClosing(known) && this.isConfigured(known.owner);
    return isCollectors ? 'dropped' : this.asAcs();
  }

  private reportOfCollector(sender: string): Decision {
    const { destination, destinationPort, sourcePort, rst } = this.packet;
    const known = this.reports.find(destination, destinationPort, sourcePort);
    if (!known) return rst ? this.asAcs() : 'dropped';
    if (known.owner !== sender) return 'dropped';
    if (!rst || known.answered) this.passOnReport(known, 'server');
    else if (this.refuses(known.isn)) this.reports.forget(known);
    return this.asAcs();
  }

  /** Does this RST acknowledge the SYN of that ISN, and 64 KiB of data with it at the most? */
  private refuses(isn: number): boolean {
    const acknowledged = (this.packet.acknowledgement - isn + 2 ** 32) % 2 ** 32;
    return this.packet.ack && acknowledged >= 1 && acknowledged <= 65_536;
  }

  private requestSyn(sender: string): Decision {
    const { destination, destinationPort, sourcePort, sequence } = this.packet;
    const own = this.requests.findOwned(destination, destinationPort, sourcePort, sender);
    if (own) {
      if (own.isn !== sequence) this.requests.reopen(own, sequence);
      else if (!own.answered) this.requests.touch(own);
      return this.asAcs(own.port);
    }
    const isTaken = this.requests.find(destination, destinationPort, sourcePort) !== undefined;
    const port = isTaken ? 0 : sourcePort;
    const opened = this.requests.open(destination, destinationPort, port, sender, sequence, sourcePort);
    if (opened) return this.asAcs(port);
    return sender === ITMS ? this.asAcs() : 'dropped';
  }

  /** The core has chosen this port for the SYN decided last. False where another connection has it. */
  learnPort(port: number): boolean {
    const { destination, destinationPort } = this.packet;
    if (this.requests.find(destination, destinationPort, port)) return false;
    this.requests.learnPort(port);
    return port >= 61000 && port <= 65535;
  }

  private requestRest(sender: string): Decision {
    const { destination, destinationPort, sourcePort, fin, rst } = this.packet;
    const own = this.requests.findOwned(destination, destinationPort, sourcePort, sender);
    if (!own) return this.asAcs();
    if (rst) {
      own.rsts.add('server');
      this.requests.touch(own);
      return this.asAcs(own.port);
    }
    own.rsts.delete('cpe');
    if (fin && !own.fins.has('server')) {
      own.fins.add('server');
      if (this.finArms(own)) this.arm(own);
    }
    this.requests.keep(own);
    return this.asAcs(own.port);
  }

  private finArms({ owner, spokeHttp, spokeOther }: Connection): boolean {
    if (owner === ITMS || this.mode === 'response') return false;
    return this.mode === 'fin' || (spokeOther && !spokeHttp);
  }

  // ---- where to ----

  private isConfigured(owner: string): boolean {
    return owner === ITMS || owner in this.world.collectors;
  }

  private serverAt(address: string): string {
    if (address === this.world.itms) return ITMS;
    return Object.keys(this.world.collectors).find((name) => this.world.collectors[name] === address) ?? '';
  }

  private to(owner: string, port = this.packet.destinationPort): Addresses {
    const { source, sourcePort } = this.packet;
    const destination = this.world.collectors[owner] ?? this.world.itms;
    return { source, sourcePort, destination, destinationPort: port };
  }

  private asAcs(port = this.packet.sourcePort): Addresses {
    const { destination, destinationPort } = this.packet;
    return { source: this.world.acs, sourcePort: port, destination, destinationPort };
  }
}

const NO_PACKET: ReadPacket = {
  source: '',
  destination: '',
  sourcePort: 0,
  destinationPort: 0,
  sequence: 0,
  acknowledgement: 0,
  syn: false,
  ack: false,
  fin: false,
  rst: false,
  payload: '',
};

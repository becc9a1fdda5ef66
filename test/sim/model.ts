/**
 * A naive model of the rules: plain objects, searched from end to end. It says of each packet what must become of it.
 *
 * It is told what did become of it only where the rules leave a choice: which port a colliding connection gets, and
 * whether a table that is nearly full (its dead not yet swept) had room. It imports nothing of what it judges.
 */
import { type ModelPacket } from './model-packet';
import { type ModelConnection, ModelCpe, isClosing, LIVES, open, remove, stands } from './model-entries';
import { isReset } from './model-entries';
import { ACS, isCpeAddress, ITMS, ITMS_PORTS, REPORT_PORTS, serverAt, SERVERS } from './parties';

export type Mode = 'auto' | 'fin' | 'response' | 'off';

export const enum Fate {
  Drop,
  Accept,
  Rewrite,
}

/** What became of a packet, or must. */
export interface Outcome {
  fate: Fate;
  source: number;
  sourcePort: number;
  destination: number;
  destinationPort: number;
}

/** Which tables may be full, and a look into them for that case. */
export interface Room {
  requests: boolean;
  activations: boolean;
  reports: boolean;
  hasRequest(cpe: number, cpePort: number, port: number): boolean;
  hasActivation(cpe: number): boolean;
}

const REMAP_FIRST = 61000;

export class Model {
  isPaused = false;
  private cpes = new Map<number, ModelCpe>();
  private serial = 0;
  /** A SYN went to a collector though it was pinned long ago: the pin cache is small, and this is its stated limit. */
  forgottenPins = 0;
  /** The packet in hand met a full table: a stated limit. */
  isLimited = false;
  diverted = 0;
  /** What must become of the packet in hand. */
  private readonly must: Outcome = { fate: Fate.Drop, source: 0, sourcePort: 0, destination: 0, destinationPort: 0 };
  private packet!: ModelPacket;
  private observed!: Outcome;
  private nowMs = 0;

  constructor(
    private readonly mode: Mode,
    private readonly room: Room,
  ) {}

  /** The engine has lost its tables. */
  forget(): void {
    this.cpes = new Map();
  }

  /** Entries that live. */
  counts(nowMs: number): { requests: number; activations: number; reports: number } {
    const counts = { requests: 0, activations: 0, reports: 0 };
    for (const cpe of this.cpes.values()) {
      counts.requests += cpe.requests(nowMs).length;
      counts.reports += cpe.reports(nowMs).length;
      if (cpe.activation(nowMs) !== undefined) counts.activations++;
    }
    return counts;
  }

  // ---- the operator's hand ----

  activate(cpe: number, owner: number, nowMs: number): void {
    this.nowMs = nowMs;
    this.arm(cpe, owner);
  }

  deactivate(cpe: number, nowMs: number): boolean {
    const known = this.cpe(cpe);
    if (known.activation(nowMs) === undefined) return false;
    known.setActivation(undefined);
    return true;
  }

  // ---- packets ----

  /** What must become of a packet; the answer is good until the next call. @param queue 0 CPEs, else servers */
  decide(packet: ModelPacket, queue: number, nowMs: number, observed: Outcome): Outcome {
    this.packet = packet;
    this.observed = observed;
    this.nowMs = nowMs;
    this.isLimited = false;
    const { must } = this;
    must.source = packet.source;
    must.sourcePort = packet.sourcePort;
    must.destination = packet.destination;
    must.destinationPort = packet.destinationPort;
    must.fate = this.fateOf(packet, queue);
    return must;
  }

  private fateOf(packet: ModelPacket, queue: number): Fate {
    if (packet.kind === 'untouched') return Fate.Accept;
    if (packet.kind === 'malformed') return Fate.Drop;
    const server = queue === 0 ? -1 : serverAt(packet.source);
    const isOurs = queue === 0 ? packet.destination === ACS : server >= 0 && isCpeAddress(packet.destination);
    if (!isOurs) return Fate.Accept;
    if (packet.kind === 'fragment' || packet.kind.startsWith('malformed')) return Fate.Drop;
    if (queue === 0) return this.fromCpe(packet);
    if (REPORT_PORTS.includes(packet.sourcePort)) {
      return server === ITMS ? this.itmsOnReport(packet) : this.collectorOnReport(packet, server);
    }
    return packet.kind === 'syn' ? this.openRequest(packet, server) : this.followRequest(packet, server);
  }

  private fromCpe(packet: ModelPacket): Fate {
    const port = packet.destinationPort;
    if (ITMS_PORTS.includes(port)) return this.to(ITMS);
    if (!REPORT_PORTS.includes(port)) return packet.kind === 'syn' ? Fate.Drop : this.answerRequest(packet);
    return packet.kind === 'syn' ? this.openReport(packet) : this.followReport(packet);
  }

  // ---- report connections ----

  private openReport(packet: ModelPacket): Fate {
    const cpe = this.cpe(packet.source);
    const reports = cpe.reports(this.nowMs);
    const known = findReport(reports, packet.sourcePort, packet.destinationPort);
    if (known === undefined) return this.steer(packet, cpe, reports);
    if (known.isn === packet.sequence) {
      if (!known.isAnswered) {
        known.lastMs = this.nowMs;
        const consumed = this.consumed(cpe, known);
        if (consumed !== undefined) consumed.lastMs = this.nowMs;
      }
      return this.to(known.owner);
    }
    if (!isClosing(known) && this.nowMs - known.lastMs < LIVES.silent) return this.to(known.owner);
    remove(reports, known);
    return this.steer(packet, cpe, reports);
  }

  private steer(packet: ModelPacket, cpe: ModelCpe, reports: ModelConnection[]): Fate {
    const { nowMs } = this;
    const { sourcePort, destinationPort, sequence } = packet;
    const standing = cpe.activation(nowMs);
    if (standing === undefined || !stands(standing)) return this.pinToItms(packet, cpe);
    const wentToItms = this.observed.destination === SERVERS[ITMS]!.address;
    const pinned = cpe.isPinned(sourcePort, destinationPort, sequence, nowMs, this.serial);
    if (pinned === 'yes' || (pinned === 'maybe' && wentToItms)) return this.pinToItms(packet, cpe);
    if (pinned === 'maybe') this.forgottenPins++;
    if (this.isPaused || this.mode === 'off') {
      cpe.setActivation(undefined);
      return this.pinToItms(packet, cpe);
    }
    if (this.room.reports && wentToItms) return this.pinToItms(packet, cpe);
    this.diverted++;
    reports.push(open(sourcePort, destinationPort, destinationPort, standing.owner, sequence, nowMs));
    standing.isArmed = standing.isAnswered = standing.isFinished = standing.isReset = false;
    standing.cpePort = sourcePort;
    standing.reportPort = destinationPort;
    standing.lastMs = nowMs;
    return this.to(standing.owner);
  }

  private pinToItms(packet: ModelPacket, cpe: ModelCpe): Fate {
    cpe.pin(packet.sourcePort, packet.destinationPort, packet.sequence, this.nowMs, this.serial++);
    return this.to(ITMS);
  }

  private followReport(packet: ModelPacket): Fate {
    const cpe = this.cpe(packet.source);
    const known = findReport(cpe.reports(this.nowMs), packet.sourcePort, packet.destinationPort);
    if (known === undefined) return this.to(ITMS);
    if (packet.kind === 'rst') {
      known.rstOfCpe = true;
      this.closeReport(cpe, known, true);
    } else {
      if (known.rstOfServer) {
        known.rstOfServer = false;
        if (!isReset(known)) this.lift(cpe, known);
      }
      if (packet.kind === 'fin') {
        known.finOfCpe = true;
        this.closeReport(cpe, known, false);
      }
    }
    if (known.isAnswered) known.lastMs = this.nowMs;
    return this.to(known.owner);
  }

  private collectorOnReport(packet: ModelPacket, server: number): Fate {
    if (packet.kind === 'syn') return Fate.Drop;
    const cpe = this.cpe(packet.destination);
    const reports = cpe.reports(this.nowMs);
    const known = findReport(reports, packet.destinationPort, packet.sourcePort);
    if (packet.kind === 'rst') {
      if (known === undefined) return this.asAcs();
      if (known.owner !== server) return Fate.Drop;
      if (!known.isAnswered) {
        if (refuses(packet, known.isn)) remove(reports, known);
      } else {
        known.rstOfServer = true;
        this.closeReport(cpe, known, true);
      }
      return this.asAcs();
    }
    if (known === undefined || known.owner !== server) return Fate.Drop;
    if (known.rstOfCpe || (known.rstOfServer && packet.kind === 'syn-ack')) {
      known.rstOfCpe = false;
      // Whoever opens still has reset something else.
      if (packet.kind === 'syn-ack') known.rstOfServer = false;
      if (!isReset(known)) this.lift(cpe, known);
    }
    if (packet.kind === 'syn-ack' && !known.isAnswered) {
      known.isAnswered = true;
      const consumed = this.consumed(cpe, known);
      if (consumed !== undefined) {
        consumed.isAnswered = true;
        consumed.isFinished = consumed.isReset = false;
        consumed.lastMs = this.nowMs;
      }
    }
    if (packet.kind === 'fin') {
      known.finOfServer = true;
      this.closeReport(cpe, known, false);
    }
    if (known.isAnswered) known.lastMs = this.nowMs;
    return this.asAcs();
  }

  private itmsOnReport(packet: ModelPacket): Fate {
    const reports = this.cpe(packet.destination).reports(this.nowMs);
    const known = findReport(reports, packet.destinationPort, packet.sourcePort);
    return known !== undefined && !isClosing(known) ? Fate.Drop : this.asAcs();
  }

  /** A FIN or RST passed: grace begins, or is forbidden. */
  private closeReport(cpe: ModelCpe, known: ModelConnection, byReset: boolean): void {
    known.lastMs = this.nowMs;
    const consumed = this.consumed(cpe, known);
    if (consumed === undefined) return;
    if (byReset) {
      // The collector closed in order before: the session may go on.
      if (known.finOfServer) return;
      if (!consumed.isFinished) consumed.lastMs = this.nowMs;
      consumed.isReset = true;
    } else if (consumed.isAnswered) {
      consumed.isFinished = true;
      consumed.lastMs = this.nowMs;
    }
  }

  /** The reset was a forgery. */
  private lift(cpe: ModelCpe, known: ModelConnection): void {
    const consumed = this.consumed(cpe, known);
    if (consumed === undefined) return;
    if (!consumed.isFinished) consumed.lastMs = this.nowMs;
    consumed.isReset = false;
  }

  private consumed(cpe: ModelCpe, known: ModelConnection) {
    const activation = cpe.activation(this.nowMs);
    if (activation === undefined || activation.isArmed) return undefined;
    const isSame = activation.cpePort === known.cpePort && activation.reportPort === known.visiblePort;
    return isSame ? activation : undefined;
  }

  // ---- Connection Requests ----

  private openRequest(packet: ModelPacket, server: number): Fate {
    const { nowMs } = this;
    const { destination, destinationPort: cpePort, sourcePort, sequence } = packet;
    const requests = this.cpe(destination).requests(nowMs);
    const own = findOwned(requests, cpePort, sourcePort, server);
    if (own !== undefined) {
      if (own.isn !== sequence) Object.assign(own, open(cpePort, own.visiblePort, sourcePort, server, sequence, nowMs));
      else if (!own.isAnswered) own.lastMs = nowMs;
      return this.asAcs(own.visiblePort);
    }
    const collides = findRequest(requests, cpePort, sourcePort) !== undefined;
    if (this.room.requests) {
      const isUnrecorded = collides
        ? this.observed.sourcePort === sourcePort
        : !this.room.hasRequest(destination, cpePort, sourcePort);
      this.isLimited = server === ITMS ? isUnrecorded : this.observed.fate === Fate.Drop;
      if (this.isLimited) return server === ITMS ? this.asAcs() : Fate.Drop;
    }
    const visiblePort = collides ? this.observed.sourcePort : sourcePort;
    if (collides) {
      const isFree = visiblePort >= REMAP_FIRST && findRequest(requests, cpePort, visiblePort) === undefined;
      // Another port there must be; which one is not for the model to say.
      if (!isFree) return this.asAcs(REMAP_FIRST);
    }
    requests.push(open(cpePort, visiblePort, sourcePort, server, sequence, nowMs));
    return this.asAcs(visiblePort);
  }

  private followRequest(packet: ModelPacket, server: number): Fate {
    const { destination, destinationPort, sourcePort } = packet;
    const own = findOwned(this.cpe(destination).requests(this.nowMs), destinationPort, sourcePort, server);
    if (own === undefined) return this.asAcs();
    if (packet.kind === 'rst') {
      own.rstOfServer = true;
      own.lastMs = this.nowMs;
      return this.asAcs(own.visiblePort);
    }
    own.rstOfCpe = false;
    if (packet.kind === 'fin' && !own.finOfServer) {
      own.finOfServer = true;
      const onlyOther = own.saidOther && !own.saidHttp;
      const arms = this.mode === 'fin' || (this.mode !== 'response' && onlyOther);
      if (own.owner !== ITMS && arms) this.succeed(destination, own.owner);
    }
    if (own.isAnswered) own.lastMs = this.nowMs;
    return this.asAcs(own.visiblePort);
  }

  private answerRequest(packet: ModelPacket): Fate {
    const requests = this.cpe(packet.source).requests(this.nowMs);
    const known = findRequest(requests, packet.sourcePort, packet.destinationPort);
    if (known === undefined) return this.to(ITMS);
    if (packet.kind === 'rst') {
      if (known.isAnswered) {
        known.rstOfCpe = true;
        known.lastMs = this.nowMs;
      } else if (refuses(packet, known.isn)) {
        remove(requests, known);
      }
    } else {
      known.rstOfServer = false;
      if (packet.kind === 'syn-ack') known.isAnswered = true;
      if (packet.kind === 'fin') known.finOfCpe = true;
      if (known.isAnswered) known.lastMs = this.nowMs;
      if (packet.text !== '') this.judge(packet, known);
    }
    return this.to(known.owner, known.ownPort);
  }

  /** Did the CPE say yes? */
  private judge(packet: ModelPacket, known: ModelConnection): void {
    const { text } = packet;
    if (!text.startsWith('HTTP/1.') && !'HTTP/1.'.startsWith(text)) {
      known.saidOther = true;
      return;
    }
    known.saidHttp = true;
    const sequence = packet.kind === 'syn-ack' ? (packet.sequence + 1) | 0 : packet.sequence;
    if (known.judged !== undefined && ((sequence - known.judged) | 0) <= 0) return;
    if (text.length < 'HTTP/1.1 200'.length) return;
    known.judged = sequence;
    if (text[9] !== '2') return;
    if (known.owner === ITMS) {
      // Whatever is left of it: nothing of a collector's follows.
      const cpe = this.cpe(packet.source);
      if (cpe.activation(this.nowMs) !== undefined) cpe.setActivation(undefined);
    } else if (this.mode !== 'fin') {
      this.succeed(packet.source, known.owner);
    }
  }

  /** Arms, unless another collector is waiting for its session. */
  private succeed(address: number, owner: number): void {
    const standing = this.cpe(address).activation(this.nowMs);
    if (standing !== undefined && standing.isArmed && standing.owner !== owner) return;
    this.arm(address, owner);
  }

  private arm(address: number, owner: number): void {
    if (this.room.activations && !this.room.hasActivation(address)) return;
    this.cpe(address).setActivation({
      owner,
      isArmed: true,
      cpePort: 0,
      reportPort: 0,
      isAnswered: false,
      isFinished: false,
      isReset: false,
      lastMs: this.nowMs,
    });
  }

  // ---- outcomes ----

  private to(server: number, port = this.packet.destinationPort): Fate {
    this.must.destination = SERVERS[server]!.address;
    this.must.destinationPort = port;
    return Fate.Rewrite;
  }

  private asAcs(port = this.packet.sourcePort): Fate {
    this.must.source = ACS;
    this.must.sourcePort = port;
    return Fate.Rewrite;
  }

  private cpe(address: number): ModelCpe {
    let known = this.cpes.get(address);
    if (known === undefined) this.cpes.set(address, (known = new ModelCpe()));
    return known;
  }
}

function findReport(reports: ModelConnection[], cpePort: number, reportPort: number): ModelConnection | undefined {
  return reports.find((one) => one.cpePort === cpePort && one.visiblePort === reportPort);
}

function findRequest(requests: ModelConnection[], cpePort: number, port: number): ModelConnection | undefined {
  return requests.find((one) => one.cpePort === cpePort && one.visiblePort === port);
}

function findOwned(
  requests: ModelConnection[],
  cpePort: number,
  ownPort: number,
  owner: number,
): ModelConnection | undefined {
  return requests.find((one) => one.cpePort === cpePort && one.ownPort === ownPort && one.owner === owner);
}

/** Does a RST answer the SYN of that ISN? It acknowledges it then, and 64 KiB of data with it at the most. */
function refuses(packet: ModelPacket, isn: number): boolean {
  const acknowledged = (packet.acknowledgement - isn) | 0;
  return packet.acknowledges && acknowledged >= 1 && acknowledged <= 65_536;
}

/**
 * Takes entries over from another router of the cluster. They come without sequence numbers: until the server's next
 * packet tells them, a RST or FIN of the CPE is forwarded and changes nothing (docs/decisions/proof.md). What this
 * topology does not have is refused.
 */
import { type Address } from '../../packet/address';
import { type ActivationElsewhere, Phase } from '../../tables/activation-row';
import { FIN, RST, Seen, Word } from '../../tables/connection-row';
import { type ConnectionTable } from '../../tables/connection-table';
import { Cause } from '../../tables/flow-port';
import { type Head, withoutReading } from '../decide/http-head';
import { type FamilyState } from './family-state';
import { ITMS, NOBODY } from './owners';
import { PortClass } from './servers';

/** What became of a row. */
export const enum Taken {
  Applied,
  /** Not of this topology, or there is no room. */
  Refused,
  /** The entry has changed here since the row was sent on. */
  Crossed,
  /** The session that it is for has gone to the ITMS already: that must be told. */
  Overtaken,
}

export interface ConnectionElsewhere {
  cpe: Address;
  cpePort: number;
  /** The port that the CPE sees. */
  port: number;
  /** Owner id; NOBODY: unknown here. */
  owner: number;
  isn: number;
  /** Bits of Seen: Answer, Accepted, FINs, RSTs, Remapped. */
  seen: number;
  scales: number;
  head: Head;
  /** Of a Connection Request. */
  ownPort: number;
  tag: number;
  /** ms; 0: the connection is gone. */
  remainingMs: number;
  /** Changes of ours that the sender knew: a later one wins. */
  known: number;
}

const HEAD_SHIFT = 8;
/** Routers compare their clocks by messages. An order that is closer than this is unknown, and leans to the ITMS. */
const CLOCK_ERROR_MS = 20;

export class PeerRows {
  constructor(private readonly state: FamilyState) {}

  report(row: ConnectionElsewhere): Taken {
    const { reportConnections: reports, servers } = this.state;
    if (row.owner === ITMS || servers.portClass(row.port) !== PortClass.Report) return Taken.Refused;
    return this.connection(reports, row, () =>
      reports.makeRoom(row.cpe) ? reports.open(row.cpe, row.cpePort, row.port, row.owner, row.isn) : -1,
    );
  }

  request(row: ConnectionElsewhere): Taken {
    const { connectionRequests: requests, servers } = this.state;
    if (!servers.isRequestPort(row.cpePort) || servers.portClass(row.port) !== PortClass.Other) return Taken.Refused;
    const visiblePort = (row.seen & Seen.Remapped) !== 0 ? row.port : undefined;
    return this.connection(requests, row, () => {
      const { cpe, cpePort, ownPort, owner, tag } = row;
      const elsewhere = requests.peekOwned(cpe, cpePort, ownPort, owner, tag);
      if (elsewhere >= 0 && requests.visiblePort(elsewhere) !== row.port) requests.remove(elsewhere, Cause.Peer);
      if (!requests.makeRoom(cpe)) return -1;
      return requests.adopt(cpe, cpePort, ownPort, visiblePort, owner, tag, row.isn);
    });
  }

  activation(cpe: Address, entry: ActivationElsewhere, known: number): Taken {
    const { activatedCpes, servers } = this.state;
    const slot = activatedCpes.find(cpe);
    if (slot >= 0 && isLater(activatedCpes.toldAt(slot), known)) return Taken.Crossed;
    if (entry.phase === Phase.None && entry.askedMs < 0) {
      if (slot >= 0) activatedCpes.table.remove(slot, Cause.Peer);
      return Taken.Applied;
    }
    const isOfCollector = entry.phase === Phase.None || (entry.owner > ITMS && servers.isConfigured(entry.owner));
    if (!servers.isCpe(cpe) || !isOfCollector) return Taken.Refused;
    const sessionMs = this.overtakenMs(cpe, entry);
    if (sessionMs >= 0) return this.useUp(cpe, entry, sessionMs);
    return activatedCpes.follow(cpe, entry) < 0 ? Taken.Refused : Taken.Applied;
  }

  /**
   * Age of the session that this activation would have diverted, had its row come before the SYN; -1: there is none. A
   * session that the sender knew when it armed the CPE is another one.
   */
  private overtakenMs(cpe: Address, entry: ActivationElsewhere): number {
    const { phase, phaseMs, armedMs, askedMs, sessionMs } = entry;
    const synMs = this.state.syns?.ageMs(cpe) ?? -1;
    if (synMs < 0 || phase === Phase.Consumed) return -1;
    const hadSession = sessionMs >= 0 && sessionMs <= askedMs;
    if (phase === Phase.None && hadSession) return -1;
    const sinceMs = phase === Phase.Grace ? phaseMs : hadSession ? armedMs : Math.max(armedMs, askedMs);
    return synMs <= sinceMs + CLOCK_ERROR_MS ? synMs : -1;
  }

  /** Of an activation only the ask stays, as one whose session came first. */
  private useUp(cpe: Address, entry: ActivationElsewhere, sessionMs: number): Taken {
    const { activatedCpes } = this.state;
    const slot = activatedCpes.follow(cpe, { ...entry, phase: Phase.None, sessionMs });
    if (slot >= 0 && !activatedCpes.isAsked(slot)) activatedCpes.table.remove(slot, Cause.Peer);
    return Taken.Overtaken;
  }

  private connection(entries: ConnectionTable, row: ConnectionElsewhere, open: () => number): Taken {
    let slot = entries.find(row.cpe, row.cpePort, row.port);
    if (slot >= 0 && isLater(entries.word(slot, Word.Told), row.known)) return Taken.Crossed;
    const isSame = slot >= 0 && entries.isn(slot) === row.isn && entries.owner(slot) === row.owner;
    if (row.remainingMs <= 0) {
      if (slot >= 0) entries.remove(slot, Cause.Peer);
      return Taken.Applied;
    }
    const { servers } = this.state;
    if (row.owner === NOBODY || !servers.isConfigured(row.owner) || !servers.isCpe(row.cpe)) return Taken.Refused;
    if (!isSame) {
      if (slot >= 0) entries.remove(slot, Cause.Peer);
      slot = open();
      if (slot < 0) return Taken.Refused;
      this.begin(entries, slot, row);
      entries.begunElsewhere(slot);
      if (!entries.isCarried(slot)) {
        entries.remove(slot, Cause.NotCarried);
        return Taken.Refused;
      }
    }
    const accepted = entries.has(slot, Seen.Learned) ? 0 : row.seen & Seen.Accepted;
    entries.followElsewhere(slot, (row.seen & (Seen.Answer | FIN | RST)) | accepted, row.remainingMs);
    return Taken.Applied;
  }

  /** What the connection's first packets would have set, as far as it is known. */
  private begin(entries: ConnectionTable, slot: number, { isn, seen, scales, head }: ConnectionElsewhere): void {
    entries.setWord(slot, Word.Marks, scales | (withoutReading(head) << HEAD_SHIFT));
    if ((seen & (Seen.Answer | Seen.Accepted)) !== 0) return;
    // Only its SYN has passed. Word.OwnPort of a Connection Request is not among these words.
    const next = (isn + 1) | 0;
    if (entries === this.state.connectionRequests) return entries.setWord(slot, Word.ServerNext, next);
    entries.setWord(slot, Word.CpeNext, next);
    entries.setWord(slot, Word.Since, entries.table.tick);
    entries.mark(slot, Seen.Waiting);
  }
}

/** A change of ours, by its number, that the sender of a row did not know. */
function isLater(told: number, known: number): boolean {
  return told !== 0 && ((told - known) | 0) > 0;
}

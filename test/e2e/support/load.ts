/**
 * Load of every kind at once, until it is told to end: bulk transfers and connection churn, diverted and not. Who was
 * to see each session is known beforehand; `end` compares. Knows no test framework: the soak drives it as well.
 */
import type { AcsEvent } from '../../../src/lab/acs-actor';
import type { Bulk } from '../../../src/lab/bulk';
import { settle, type Cast } from '../../../src/lab/cast';
import type { CpeSettings } from '../../../src/lab/cpe';
import { pause } from '../../../src/lab/engine';
import { makeCpes } from './cpes';

const BULK_BYTES = 24 << 20;
const CHURNING = 6;
/** A load that has failed so often tries no more. */
const MOST_FAILURES = 10;
/** After a failure, where failures are to be counted. */
const ENDURING_PAUSE_MS = 50;
const ENDURING_WAIT_MS = 3000;
/** For a Connection Request: TCP's repair may take longer than a server's usual 20 s. */
const WAIT_MS = 50_000;
/** Seeds of one load's transfers; the next load has others. */
const SEEDS = 1_000_000;
let loads = 0;

type Server = 'itms' | 'collector';

interface Transfer {
  up: Bulk;
  upSeen: Bulk;
  down: Bulk;
}

/** For `Stage.open({ cpes: LOAD_CPES, … })`. */
export const LOAD_CPES = loadCpes();

/** The CPEs of as many loads as are to run at once. */
export function loadCpes(loads = 1): CpeSettings[] {
  return makeCpes(loads * (2 + 2 * CHURNING), { informDelayMs: null });
}

export interface LoadOptions {
  /** A share of `loadCpes`; all of LOAD_CPES by default. */
  cpes?: readonly CpeSettings[];
  /** Of each transfer, each way. */
  bulkBytes?: number;
  /** Tries on whatever fails. */
  endures?: boolean;
  /** Between two rounds of a CPE: by default each begins its next session at once, which takes all of the machine. */
  restMs?: number;
}

/** What became of a load. */
export interface Outcome {
  /** Sessions that were begun for each server, and transfers whose bytes are equal at both ends. */
  itms: number;
  collector: number;
  transfers: number;
  /** What did not come to its end as it should, in words. */
  failures: string[];
  /** Connections that another server saw than the one that they were for, in words. */
  wrong: string[];
}

export class Load {
  private readonly done = { itms: 0, collector: 0, transfers: 0 };
  private readonly failures: string[] = [];
  private readonly bulkBytes: number;
  private readonly endures: boolean;
  private readonly restMs: number;
  private isEnding = false;
  private readonly parts: Promise<void>[];
  /** Each opens sessions of its own accord, or is woken for each. */
  private readonly own: readonly CpeSettings[];
  private readonly woken: readonly CpeSettings[];
  private readonly before: Record<Server, number>;

  constructor(
    private readonly cast: Cast,
    { cpes = LOAD_CPES, bulkBytes = BULK_BYTES, endures = false, restMs = 0 }: LoadOptions = {},
  ) {
    const [bulkToItms, bulkToCollector] = cpes as [CpeSettings, CpeSettings];
    const [periodic, woken] = [cpes.slice(2, 2 + CHURNING), cpes.slice(2 + CHURNING)];
    this.own = [bulkToItms, ...periodic];
    this.woken = [bulkToCollector, ...woken];
    this.bulkBytes = bulkBytes;
    this.endures = endures;
    this.restMs = restMs;
    const seed = SEEDS * loads++;
    this.before = { itms: cast.itms.actor.events.length, collector: cast.collector.actor.events.length };
    this.parts = [
      this.repeat('bulk to the ITMS', (round) => this.transfer(bulkToItms, 'itms', seed + 4 * round)),
      this.repeat('bulk to the collector', (round) => this.transferDiverted(bulkToCollector, seed + 4 * round + 2)),
      ...periodic.map((cpe) => this.repeat(`sessions of ${cpe.address}`, () => this.inform(cpe, 'itms'))),
      ...woken.map((cpe) =>
        this.repeat(`woken sessions of ${cpe.address}`, async () => {
          await this.wake(cpe);
          await this.inform(cpe, 'collector');
        }),
      ),
    ];
  }

  /** Begins nothing more. */
  quit(): void {
    this.isEnding = true;
  }

  /** Lets what is under way come to its end, and compares. */
  async end(): Promise<Outcome> {
    this.quit();
    await Promise.all(this.parts);
    await settle(this.cast);
    this.compareCounts('itms');
    this.compareCounts('collector');
    const wrong = [...this.strangers('itms', this.woken), ...this.strangers('collector', this.own)];
    return { ...this.done, failures: this.failures, wrong };
  }

  /** Every session that came to its end was seen by its server, once. */
  private compareCounts(server: Server): void {
    const events = this.cast[server].actor.events.slice(this.before[server]);
    const seen = events.filter(({ event }) => event === 'inform').length;
    const begun = this.done[server];
    if (this.failures.length > 0 || seen === begun) return;
    this.failures.push(`${begun} sessions were for the ${server}, which saw ${seen}`);
  }

  /** Connections of CPEs that were not for this server. */
  private strangers(server: Server, cpes: readonly CpeSettings[]): string[] {
    const theirs = new Set(cpes.map(({ address }) => address));
    return this.cast[server].actor.events
      .slice(this.before[server])
      .flatMap((event) => (event.event === 'connected' && theirs.has(event.peer) ? [event] : []))
      .map(({ peer, port }) => `${peer}:${port} at the ${server}`);
  }

  private async repeat(what: string, act: (round: number) => Promise<void>): Promise<void> {
    const goesOn = (): boolean => !this.isEnding && (this.endures || this.failures.length < MOST_FAILURES);
    for (let round = 0; goesOn(); round++) {
      try {
        await act(round);
        if (this.restMs > 0) await pause(this.restMs);
      } catch (error) {
        this.failures.push(`${what}, round ${round}: ${(error as Error).message}`);
        if (this.endures) await pause(ENDURING_PAUSE_MS);
      }
    }
  }

  private async wake(cpe: CpeSettings): Promise<void> {
    const { statuses } = await this.cast.collector.wake(cpe, {
      timeoutMs: this.endures ? ENDURING_WAIT_MS : WAIT_MS,
    });
    if (statuses.join() !== '401,200') throw new Error(`its Connection Request was answered ${statuses.join()}`);
  }

  private async inform(cpe: CpeSettings, server: Server): Promise<void> {
    this.done[server]++;
    const { ok, error } = await this.cast.cpes.inform(cpe);
    if (!ok) throw new Error(error);
  }

  private async transferDiverted(cpe: CpeSettings, seed: number): Promise<void> {
    await this.wake(cpe);
    await this.transfer(cpe, 'collector', seed);
  }

  private async transfer(cpe: CpeSettings, server: Server, seed: number): Promise<void> {
    const { bulkBytes } = this;
    const order = { cpe: cpe.address, bytes: bulkBytes, seed };
    const { up, upSeen, down } = await this.cast.cpes.actor.ask<Transfer>('transfer', order);
    if (up.bytes !== bulkBytes || upSeen.sha256 !== up.sha256) throw new Error('the upload differs');
    const isDownload = (event: AcsEvent): boolean =>
      event.event === 'bulk' && event.method === 'GET' && event.bytes === down.bytes && event.sha256 === down.sha256;
    await settle(this.cast);
    const other = server === 'itms' ? 'collector' : 'itms';
    if (this.cast[other].actor.events.some(isDownload)) throw new Error(`the download came from the ${other}`);
    const tells = await this.cast[server].actor.untilCount(1, isDownload, 'the download at its server');
    if (tells.length === 0 || down.bytes !== bulkBytes) throw new Error('the download differs');
    this.done.transfers++;
  }
}

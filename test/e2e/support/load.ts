/**
 * Load of every kind at once, until it is told to end: bulk transfers and connection churn, diverted and not. Who was
 * to see each session is known beforehand; `expectNothingLost` compares.
 */
import type { Bulk } from '../../../src/cli/lab/bulk';
import type { CpeSettings } from '../../../src/cli/lab/cpe';
import { makeCpes, type Stage } from './stage';

const BULK_BYTES = 24 << 20;
const CHURNING = 6;

interface Transfer {
  up: Bulk;
  upSeen: Bulk;
  down: Bulk;
}

/** For `Stage.open({ cpes: LOAD_CPES, … })`. */
export const LOAD_CPES = makeCpes(2 + 2 * CHURNING, { informDelayMs: null });
const [bulkToItms, bulkToCollector] = LOAD_CPES as [CpeSettings, CpeSettings];
const PERIODIC = LOAD_CPES.slice(2, 2 + CHURNING);
const WOKEN = LOAD_CPES.slice(2 + CHURNING);

export class Load {
  /** Sessions by the server that was to see them, and transfers. */
  readonly done = { itms: 0, collector: 0, transfers: 0 };
  readonly failures: string[] = [];
  private isEnding = false;
  private readonly parts: Promise<void>[];
  private readonly before;

  constructor(private readonly stage: Stage) {
    const { itms, collector } = stage.cast;
    this.before = { itms: itms.informs.length, collector: collector.informs.length };
    this.parts = [
      this.repeat('bulk to the ITMS', (round) => this.transfer(bulkToItms, 'itms', 2 * round)),
      this.repeat('bulk to the collector', (round) => this.transferDiverted(2 * round + 1000)),
      ...PERIODIC.map((cpe) => this.repeat(`sessions of ${cpe.address}`, () => this.inform(cpe, 'itms'))),
      ...WOKEN.map((cpe) =>
        this.repeat(`woken sessions of ${cpe.address}`, async () => {
          await this.wake(cpe);
          await this.inform(cpe, 'collector');
        }),
      ),
    ];
  }

  /** Lets what is under way come to its end, and compares: nobody lost a connection, each session had its server. */
  async expectNothingLost(): Promise<void> {
    this.isEnding = true;
    await Promise.all(this.parts);
    expect(this.failures).toEqual([]);
    const { done, stage, before } = this;
    await stage.expectCleanWires();
    const { itms, collector } = stage.cast;
    const [woken, periodic] = [WOKEN, PERIODIC].map((cpes) => new Set(cpes.map(({ address }) => address)));
    const wrong = [
      ...itms.informs.filter(({ peer }) => woken!.has(peer)),
      ...collector.informs.filter(({ peer }) => periodic!.has(peer)),
    ];
    expect(wrong).toEqual([]);
    expect(itms.informs.length - before.itms).toBe(done.itms);
    expect(collector.informs.length - before.collector).toBe(done.collector);
    // A load that did nothing has shown nothing.
    for (const count of Object.values(done)) expect(count).toBeGreaterThan(0);
  }

  private async repeat(what: string, act: (round: number) => Promise<void>): Promise<void> {
    for (let round = 0; !this.isEnding && this.failures.length < 10; round++) {
      try {
        await act(round);
      } catch (error) {
        this.failures.push(`${what}, round ${round}: ${(error as Error).message}`);
      }
    }
  }

  private async wake(cpe: CpeSettings): Promise<void> {
    const { statuses } = await this.stage.cast.collector.wake(cpe);
    if (statuses.join() !== '401,200') throw new Error(`its Connection Request was answered ${statuses.join()}`);
  }

  private async inform(cpe: CpeSettings, server: 'itms' | 'collector'): Promise<void> {
    this.done[server]++;
    const { ok, error } = await this.stage.cast.cpes.inform(cpe);
    if (!ok) throw new Error(error);
  }

  private async transferDiverted(seed: number): Promise<void> {
    await this.wake(bulkToCollector);
    await this.transfer(bulkToCollector, 'collector', seed);
  }

  private async transfer(cpe: CpeSettings, server: 'itms' | 'collector', seed: number): Promise<void> {
    const order = { cpe: cpe.address, bytes: BULK_BYTES, seed };
    const { up, upSeen, down } = await this.stage.cast.cpes.actor.ask<Transfer>('transfer', order);
    if (up.bytes !== BULK_BYTES || upSeen.sha256 !== up.sha256) throw new Error('the upload differs');
    const name = { itms: 'itms', collector: 'collector' } as const;
    const isAs = ({ bytes, sha256 }: Bulk, sent: Bulk): boolean => bytes === sent.bytes && sha256 === sent.sha256;
    const tells = await this.stage.cast[name[server]].actor.untilCount(
      1,
      (event) => event.event === 'bulk' && event.method === 'GET' && isAs(event, down),
      'the download at its server',
    );
    if (tells.length === 0 || down.bytes !== BULK_BYTES) throw new Error('the download differs');
    this.done.transfers++;
  }
}

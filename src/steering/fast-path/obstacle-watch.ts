/** Looks for obstacles again when links, routes or rules have changed. */
import { closeSync } from 'node:fs';
import { type Topology } from '../../splitter/topology';
import { type FastPathAddon, type HostLink } from './addon';
import { findObstacle } from './obstacles';

/** Where routes change all the time: so long between two looks, and looking takes this part of the time at most. */
const PAUSE_MS = 1000;
const MOST_PART = 1 / 20;
/** Of a changed sysctl nobody tells. */
const LONGEST_MS = 30_000;

export class ObstacleWatch {
  private readonly monitor: number;
  private isStale = true;
  private notBeforeMs = 0;
  private lookedMs = 0;
  private found: string | undefined;

  /** @throws SystemError */
  constructor(
    private readonly addon: FastPathAddon,
    private readonly now = () => performance.now(),
    private readonly find = findObstacle,
  ) {
    this.monitor = addon.openMonitor();
  }

  /** The obstacle that stands, if any. */
  async look(topology: Topology, links: readonly HostLink[]): Promise<string | undefined> {
    if (this.addon.drainMonitor(this.monitor)) this.isStale = true;
    const startedMs = this.now();
    if (startedMs - this.lookedMs > LONGEST_MS) this.isStale = true;
    if (!this.isStale || startedMs < this.notBeforeMs) return this.found;
    this.isStale = false;
    this.found = await this.find(topology, links);
    const endedMs = (this.lookedMs = this.now());
    this.notBeforeMs = endedMs + Math.max(PAUSE_MS, (endedMs - startedMs) / MOST_PART);
    return this.found;
  }

  /** Looks next time, whatever was found: the topology is another one. */
  forget(): void {
    this.isStale = true;
    this.notBeforeMs = 0;
  }

  close(): void {
    closeSync(this.monitor);
  }
}

/** A watch over servers that judges nothing itself: a test says which collectors are down. */
import { type Address } from '../../src/packet/address';
import { type ServerWatch } from '../../src/splitter/health/server-watch';
import { type Splitter } from '../../src/splitter/splitter';

export class Turnstile implements ServerWatch {
  /** Their ids. */
  private readonly down = new Set<number>();

  set({ state: { owners } }: Splitter, collector: string, isDown: boolean): void {
    if (isDown) this.down.add(owners.idOf(collector));
    else this.down.delete(owners.idOf(collector));
  }

  clear(): void {
    this.down.clear();
  }

  turnsAway(owner: number, _cpe: Address): boolean {
    return this.down.has(owner);
  }

  watch(): void {}
  advance(): void {}
  sweep(): void {}
  opened(): void {}
  accepted(): void {}
  reset(): void {}
}

/** The flow port has one listener; this one passes everything on to several. */
import { type Cause, type Change, type FlowListener, type FlowTable } from '../../tables/flow-port';

/** In their order: those that change entries come before those that only read. */
export function together(all: readonly (FlowListener | undefined)[]): FlowListener | undefined {
  const listeners = all.filter((one) => one !== undefined);
  return listeners.length > 1 ? new Together(listeners) : listeners[0];
}

class Together implements FlowListener {
  constructor(private readonly listeners: readonly FlowListener[]) {}

  told(table: FlowTable, slot: number, change: Change, cause: Cause): void {
    for (let i = 0; i < this.listeners.length; i++) this.listeners[i].told(table, slot, change, cause);
  }

  cleared(table: FlowTable): void {
    for (let i = 0; i < this.listeners.length; i++) this.listeners[i].cleared(table);
  }

  /** Asks every listener: each may have something to write into the entry. */
  isKept(table: FlowTable, slot: number): boolean {
    let isKept = false;
    for (let i = 0; i < this.listeners.length; i++) if (this.listeners[i].isKept(table, slot)) isKept = true;
    return isKept;
  }

  /** No as soon as one has no room: the entry then ends for all. */
  isCarried(table: FlowTable, slot: number): boolean {
    for (let i = 0; i < this.listeners.length; i++) {
      if (this.listeners[i].isCarried?.(table, slot) === false) return false;
    }
    return true;
  }

  learn(table: FlowTable, slot: number, isOwners: boolean): void {
    for (let i = 0; i < this.listeners.length; i++) this.listeners[i].learn(table, slot, isOwners);
  }
}

/** Virtual time and scheduled events: a binary heap; ties keep the order of their scheduling. Times are in ms. */

/** Something that happens at its time. */
export interface Due {
  due(): void;
}

export class Timeline {
  nowMs = 0;
  private readonly times: number[] = [];
  private readonly orders: number[] = [];
  private readonly items: Due[] = [];
  private scheduled = 0;

  get length(): number {
    return this.times.length;
  }

  /** A time gone by means now. */
  at(timeMs: number, item: Due): void {
    const { times, orders, items } = this;
    const time = timeMs > this.nowMs ? timeMs : this.nowMs;
    const order = this.scheduled++;
    let hole = times.length;
    times.push(time);
    orders.push(order);
    items.push(item);
    // A new item has the highest order: it goes before another only by its time.
    while (hole > 0) {
      const parent = (hole - 1) >>> 1;
      if (times[parent]! <= time) break;
      times[hole] = times[parent]!;
      orders[hole] = orders[parent]!;
      items[hole] = items[parent]!;
      hole = parent;
    }
    times[hole] = time;
    orders[hole] = order;
    items[hole] = item;
  }

  after(delayMs: number, action: () => void): void {
    this.at(this.nowMs + delayMs, { due: action });
  }

  /** Lets everything happen that is due by `untilMs`, which is the time afterwards. */
  runUntil(untilMs: number): void {
    while (this.times.length > 0 && this.times[0]! <= untilMs) {
      this.nowMs = this.times[0]!;
      this.takeFirst().due();
    }
    this.nowMs = untilMs;
  }

  private takeFirst(): Due {
    const { times, orders, items } = this;
    const first = items[0]!;
    const time = times.pop()!;
    const order = orders.pop()!;
    const item = items.pop()!;
    const length = times.length;
    if (length === 0) return first;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= length) break;
      if (child + 1 < length && this.isBefore(child + 1, times[child]!, orders[child]!)) child++;
      if (!this.isBefore(child, time, order)) break;
      times[hole] = times[child]!;
      orders[hole] = orders[child]!;
      items[hole] = items[child]!;
      hole = child;
    }
    times[hole] = time;
    orders[hole] = order;
    items[hole] = item;
    return first;
  }

  private isBefore(slot: number, time: number, order: number): boolean {
    return this.times[slot]! < time || (this.times[slot] === time && this.orders[slot]! < order);
  }
}

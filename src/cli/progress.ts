/** Shows progress on a terminal for long work. */

/** When the line first appears and how often it is updated. */
const FIRST_AFTER_MS = 1000;
const EVERY_MS = 200;

export class Progress {
  private nextMs = Date.now() + FIRST_AFTER_MS;
  private isShown = false;

  /** @param totalBytes NaN when unknown */
  constructor(private readonly totalBytes: number) {}

  show(bytesRead: number, packets: number): void {
    const nowMs = Date.now();
    if (nowMs < this.nextMs) return;
    this.nextMs = nowMs + EVERY_MS;
    this.isShown = true;
    const share = Number.isNaN(this.totalBytes)
      ? `${(bytesRead / 1e6).toFixed(0)} MB`
      : `${Math.floor((100 * bytesRead) / Math.max(1, this.totalBytes))} %`;
    process.stderr.write(`\r\x1b[K${share}, ${packets} packets`);
  }

  clear(): void {
    if (this.isShown) process.stderr.write('\r\x1b[K');
  }
}

/** Writes lines of text. */
import { type ByteSink } from './byte-io';

export interface LineSink {
  /** @param text without a line feed */
  line(text: string): void;
  /** Writes out every line so far. */
  flush?(): void;
  end(): void;
}

/** Characters buffered before they are encoded. */
const GATHER_CHARACTERS = 65536;

export class LineWriter implements LineSink {
  private gathered = '';

  constructor(private readonly sink: ByteSink) {}

  line(text: string): void {
    this.gathered += `${text}\n`;
    if (this.gathered.length >= GATHER_CHARACTERS) this.writeOut();
  }

  flush(): void {
    this.writeOut();
    this.sink.flush();
  }

  end(): void {
    this.writeOut();
    this.sink.close();
  }

  private writeOut(): void {
    const bytes = Buffer.from(this.gathered);
    this.gathered = '';
    this.sink.write(bytes, 0, bytes.length);
  }
}

/** Passes each line to several sinks. */
export class LineTee implements LineSink {
  constructor(private readonly sinks: readonly LineSink[]) {}

  line(text: string): void {
    for (const sink of this.sinks) sink.line(text);
  }

  flush(): void {
    for (const sink of this.sinks) sink.flush?.();
  }

  end(): void {
    for (const sink of this.sinks) sink.end();
  }
}

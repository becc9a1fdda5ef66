/** All packets of a capture, as our readers give them. */
import { CaptureError } from '../../src/replay/capture-error';
import { Step } from '../../src/replay/capture-reader';
import { openCapture, WINDOW_BYTES } from '../../src/replay/open-capture';
import { MemorySource } from './memory-files';

export interface ReadPacket {
  seconds: number;
  nanoseconds: number;
  originalBytes: number;
  linkType: number;
  interface: string;
  bytes: Buffer;
}

export interface ReadCapture {
  packets: ReadPacket[];
  error: CaptureError | undefined;
  untimed: number;
}

/** @param chunkBytes given to the reader at once, as by a slow pipe */
export function readCapture(content: Uint8Array, chunkBytes?: number): ReadCapture {
  const packets: ReadPacket[] = [];
  const memory = new Uint8Array(WINDOW_BYTES + 64);
  try {
    // An offset of 64: nothing may depend on the window's beginning at zero.
    const reader = openCapture(new MemorySource('capture', content, chunkBytes), memory, 64);
    for (;;) {
      const step = reader.advance();
      if (step === Step.End) return { packets, error: reader.error, untimed: reader.untimed };
      if (step === Step.Refill) {
        reader.refill();
        continue;
      }
      packets.push({
        seconds: reader.seconds,
        nanoseconds: reader.nanoseconds,
        originalBytes: reader.originalBytes,
        linkType: reader.captureInterface.linkType,
        interface: reader.captureInterface.name,
        bytes: Buffer.from(memory.slice(reader.packetAt, reader.packetAt + reader.capturedBytes)),
      });
    }
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    return { packets, error, untimed: 0 };
  }
}

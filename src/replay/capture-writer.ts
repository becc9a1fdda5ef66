/** What a capture writer takes, whatever the format of the file. */
import { type CaptureInterface } from './capture-reader';

/** A packet on its way out; one object, reused: `bytes` is the same memory from the first packet to the last. */
export interface OutgoingPacket {
  bytes: Uint8Array;
  /** Offset of the frame in `bytes`. */
  packetAt: number;
  capturedBytes: number;
  originalBytes: number;
  seconds: number;
  nanoseconds: number;
  captureInterface: CaptureInterface;
  /** A record around the frame that is in the very flavour of the output, and its bytes; -1 when there is none. */
  recordAt: number;
  recordBytes: number;
  /** Columns of the splitter's answer. */
  verdict: number;
  reason: number;
}

export interface CaptureWriter {
  /** The packet's bytes may be looked at until `settle` returns. */
  write(packet: OutgoingPacket): void;
  /** Takes what is still only pointed at: the bytes are about to change. */
  settle(): void;
  /** Completes the file, also one without packets. */
  close(): void;
}

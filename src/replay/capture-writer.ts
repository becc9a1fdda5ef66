/** The interface of a capture writer, for every file format. */
import { type CaptureInterface } from './capture-reader';

/** A packet to write. One reused object; `bytes` is the same memory for every packet. */
export interface OutgoingPacket {
  bytes: Uint8Array;
  /** Offset of the frame in `bytes`. */
  packetAt: number;
  capturedBytes: number;
  originalBytes: number;
  seconds: number;
  nanoseconds: number;
  captureInterface: CaptureInterface;
  /** Offset and size of a record around the frame that is already in the output's format; -1 without one. */
  recordAt: number;
  recordBytes: number;
  /** The splitter's decision. */
  verdict: number;
  reason: number;
}

export interface CaptureWriter {
  /** The writer may read the packet's bytes until `settle` returns. */
  write(packet: OutgoingPacket): void;
  /** Copies what the writer still only points at, because those bytes are about to change. */
  settle(): void;
  /** Writes out every packet so far, so that other readers of the file see it. */
  flush(): void;
  /** Completes the file, even one without packets. */
  close(): void;
}

const NOWHERE: CaptureInterface = { linkType: 0, name: '', snapLength: 0 };

/** @param bytes the memory that every packet will be in */
export function emptyOutgoing(bytes: Uint8Array): OutgoingPacket {
  return {
    bytes,
    packetAt: 0,
    capturedBytes: 0,
    originalBytes: 0,
    seconds: 0,
    nanoseconds: 0,
    captureInterface: NOWHERE,
    recordAt: -1,
    recordBytes: 0,
    verdict: 0,
    reason: 0,
  };
}

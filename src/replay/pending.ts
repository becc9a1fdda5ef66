/** What the batch does not hold about packets between reading and writing, in columns of the same index. */
import { type CaptureInterface } from './capture-reader';

export class PendingPackets {
  readonly packetAt: Int32Array;
  readonly capturedBytes: Int32Array;
  /** uint32. */
  readonly originalBytes: Float64Array;
  readonly seconds: Float64Array;
  readonly nanoseconds: Int32Array;
  readonly recordAt: Int32Array;
  readonly recordBytes: Int32Array;
  /** As of `fillLength`: -1, or how far the packet exceeds its length field, which is 0 in the capture. */
  readonly beyondLength: Int32Array;
  readonly captureInterface: CaptureInterface[] = [];

  constructor(capacity: number) {
    this.packetAt = new Int32Array(capacity);
    this.capturedBytes = new Int32Array(capacity);
    this.originalBytes = new Float64Array(capacity);
    this.seconds = new Float64Array(capacity);
    this.nanoseconds = new Int32Array(capacity);
    this.recordAt = new Int32Array(capacity);
    this.recordBytes = new Int32Array(capacity);
    this.beyondLength = new Int32Array(capacity);
  }
}

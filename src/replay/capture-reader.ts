/** The interface of a capture reader, for every file format. */
import { type CaptureError } from './capture-error';

/** Most captured bytes of one packet: the limit of tcpdump and Wireshark. */
export const MAX_CAPTURED_BYTES = 262144;

export const enum Step {
  /** The reader's packet fields describe the next packet. */
  Packet,
  /** More bytes are needed: settle everything that points into the window, call `refill`, try again. */
  Refill,
  /** The end; `error` is set where the file did not end as it should. */
  End,
}

/** Where packets were captured. One object per interface and section; compare by identity. */
export interface CaptureInterface {
  linkType: number;
  /** pcapng's if_name; empty when unknown. */
  name: string;
  /** 0: no limit. */
  snapLength: number;
}

/** A cursor over a capture. After `advance` returned Packet its fields are valid until the next call. */
export interface CaptureReader {
  readonly format: 'pcap' | 'pcapng';
  /** As the user named the file. */
  readonly name: string;
  /** Offset of the frame's first byte in the memory shared with the window. */
  packetAt: number;
  /** Captured bytes of the frame. */
  capturedBytes: number;
  /** Bytes of the frame on the wire. */
  originalBytes: number;
  /** Since 1970, UTC; a corrupt file may hold any value. */
  seconds: number;
  nanoseconds: number;
  captureInterface: CaptureInterface;
  /** Why reading stopped before the end. */
  error: CaptureError | undefined;
  /** Bytes read from the file so far. */
  readonly bytesRead: number;
  /** Packets without a timestamp; they took the previous packet's. */
  readonly untimed: number;
  advance(): Step;
  /** False: the source has nothing yet. */
  refill(): boolean;
  close(): void;
}

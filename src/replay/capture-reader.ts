/** What a capture reader offers, whatever the format of the file. */
import { type CaptureError } from './capture-error';

/** Captured bytes of one packet at the most: the limit of tcpdump and Wireshark. */
export const MAX_CAPTURED_BYTES = 262144;

export const enum Step {
  /** The reader's packet fields describe the next packet. */
  Packet,
  /** More bytes are needed: settle whatever still points into the window, call `refill`, try again. */
  Refill,
  /** Nothing more; `error` says whether the file ended as it should. */
  End,
}

/** Where packets of a capture were taken. One object per interface and section: compare by identity. */
export interface CaptureInterface {
  linkType: number;
  /** pcapng's if_name; empty when unknown. */
  name: string;
  /** 0: no limit. */
  snapLength: number;
}

/** A cursor over a capture. The fields are valid after `advance` said Packet, and until the next call. */
export interface CaptureReader {
  readonly format: 'pcap' | 'pcapng';
  /** As the user named the file. */
  readonly name: string;
  /** Offset of the frame's first byte in the memory shared with the window. */
  packetAt: number;
  /** Bytes of the frame that are here. */
  capturedBytes: number;
  /** Bytes of the frame on the wire. */
  originalBytes: number;
  /** Since 1970, UTC; may be anything in a file that lies. */
  seconds: number;
  nanoseconds: number;
  captureInterface: CaptureInterface;
  /** Why the file ended before its time. */
  error: CaptureError | undefined;
  /** Bytes read from the file so far. */
  readonly bytesRead: number;
  /** Packets without a time of their own: they got the time of the packet before. */
  readonly untimed: number;
  advance(): Step;
  refill(): void;
  close(): void;
}

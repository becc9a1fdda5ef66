/** The npm package pcap-parser, which comes without types; what the tests use of it. */
declare module 'pcap-parser' {
  export interface PcapPacket {
    header: {
      timestampSeconds: number;
      timestampMicroseconds: number;
      capturedLength: number;
      originalLength: number;
    };
    data: Buffer;
  }
  export interface Parser {
    on(event: 'packet', listener: (packet: PcapPacket) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    on(event: 'end', listener: () => void): this;
  }
  /** @param input a path or a stream */
  export function parse(input: string | NodeJS.ReadableStream): Parser;
}

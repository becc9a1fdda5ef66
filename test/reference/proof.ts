/** What a packet's numbers prove. Sequence numbers are unsigned and wrap at 2^32. */
import { type ReadPacket } from './packet';

/** More data than a SYN ever carries. */
const SYN_DATA_BYTES = 65_535;

/** Does this RST answer the SYN of that ISN? It acknowledges it then, with any data that came with it. */
export function refuses({ ack, acknowledgement }: ReadPacket, isn: number): boolean {
  const acknowledged = (acknowledgement - isn + 2 ** 32) % 2 ** 32;
  return ack && acknowledged >= 1 && acknowledged <= 1 + SYN_DATA_BYTES;
}

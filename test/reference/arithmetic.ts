/** Sequence numbers: unsigned, modulo 2^32 (RFC 9293 section 3.4). */
const TURN = 2 ** 32;

export function plus(number: number, by: number): number {
  return (((number + by) % TURN) + TURN) % TURN;
}

/** How far one number is ahead of another; below zero where it is behind. */
export function ahead(one: number, other: number): number {
  const distance = plus(one, -other);
  return distance < TURN / 2 ? distance : distance - TURN;
}

/** Programmer errors end the process: what is asserted holds by contract, whatever a packet or an operator brings. */
export function assert(holds: boolean, contract: string): asserts holds {
  if (!holds) throw new Error(`broken contract: ${contract}`);
}

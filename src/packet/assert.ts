/** For programmer errors, which end the process: an asserted contract holds whatever packets or operators send. */
export function assert(holds: boolean, contract: string): asserts holds {
  if (!holds) throw new Error(`broken contract: ${contract}`);
}

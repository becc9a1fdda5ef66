/** Thrown by a checker: the run is over, and the shrinker may look for a shorter run with the same failure. */
export class SimFailure extends Error {
  constructor(
    /** Which check failed; a shrunk run must fail by the same. */
    readonly check: string,
    readonly atMs: number,
    detail: string,
    /** The CPE concerned, int32, where it is one. */
    readonly cpe?: number,
  ) {
    super(`${check}: ${detail}`);
  }
}

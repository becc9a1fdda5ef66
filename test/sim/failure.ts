/** What a checker throws: the run is over, and a shorter one that fails alike may be looked for. */
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

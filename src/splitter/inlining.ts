/**
 * V8 settings that the core needs. A decision is many small functions, and V8 stops inlining them at 920 bytes of
 * bytecode. With room for all of them, a packet takes a fifth less time (docs/benchmarks.md). Programs that run the
 * core set this with `v8.setFlagsFromString` before the code gets hot. Without it the results are the same, only
 * slower.
 */
export const INLINING_FLAG = '--max-inlined-bytecode-size-cumulative=5000';

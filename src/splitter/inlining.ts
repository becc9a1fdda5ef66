/**
 * What the core wants of V8. A decision is many small functions, and V8 stops inlining them at 920 bytes of bytecode:
 * with room for all of them, a packet takes a fifth less time (docs/benchmarks.md). Whoever drives the core sets this
 * before it runs hot, with `v8.setFlagsFromString`; unset, all is as correct, and slower.
 */
export const INLINING_FLAG = '--max-inlined-bytecode-size-cumulative=5000';

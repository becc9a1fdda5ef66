/**
 * A proof is a claim that takes long to show: a benchmark, a table of faults, a soak. `npm run prove` lists them,
 * `npm run prove NAME` runs one in full and writes what it measured into the docs, and `npm test` runs the smallest
 * instance of each once. To add one, write a file that exports a `Proof`, and add it to proofs.ts.
 */

export interface Proof {
  /** As in `npm run prove NAME`. */
  name: string;
  /** The claim, in one line. */
  shows: string;
  /** How long the full instance takes, in words, and what it needs of the machine. */
  takes: string;
  /** Root, for network namespaces: such a proof is skipped where end-to-end tests are. */
  needsRoot: boolean;
  /** Where the full instance writes its section. Absent: it writes nothing, or its programs write by themselves. */
  section?: Section;
  /** A few seconds long; or the test files that are the smallest instance, which `npm test` runs anyway. */
  smallest: Instance | TestFiles;
  full: Instance;
}

/** Runs to the end and reports its progress. Throws an Error when it cannot run at all. */
export type Instance = (say: (line: string) => void, limits: Limits) => Promise<Findings> | Findings;

/** For proofs that repeat something; the others ignore them. */
export interface Limits {
  /** `--repeat N`; undefined: as often as the proof says. */
  times: number | undefined;
  /** `--minutes N` are over, or Ctrl-C was pressed once: end in order, with what there is. */
  isOver: () => boolean;
}

export interface TestFiles {
  /** Paths from the root on. */
  tests: readonly string[];
}

export interface Findings {
  /** What contradicts the claim, one line each; empty where it holds. */
  failures: string[];
  /** Markdown for the section. */
  text?: string;
  /** The text counts what contradicts the claim, so it is written all the same. */
  isCounted?: boolean;
}

/** Between `<!-- begin NAME -->` and `<!-- end NAME -->`. */
export interface Section {
  /** From the root on. */
  file: string;
  name: string;
}

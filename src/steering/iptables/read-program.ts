/** Runs a program without blocking, for an engine that gives signs of life meanwhile. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { searchPath } from './iptables';

/** Returns a program's output; rejects when it cannot be run or fails. */
export type Reader = (program: string, words: readonly string[]) => Promise<string>;

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 64 << 20;

export const readProgram: Reader = async (program, words) => {
  const env = { ...process.env, PATH: searchPath(), LC_ALL: 'C' };
  const options = { env, timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES, encoding: 'utf8' } as const;
  return (await promisify(execFile)(program, words, options)).stdout;
};

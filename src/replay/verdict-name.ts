/** Names of the verdicts in transcripts, comments and summaries. */
import { type Verdict } from '../packet/batch';

const NAMES = ['dropped', 'accepted', 'rewritten'];

export function verdictName(verdict: Verdict): string {
  return NAMES[verdict];
}

/** Verdicts in words, as transcripts, comments and summaries print them. */
import { type Verdict } from '../packet/batch';

const NAMES = ['dropped', 'accepted', 'rewritten'];

export function verdictName(verdict: Verdict): string {
  return NAMES[verdict];
}

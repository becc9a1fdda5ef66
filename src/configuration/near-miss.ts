/** "Did you mean …?": the spelling that was probably meant. */

import { distance } from 'fastest-levenshtein';

/** The candidate closest to `word`, or `undefined` if none is close enough to be a typing error. */
export function nearMiss(word: string, candidates: readonly string[]): string | undefined {
  if (word.length < 2) return undefined;
  const tolerance = word.length < 4 ? 1 : Math.ceil(word.length / 3);
  let best: string | undefined;
  let bestDistance = tolerance + 1;
  for (const candidate of candidates) {
    const d = distance(word.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
}

/** `; did you mean "address"?`, or nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const best = nearMiss(word, candidates);
  return best === undefined ? '' : `; did you mean "${best}"?`;
}

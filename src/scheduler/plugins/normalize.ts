// Bringing raw scores into 0..100.

/** The highest becomes 100 and the others keep their proportion, in whole numbers; reversed, the highest becomes 0. All zero: all 0, reversed all 100. */
export function normalizeToHundred(scores: Float64Array, reverse: boolean): void {
  let max = 0;
  for (const score of scores) if (score > max) max = score;
  if (max === 0) {
    if (reverse) scores.fill(100);
    return;
  }
  for (let i = 0; i < scores.length; i++) {
    const score = Math.floor((100 * (scores[i] as number)) / max); // i < length
    scores[i] = reverse ? 100 - score : score;
  }
}

// Is a row count unusual? It compares growth: the change since the last run against the changes before, by the median and
// its absolute deviation (robust for short histories). Fewer than seven points: no verdict, which counts as usual.

const POINTS_MIN = 7

export interface Anomaly {
  readonly isAnomaly: boolean
  readonly text: string
}

/** `history`: values of earlier runs, oldest first. `sigma`: how many deviations are still usual. */
export function judgeAnomaly(history: readonly number[], value: number, sigma: number): Anomaly {
  if (history.length < POINTS_MIN) return { isAnomaly: false, text: `${value}, ${history.length} of ${POINTS_MIN} runs to learn from` }
  const steps = history.slice(1).map((point, index) => point - history[index]!)
  const step = value - history.at(-1)!
  const middle = median(steps)
  // 1.4826 makes the median absolute deviation estimate the standard deviation of normal data.
  const spread = Math.max(1.4826 * median(steps.map((s) => Math.abs(s - middle))), Math.abs(middle) * 0.01, 1)
  const least = Math.round(history.at(-1)! + middle - sigma * spread)
  const most = Math.round(history.at(-1)! + middle + sigma * spread)
  return { isAnomaly: Math.abs(step - middle) > sigma * spread, text: `${value}, expected ${least} to ${most}` }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

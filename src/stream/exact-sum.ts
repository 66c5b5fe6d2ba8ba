// Sums of doubles that do not depend on the order of the terms: Shewchuk, "Adaptive Precision Floating-Point Arithmetic
// and Fast Robust Geometric Predicates" (1997), as in Python's math.fsum. The expansion is exact; its value is rounded once.

/** Non-overlapping parts, smallest first; their sum is exact. A sum that is NaN or infinite is that one part. */
export type Exact = number[]

/**
 * Adds `x` to the expansion in place. Terms whose partial sums exceed the largest double make it infinite, which alone may
 * depend on their order.
 */
export function addExact(parts: Exact, x: number): void {
  if (x === 0) return
  let kept = 0
  let rest = x
  for (let i = 0; i < parts.length; i++) {
    let part = parts[i]!
    if (Math.abs(rest) < Math.abs(part)) [rest, part] = [part, rest]
    const high = rest + part
    if (!Number.isFinite(high)) {
      kept = 0
      rest = Number.isFinite(parts.at(-1)!) && Number.isFinite(x) ? high : parts.at(-1)! + x
      break
    }
    const low = part - (high - rest)
    if (low !== 0) parts[kept++] = low
    rest = high
  }
  if (!Number.isFinite(rest)) kept = 0
  parts.length = kept
  parts.push(rest)
}

/** The exact sum, rounded to the nearest double, ties to even. */
export function exactValue(parts: Exact): number {
  let n = parts.length
  if (n === 0) return 0
  let high = parts[--n]!
  let low = 0
  while (n > 0) {
    const x = high
    const y = parts[--n]!
    high = x + y
    low = y - (high - x)
    if (low !== 0) break
  }
  // Half-way cases: the parts below decide the rounding.
  if (n > 0 && ((low < 0 && parts[n - 1]! < 0) || (low > 0 && parts[n - 1]! > 0))) {
    const doubled = low * 2
    const x = high + doubled
    if (doubled === x - high) high = x
  }
  return high
}

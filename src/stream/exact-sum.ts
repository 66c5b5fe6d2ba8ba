// Sums of doubles that do not depend on the order of the terms: Shewchuk, "Adaptive Precision Floating-Point Arithmetic
// and Fast Robust Geometric Predicates" (1997), as in Python's math.fsum. The expansion is exact; its value is rounded once.

/** Non-overlapping parts, smallest first; their sum is exact. NaN and infinities are kept as one part. */
export type Exact = number[]

/** Adds `x` to the expansion in place. */
export function addExact(parts: Exact, x: number): void {
  if (!Number.isFinite(x) || (parts.length === 1 && !Number.isFinite(parts[0]!))) {
    const sum = (parts.length === 1 && !Number.isFinite(parts[0]!) ? parts[0]! : 0) + x
    parts.length = 0
    parts.push(sum)
    return
  }
  let kept = 0
  let rest = x
  for (let i = 0; i < parts.length; i++) {
    let part = parts[i]!
    if (Math.abs(rest) < Math.abs(part)) [rest, part] = [part, rest]
    const high = rest + part
    const low = part - (high - rest)
    if (low !== 0) parts[kept++] = low
    rest = high
  }
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

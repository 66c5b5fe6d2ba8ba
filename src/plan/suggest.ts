// "Did you mean": the known name closest to a wrong one.

/** The candidate nearest to `name` when it is near enough to be a slip of the hand; undefined otherwise. */
export function suggest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of candidates) {
    const far = distance(name.toLowerCase(), candidate.toLowerCase())
    if (far < bestDistance) [best, bestDistance] = [candidate, far]
  }
  return best
}

/** `did you mean "x"?`, or what there is, or `otherwise`. */
export function didYouMean(name: string, candidates: Iterable<string>, otherwise: string): string {
  const known = [...candidates]
  const near = suggest(name, known)
  if (near !== undefined) return `did you mean "${near}"?`
  if (known.length > 0 && known.length <= 12) return `there are: ${known.join(', ')}`
  return otherwise
}

/** Edits (insert, delete, replace, swap of neighbours) that lead from `a` to `b`. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}

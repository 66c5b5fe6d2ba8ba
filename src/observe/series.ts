// Short time series in memory, for the console's charts: one point every ten seconds, a day kept. Lost at a restart; the
// lasting record is what Prometheus scrapes.

const STEP_MS = 10_000
const POINTS = 8_640

interface Ring {
  readonly values: Float64Array
  /** Step number of the newest point; -1 before the first. */
  newest: number
}

export class SeriesStore {
  readonly #rings = new Map<string, Ring>()

  /** Adds to the point of `atMs` ('add'), or keeps the largest value ('max'), or replaces it ('set'). */
  record(name: string, atMs: number, value: number, how: 'add' | 'max' | 'set'): void {
    let ring = this.#rings.get(name)
    if (!ring) {
      ring = { values: new Float64Array(POINTS).fill(Number.NaN), newest: -1 }
      this.#rings.set(name, ring)
    }
    const step = Math.floor(atMs / STEP_MS)
    if (step <= ring.newest - POINTS) return
    for (let missing = Math.max(ring.newest + 1, step - POINTS + 1); missing <= step; missing++) ring.values[missing % POINTS] = Number.NaN
    ring.newest = Math.max(ring.newest, step)
    const slot = step % POINTS
    const old = ring.values[slot]!
    if (Number.isNaN(old) || how === 'set') ring.values[slot] = value
    else ring.values[slot] = how === 'add' ? old + value : Math.max(old, value)
  }

  /** Points of the last `rangeMs`, thinned to at most `limit` by `how`; null where nothing was measured. */
  read(
    name: string,
    nowMs: number,
    rangeMs: number,
    limit: number,
    how: 'sum' | 'max' | 'last',
  ): { startMs: number; stepMs: number; values: (number | null)[] } {
    const last = Math.floor(nowMs / STEP_MS)
    const count = Math.min(POINTS, Math.ceil(rangeMs / STEP_MS))
    const group = Math.max(1, Math.ceil(count / limit))
    const bins = Math.ceil(count / group)
    const first = last - bins * group + 1
    const ring = this.#rings.get(name)
    const values = Array.from({ length: bins }, (_, bin) => (ring ? combine(ring, first + bin * group, group, how) : null))
    return { startMs: first * STEP_MS, stepMs: group * STEP_MS, values }
  }
}

function combine(ring: Ring, from: number, count: number, how: 'sum' | 'max' | 'last'): number | null {
  let result: number | null = null
  for (let step = from; step < from + count; step++) {
    if (step < 0 || step > ring.newest || step <= ring.newest - POINTS) continue
    const value = ring.values[step % POINTS]!
    if (Number.isNaN(value)) continue
    if (result === null || how === 'last') result = value
    else result = how === 'sum' ? result + value : Math.max(result, value)
  }
  return result
}

// Quantiles with a bounded relative error: DDSketch (Masson, Rim, Lee, VLDB 2019). Numbers fall into buckets whose bounds
// grow by one factor; beyond a number of buckets those of the least magnitude are joined, so that memory is bounded.
import type { Kind } from './slot.ts'

interface Cell {
  readonly positive: Map<number, number>
  readonly negative: Map<number, number>
  zeros: number
}

const BUCKET_MAX = 2048

export function quantilesKind(accuracy: number): Kind<Cell> {
  const gamma = (1 + accuracy) / (1 - accuracy)
  const logGamma = Math.log(gamma)
  const middleOf = (bucket: number): number => (2 * gamma ** bucket) / (gamma + 1)
  return {
    handle: (slot) => {
      const count = (): number => {
        const cell = slot.get()
        return cell ? cell.zeros + sum(cell.positive) + sum(cell.negative) : 0
      }
      return {
        add: (x: number): void => {
          if (!Number.isFinite(x)) return
          const cell: Cell = slot.get() ?? { positive: new Map(), negative: new Map(), zeros: 0 }
          if (slot.get() === null) slot.set(cell)
          const buckets = x > 0 ? cell.positive : cell.negative
          if (x === 0) {
            slot.onUndo(putZeros, cell, null, cell.zeros)
            cell.zeros++
            return
          }
          const change = (bucket: number, by: number): void => {
            const before = buckets.get(bucket) ?? 0
            slot.onUndo(put, buckets, bucket, before)
            put(buckets, bucket, before + by)
          }
          change(Math.ceil(Math.log(Math.abs(x)) / logGamma), 1)
          if (buckets.size <= BUCKET_MAX) return
          const [least, next] = [...buckets.keys()].sort((a, b) => a - b) as [number, number]
          const joined = buckets.get(least)!
          change(least, -joined)
          change(next, joined)
        },
        get count(): number {
          return count()
        },
        quantile: (q: number): number | null => {
          const cell = slot.get()
          const total = count()
          if (!cell || total === 0) return null
          const rank = Math.min(1, Math.max(0, q)) * (total - 1)
          const ascending = [
            ...[...cell.negative].sort(([a], [b]) => b - a).map(([bucket, n]) => [-middleOf(bucket), n] as const),
            [0, cell.zeros] as const,
            ...[...cell.positive].sort(([a], [b]) => a - b).map(([bucket, n]) => [middleOf(bucket), n] as const),
          ]
          let seen = 0
          for (const [value, n] of ascending) {
            seen += n
            if (seen > rank) return value
          }
          return null
        },
      }
    },
    encode: ({ positive, negative, zeros }) => [[...positive], [...negative], zeros],
    decode: (saved) => {
      const [positive, negative, zeros] = saved as [[number, number][], [number, number][], number]
      return { positive: new Map(positive), negative: new Map(negative), zeros }
    },
    sizeOf: ({ positive, negative }) => 320 + 40 * (positive.size + negative.size),
  }
}

const putZeros = (cell: Cell, _: null, before: number): void => {
  cell.zeros = before
}

function put(buckets: Map<number, number>, bucket: number, count: number): void {
  if (count === 0) buckets.delete(bucket)
  else buckets.set(bucket, count)
}

function sum(buckets: ReadonlyMap<number, number>): number {
  let total = 0
  for (const count of buckets.values()) total += count
  return total
}

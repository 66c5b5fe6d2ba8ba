// Count, mean and variance by Welford's method (Technometrics 4, 1962). Numbers that are not finite are passed over.
import { savedFigure } from './saved-figure.ts'
import type { Kind } from './slot.ts'

interface Cell {
  readonly n: number
  readonly mean: number
  readonly m2: number
}

const EMPTY: Cell = { n: 0, mean: 0, m2: 0 }

export function momentsKind(): Kind<Cell> {
  return {
    handle: (slot) => {
      const cell = (): Cell => slot.get() ?? EMPTY
      const variance = (): number => {
        const { n, m2 } = cell()
        return n < 2 ? 0 : m2 / (n - 1)
      }
      const deviation = (): number => Math.sqrt(variance())
      return {
        add: (x: number): void => {
          if (!Number.isFinite(x)) return
          const { n, mean, m2 } = cell()
          const next = mean + (x - mean) / (n + 1)
          slot.set({ n: n + 1, mean: next, m2: m2 + (x - mean) * (x - next) })
        },
        score: (x: number): number => (deviation() === 0 ? 0 : (x - cell().mean) / deviation()),
        get count(): number {
          return cell().n
        },
        get mean(): number {
          return cell().mean
        },
        get variance(): number {
          return variance()
        },
        get deviation(): number {
          return deviation()
        },
      }
    },
    encode: ({ n, mean, m2 }) => [n, mean, m2].map(savedFigure),
    decode: (saved) => {
      const [n, mean, m2] = (saved as (number | string)[]).map(Number) as [number, number, number]
      return { n, mean, m2 }
    },
    sizeOf: () => 64,
  }
}

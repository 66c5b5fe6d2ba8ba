// Exponentially weighted rate, per second: what was ticked decays by 1/e each window.
import { savedFigure } from './saved-figure.ts'
import type { Kind } from './slot.ts'

interface Cell {
  readonly weight: number
  readonly atUs: number
}

/** After so many windows less than 1e-15 is left of a weight: it counts as nothing. */
const GONE_WINDOWS = 35

export function ewmaKind(windowMs: number): Kind<Cell> {
  const windowUs = windowMs * 1_000
  return {
    handle: (slot) => {
      const decayed = (): number => {
        const cell = slot.get()
        const ageUs = cell ? Math.max(0, slot.nowUs - cell.atUs) : 0
        return cell && ageUs < GONE_WINDOWS * windowUs ? cell.weight * Math.exp(-ageUs / windowUs) : 0
      }
      return {
        tick: (weight = 1): void => slot.set({ weight: decayed() + weight, atUs: Math.max(slot.get()?.atUs ?? slot.nowUs, slot.nowUs) }),
        get value(): number {
          return decayed() / (windowUs / 1_000_000)
        },
      }
    },
    encode: ({ weight, atUs }) => [savedFigure(weight), atUs],
    decode: (saved) => {
      const [weight, atUs] = saved as [number | string, number]
      return { weight: Number(weight), atUs }
    },
    sizeOf: () => 56,
    expire: ({ atUs }, floorUs) => floorUs - atUs >= GONE_WINDOWS * windowUs,
  }
}

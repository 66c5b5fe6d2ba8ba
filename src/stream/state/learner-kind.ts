// Regression that learns one example at a time: linear, or logistic. Steps are those of AdaGrad (Duchi, Hazan, Singer, JMLR 12,
// 2011), so features need not be of exactly one size. Deterministic: the weights are a function of the examples and their order.
import { MillraceError } from '../../core/errors.ts'
import type { Kind } from './slot.ts'

interface Cell {
  /** Examples learned. */
  readonly version: number
  /** Of the features, in the order of their names as declared, then of the intercept. */
  readonly weights: readonly number[]
  /** Sums of squared gradients. */
  readonly squares: readonly number[]
}

interface Declared {
  readonly kind: 'logistic' | 'regression'
  readonly features: readonly string[]
  readonly rate: number
  readonly decay: number
}

type Inputs = Readonly<Record<string, number>>

export function learnerKind({ kind, features, rate, decay }: Declared): Kind<Cell> {
  const width = features.length + 1
  const zeros: readonly number[] = Array.from({ length: width }, () => 0)
  const empty: Cell = { version: 0, weights: zeros, squares: zeros }
  const isLogistic = kind === 'logistic'
  /** Read anew for each answer. */
  const x = new Float64Array(width).fill(1)
  const read = (inputs: Inputs): void => {
    for (let i = 0; i < features.length; i++) x[i] = finite(features[i]!, inputs[features[i]!])
  }
  const predict = ({ weights }: Cell): number => {
    let sum = 0
    for (let i = 0; i < width; i++) sum += weights[i]! * x[i]!
    return isLogistic ? 1 / (1 + Math.exp(-sum)) : sum
  }
  return {
    handle: (slot) => {
      const cell = (): Cell => slot.get() ?? empty
      const answer = (inputs: Inputs): number => {
        read(inputs)
        return predict(cell())
      }
      return {
        [isLogistic ? 'score' : 'predict']: answer,
        learn: (inputs: Inputs, target: boolean | number, weight = 1): void => {
          read(inputs)
          const before = cell()
          const slope = (predict(before) - finite('the target', Number(target))) * finite('the weight', weight)
          const weights = before.weights.slice()
          const squares = before.squares.slice()
          for (let i = 0; i < width; i++) {
            const gradient = slope * x[i]! + (i < features.length ? decay * weights[i]! : 0)
            squares[i]! += gradient * gradient
            if (gradient !== 0) weights[i]! -= (rate * gradient) / Math.sqrt(squares[i]!)
          }
          slot.set({ version: before.version + 1, weights, squares })
        },
        get version(): number {
          return cell().version
        },
        get weights(): Inputs {
          const { weights } = cell()
          return Object.fromEntries([...features, 'intercept'].map((name, index) => [name, weights[index]!]))
        },
      }
    },
    encode: ({ version, weights, squares }) => [version, weights, squares],
    decode: (saved) => {
      const [version, weights, squares] = saved as [number, number[], number[]]
      return { version, weights, squares }
    },
    sizeOf: () => 120 + 16 * width,
  }
}

function finite(name: string, value: number | undefined): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new MillraceError('MR_PROCESSOR', `a model was given ${String(value)} for ${name}`, {
    fix: 'give each feature a finite number: replace what is missing first',
  })
}

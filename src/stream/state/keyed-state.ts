// The state of a processor over one partition: cells of each key and cells shared by all keys, and one handle for each
// declared state that points at the key at hand. Every change says how it is taken back, so that a row on which user code
// throws leaves no trace. Time is given by the caller: state never reads a clock. PROTOCOL rules 10 and 12.
import { MillraceError } from '../../core/errors.ts'
import type { StateManifest } from '../../define/manifest.ts'
import { kindOf } from './kind-of.ts'
import type { Kind, Slot } from './slot.ts'

type Cells = unknown[]

export interface KeyedState {
  /** What user code gets as `state`, by the declared names. */
  readonly handles: Readonly<Record<string, object>>
  /** Points the handles at a key, or at shared state alone. `floorUs`: no later call has a time before it. */
  enter(key: string | null, nowUs: number, floorUs: number): void
  /** Takes back every change since `enter`. */
  undo(): void
  /** Until the next `enter` the handles refuse to work. */
  leave(): void
  /** Keys that have something to remember. */
  readonly keys: number
  /** Plain JSON of all keys, without what has expired; later changes do not show in it. */
  save(): unknown
  /** States that are new, or that were declared as another kind or type, start empty. */
  restore(saved: unknown): void
}

interface Saved {
  readonly declared: Readonly<Record<string, StateManifest>>
  readonly keys: readonly (readonly [string, readonly unknown[]])[]
  readonly shared: readonly unknown[]
}

export function keyedState(declared: Readonly<Record<string, StateManifest>>): KeyedState {
  const names = Object.keys(declared)
  const kinds = names.map((name) => kindOf(declared[name]!) as Kind<unknown>)
  const isShared = names.map((name) => declared[name]!.scope === 'partition')
  const byKey = new Map<string, Cells>()
  const shared: Cells = []
  let cells: Cells | null = null
  let isOpen = false
  let nowUs = 0
  let floorUs = Number.NEGATIVE_INFINITY
  let undone: (() => void)[] = []

  const slotOf = (index: number): Slot<unknown> => {
    const own = (): Cells => {
      if (!isOpen)
        throw new MillraceError('MR_PROCESSOR', `the state "${names[index]}" was used after the call that it belongs to`, {
          fix: 'use state only before `on` returns: it must not be async',
        })
      if (isShared[index]) return shared
      if (cells) return cells
      throw new MillraceError('MR_PROCESSOR', `the state "${names[index]}" has no key here`, {
        fix: 'a row that is broadcast belongs to no key: keep it in shared.* state',
      })
    }
    return {
      get: () => own()[index] ?? null,
      set(cell) {
        const at = own()
        const before = at[index]
        undone.push(() => {
          at[index] = before
        })
        at[index] = cell
      },
      onUndo: (action) => undone.push(action),
      get nowUs() {
        return nowUs
      },
      get floorUs() {
        return floorUs
      },
    }
  }

  const isEmpty = (of: Cells): boolean => of.every((cell) => cell === null || cell === undefined)
  const expire = (of: Cells): void => {
    kinds.forEach((kind, index) => {
      const cell = of[index] ?? null
      if (cell !== null && kind.expire?.(cell, floorUs)) of[index] = null
    })
  }
  const encode = (of: Cells): unknown[] => kinds.map((kind, index) => (of[index] == null ? null : kind.encode(of[index])))

  return {
    handles: Object.fromEntries(names.map((name, index) => [name, kinds[index]!.handle(slotOf(index))])),
    enter(key, now, floor) {
      let found = key === null ? null : byKey.get(key)
      if (found === undefined) {
        found = []
        byKey.set(key!, found)
      }
      cells = found
      isOpen = true
      nowUs = now
      floorUs = floor
      if (undone.length > 0) undone = []
    },
    undo() {
      for (let action = undone.pop(); action; action = undone.pop()) action()
    },
    leave() {
      cells = null
      isOpen = false
    },
    get keys() {
      let keys = 0
      for (const of of byKey.values()) if (!isEmpty(of)) keys++
      return keys
    },
    save(): Saved {
      expire(shared)
      const keys: [string, unknown[]][] = []
      for (const [key, of] of byKey) {
        expire(of)
        if (isEmpty(of)) byKey.delete(key)
        else keys.push([key, encode(of)])
      }
      return { declared, keys, shared: encode(shared) }
    },
    restore(saved) {
      byKey.clear()
      shared.length = 0
      cells = null
      isOpen = false
      undone = []
      if (!saved) return
      const { declared: then, keys, shared: sharedThen } = saved as Saved
      const savedNames = Object.keys(then)
      const isSame = (name: string): boolean => JSON.stringify(then[name]) === JSON.stringify(declared[name])
      const from = names.map((name) => (isSame(name) ? savedNames.indexOf(name) : -1))
      const decode = (of: readonly unknown[]): Cells =>
        from.map((index, own) => (index < 0 || of[index] == null ? null : kinds[own]!.decode(of[index])))
      for (const [key, of] of keys) byKey.set(key, decode(of))
      shared.push(...decode(sharedThen))
    },
  }
}

// For tests: what checkpoints do to a state, without files. Each state that is reopened from another continues its chains.
import type { ColumnBatch } from '../schema/batch.ts'
import type { Operator } from './operators/operator.ts'
import { type FrozenLeaf, joinTree, splitTree } from './state-tree.ts'

interface Kept {
  save(): unknown
  restore(saved: unknown): unknown
}

const chainsOf = new WeakMap<Kept, ReadonlyMap<string, readonly Uint8Array[]>>()

/** Saves one and restores the other, which must be new, from it and all that it saved before by this function. */
export function reopen<To extends Kept>(from: Kept, to: To): To {
  const before = chainsOf.get(from)
  const { json, bytes, chains } = splitTree(from.save())
  const read = bytes.map(contentOf)
  const after = new Map<string, readonly Uint8Array[]>()
  for (const { $chain, base, added } of chains)
    after.set(
      $chain,
      [...(base ?? before?.get($chain) ?? []), ...added].map((part) => part.slice()),
    )
  const tree = joinTree(
    JSON.parse(JSON.stringify(json)),
    (n) => read[n]!,
    (name) => after.get(name)!,
  )
  chainsOf.set(from, after)
  chainsOf.set(to, after)
  to.restore(tree)
  return to
}

/** A copy, as of the cut. */
const contentOf = (leaf: Uint8Array | FrozenLeaf): Uint8Array => (leaf instanceof Uint8Array ? leaf.slice() : leaf.block(0, leaf.length))

/** A state without chains as a checkpoint gives it back: through JSON, except for its bytes. */
export function asStored(saved: unknown): unknown {
  const { json, bytes } = splitTree(saved)
  return joinTree(
    JSON.parse(JSON.stringify(json)),
    (n) => contentOf(bytes[n]!),
    () => [],
  )
}

/** The operator goes on by the watermarks in their order and then to its end; from `stopped` on another one goes on from its checkpoint each time. */
export function goOn(
  operator: Operator,
  open: () => Operator,
  watermarks: readonly number[],
  stopped: number,
  take: (out: ColumnBatch | null) => void,
): void {
  let own = operator
  for (const watermark of watermarks.toSorted((a, b) => a - b)) {
    take(own.advance!(watermark))
    if (watermark < stopped) continue
    const saved = asStored(own.save())
    own = open()
    own.restore(saved)
  }
  take(own.advance!(END))
}

/** Beyond the times of all rows. */
const END = 1_000

/** Cuts whose reading is not done while what they are of goes on changing. */
export class OpenCuts {
  #cuts: { readonly saved: unknown; readonly was: unknown }[] = []

  take(of: { save(): unknown }): void {
    const saved = of.save()
    this.#cuts.push({ saved, was: asStored(saved) })
  }

  /** Ends their reading. Answers pairs of what was read at the end and what there was at the cut: they must be equal. */
  close(): readonly (readonly [unknown, unknown])[] {
    const pairs = this.#cuts.map(({ saved, was }) => [asStored(saved), was] as const)
    for (const { saved } of this.#cuts) for (const leaf of splitTree(saved).bytes) if (!(leaf instanceof Uint8Array)) leaf.release()
    this.#cuts = []
    return pairs
  }
}

/** Bytes that a save would write. */
export function writtenBytes(saved: unknown): number {
  const { json, bytes, chains } = splitTree(saved)
  const sizes = [...bytes, ...chains.flatMap(({ base, added }) => [...(base ?? []), ...added])].map(({ length }) => length)
  return sizes.reduce((sum, size) => sum + size, JSON.stringify(json).length)
}

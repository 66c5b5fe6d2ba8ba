// For tests: what checkpoints do to a state, without files. Each state that is reopened from another continues its chains.
import { joinTree, splitTree } from './state-tree.ts'

interface Kept {
  save(): unknown
  restore(saved: unknown): unknown
}

const chainsOf = new WeakMap<Kept, ReadonlyMap<string, readonly Uint8Array[]>>()

/** Saves one and restores the other, which must be new, from it and all that it saved before by this function. */
export function reopen<To extends Kept>(from: Kept, to: To): To {
  const before = chainsOf.get(from)
  const { json, bytes, chains } = splitTree(structuredClone(from.save()))
  const after = new Map<string, readonly Uint8Array[]>()
  for (const { $chain, base, added } of chains)
    after.set($chain, [...(base ? [base] : (before?.get($chain) ?? [])), ...(added ? [added] : [])])
  const tree = joinTree(
    JSON.parse(JSON.stringify(json)),
    (n) => bytes[n]!,
    (name) => after.get(name)!,
  )
  chainsOf.set(from, after)
  chainsOf.set(to, after)
  to.restore(tree)
  return to
}

/** A state without chains as a checkpoint gives it back: through JSON, except for its bytes. */
export function asStored(saved: unknown): unknown {
  const { json, bytes } = splitTree(saved)
  return joinTree(
    JSON.parse(JSON.stringify(json)),
    (n) => bytes[n]!.slice(),
    () => [],
  )
}

/** Bytes that a save would write. */
export function writtenBytes(saved: unknown): number {
  const { json, bytes, chains } = splitTree(saved)
  const sizes = [...bytes, ...chains.flatMap(({ base, added }) => [base, added])].map((part) => part?.length ?? 0)
  return sizes.reduce((sum, size) => sum + size, JSON.stringify(json).length)
}

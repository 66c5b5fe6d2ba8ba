// The state of a pipeline as a tree of plain JSON whose large leaves are bytes, and back. A leaf is either bytes, which are cut into
// blocks so that those which have not changed need not be written again, at hand or to be read of what was frozen; or a chain: a
// base and what was added to it since. Trees of chains go from thread to thread as they are, so chains are plain objects.

/** Bytes as of a cut, which are read later, while what they are of goes on changing. */
export interface FrozenLeaf {
  readonly $frozen: true
  /** In bytes. */
  readonly length: number
  /** Of what never changes: by block the hash of its content, noted by who computes it first. Whole blocks alone. */
  readonly hashes?: string[]
  /** A copy; `start` is a multiple of the block size. */
  block(start: number, size: number): Uint8Array
  /** It is not read any more. */
  release(): void
}

/** What a sink gives of a chain: a new base or null for the one that there is, and what is to be added to it; each in pieces. */
export interface ChainLeaf {
  /** Unlike that of every other chain of the pipeline. */
  readonly $chain: string
  readonly base: readonly Uint8Array[] | null
  readonly added: readonly Uint8Array[]
}

/** What it is given back: the base and all that was added, in order. */
export interface ChainContent {
  readonly $chain: string
  readonly parts: readonly Uint8Array[]
}

/** What the leaves of a tree became, by their numbers: `{ $bytes: n }`, `{ $chain: name }`. */
export interface SplitTree {
  readonly json: unknown
  readonly bytes: readonly (Uint8Array | FrozenLeaf)[]
  readonly chains: readonly ChainLeaf[]
}

const isFrozen = (value: object): value is FrozenLeaf => '$frozen' in value
const isChain = (value: object): value is ChainLeaf => '$chain' in value

export function splitTree(tree: unknown): SplitTree {
  const bytes: (Uint8Array | FrozenLeaf)[] = []
  const chains: ChainLeaf[] = []
  const visit = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (value instanceof Uint8Array || isFrozen(value)) return { $bytes: bytes.push(value) - 1 }
    if (Array.isArray(value)) return value.some((own) => typeof own === 'object') ? value.map(visit) : value
    if (!isChain(value)) return Object.fromEntries(Object.entries(value).map(([name, own]) => [name, visit(own)]))
    chains.push(value)
    return { $chain: value.$chain }
  }
  return { json: visit(tree), bytes, chains }
}

export function joinTree(json: unknown, bytesOf: (n: number) => Uint8Array, chainOf: (name: string) => readonly Uint8Array[]): unknown {
  const visit = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.some((own) => typeof own === 'object') ? value.map(visit) : value
    const { $bytes, $chain } = value as { $bytes?: number; $chain?: string }
    if ($bytes !== undefined) return bytesOf($bytes)
    if ($chain !== undefined) return { $chain, parts: chainOf($chain) } satisfies ChainContent
    return Object.fromEntries(Object.entries(value).map(([name, own]) => [name, visit(own)]))
  }
  return visit(json)
}

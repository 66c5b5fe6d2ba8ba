// Which delete files are about which data file (Iceberg spec, "Scan Planning"): by sequence number, partition and, where it is
// known, the one data file that they name. Pure: what the files hold is read elsewhere.

import type { Entry } from '../manifest.ts'
import { partitionKey } from '../snapshot-summary.ts'
import type { DataFile, LakeSpec } from '../types.ts'
import type { DeleteFile } from './delete-manifest.ts'

type Deletes = Entry<DeleteFile>

/** The deletes that are about one data file. */
export interface Matched {
  readonly vector: Deletes | null
  readonly positions: readonly Deletes[]
  readonly equality: readonly (Deletes & { readonly isGlobal: boolean })[]
}

/** Answers a function that finds the deletes of a data file; null when there are none. `entries` are the live ones. */
export function matchDeletes(
  entries: readonly Deletes[],
  specs: readonly LakeSpec[],
): (file: DataFile, sequence: number) => Matched | null {
  const unpartitioned = new Set(specs.filter((spec) => spec.fields.every((field) => field.transform === 'void')).map((spec) => spec.id))
  const isGlobal = ({ file }: Deletes): boolean => unpartitioned.has(file.specId)
  const [byFile, byPartition] = [new Map<string, Deletes[]>(), new Map<string, Deletes[]>()]
  const global: Deletes[] = []
  for (const entry of entries) {
    if (entry.file.kind === 'equality' && isGlobal(entry)) global.push(entry)
    else if (entry.file.dataFile !== null) push(byFile, entry.file.dataFile, entry)
    else push(byPartition, partitionKey(entry.file), entry)
  }
  return (file, sequence) => {
    const near = [...(byFile.get(file.path) ?? []), ...(byPartition.get(partitionKey(file)) ?? []), ...global]
    const found = near.filter((entry) => (entry.file.kind === 'equality' ? sequence < entry.sequence : sequence <= entry.sequence))
    if (found.length === 0) return null
    const vector = found.find((entry) => entry.file.kind === 'vector') ?? null
    return {
      vector,
      // A vector holds all that position deletes said before it.
      positions: vector ? [] : found.filter((entry) => entry.file.kind === 'position' && inPartition(entry, file)),
      equality: found.filter((entry) => entry.file.kind === 'equality').map((entry) => ({ ...entry, isGlobal: isGlobal(entry) })),
    }
  }
}

const inPartition = (entry: Deletes, file: DataFile): boolean => partitionKey(entry.file) === partitionKey(file)

function push(map: Map<string, Deletes[]>, key: string, entry: Deletes): void {
  const known = map.get(key)
  if (known) known.push(entry)
  else map.set(key, [entry])
}

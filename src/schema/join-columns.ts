// Several column batches' columns of one lane as one column. Integers become bigint for all where one part has them.
import type { Column } from './batch.ts'

/** `parts`: columns of one lane and how many rows of each; none make an empty column. */
export function joinColumns(kind: Column['kind'], parts: readonly (readonly [Column, number])[]): Column {
  const rows = parts.reduce((sum, [, count]) => sum + count, 0)
  const nulls = joinNulls(parts, rows)
  if (kind === 'bytes') return { ...joinBytes(parts, rows), nulls }
  if (kind === 'integer' && parts.some(([column]) => column.kind === 'integer' && column.big)) return { ...joinBig(parts, rows), nulls }
  const values = new Float64Array(rows)
  let at = 0
  for (const [column, count] of parts) {
    values.set((column as Extract<Column, { kind: 'number' }>).values.subarray(0, count), at)
    at += count
  }
  return kind === 'integer' ? { kind, values, big: null, nulls } : { kind: 'number', values, nulls }
}

function joinNulls(parts: readonly (readonly [Column, number])[], rows: number): Uint8Array | null {
  if (parts.every(([{ nulls }]) => nulls === null)) return null
  const joined = new Uint8Array(rows)
  let at = 0
  for (const [{ nulls }, count] of parts) {
    if (nulls) joined.set(nulls.subarray(0, count), at)
    at += count
  }
  return joined
}

function joinBig(
  parts: readonly (readonly [Column, number])[],
  rows: number,
): { kind: 'integer'; values: Float64Array; big: BigInt64Array } {
  const joined = new BigInt64Array(rows)
  let at = 0
  for (const [column, count] of parts as readonly (readonly [Extract<Column, { kind: 'integer' }>, number])[])
    for (let i = 0; i < count; i++) joined[at++] = column.big ? column.big[i]! : BigInt(column.values[i]!)
  return { kind: 'integer', values: new Float64Array(0), big: joined }
}

function joinBytes(
  parts: readonly (readonly [Column, number])[],
  rows: number,
): { kind: 'bytes'; bytes: Uint8Array; start: Int32Array; length: Int32Array } {
  const columns = parts as readonly (readonly [Extract<Column, { kind: 'bytes' }>, number])[]
  const start = new Int32Array(rows)
  const length = new Int32Array(rows)
  // Rows that were selected of one batch share its bytes, which may be much more than theirs: they are there once.
  const bases = new Map<Uint8Array, number>()
  let at = 0
  let size = 0
  for (const [{ bytes, ...column }, count] of columns) {
    const known = bases.get(bytes)
    const base = known ?? size
    if (known === undefined) {
      bases.set(bytes, base)
      size += bytes.length
    }
    for (let i = 0; i < count; i++, at++) {
      start[at] = base + column.start[i]!
      length[at] = column.length[i]!
    }
  }
  return { kind: 'bytes', bytes: Buffer.concat([...bases.keys()]), start, length }
}

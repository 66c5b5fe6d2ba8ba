// Keys that go and rows that come, of one batch of changes, as few parts in order. What goes is told with what went before it, unless a row
// between the two has its key: then it stands behind that row. So keys that go one by one between rows of others are no parts of
// their own. Pure.
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import type { DeletedKeys } from './deleted-keys.ts'

export interface Group {
  /** The row before which the keys stand. */
  readonly before: number
  /** Of the batch of keys. */
  readonly keys: number[]
}

/** `offsets`: of the rows; `key`: columns that both batches have. */
export function groupsBetween(rows: ColumnBatch, offsets: Float64Array, gone: DeletedKeys, key: readonly string[]): Group[] {
  const [keyOfRow, keyOfGone] = [keyReader(rows, key), keyReader(gone.batch, key)]
  const groups: Group[] = []
  /** Of rows since the last group. */
  const since = new Set<string>()
  let at = 0
  for (let place = 0; place < gone.batch.rows; place++) {
    for (; at < rows.rows && offsets[at]! < gone.offsets[place]!; at++) if (groups.length > 0) since.add(keyOfRow(at))
    const last = groups.at(-1)
    if (last && !since.has(keyOfGone(place))) last.keys.push(place)
    else {
      groups.push({ before: at, keys: [place] })
      since.clear()
    }
  }
  return groups
}

function keyReader(batch: ColumnBatch, key: readonly string[]): (row: number) => string {
  const indexes = key.map((name) => batch.shape.fields.findIndex((field) => field.name === name))
  return (row) => JSON.stringify(indexes.map((index) => String(valueAt(batch, index, row))))
}

// Each row once for each element of its list. Elements of one kind come out as the columns of that kind; nested ones stay the JSON text
// that batches hold them as, so that only who reads their parts pays for them.
import type { UnnestRelation } from '../../engine/algebra/relation.ts'
import { type BytesColumn, type Column, laneOf, nullColumn, selectColumn } from '../../schema/batch.ts'
import { type ListVector, newNested } from '../../schema/scan/nested.ts'
import { isNested, type Shape, type Type } from '../../schema/type.ts'
import { compileProjection } from '../expression/compile.ts'
import { type Rows, siftAt } from './operator.ts'
import { unnestShape } from './shape.ts'

export function unnestStage(relation: UnnestRelation, input: Shape): (rows: Rows) => Rows {
  const project = compileProjection([relation.list], input)
  const stored = (relation.list.type as Extract<Type, { kind: 'list' }>).element.type
  const type: Type = isNested(stored) ? { kind: 'json' } : stored
  const reader = newNested({ kind: 'list', element: { type, optional: true } }, true)
  const shape = unnestShape(relation, input)
  return ({ batch, rows, count, sift }) => {
    const lists = reader.decode(project(batch.columns, rows, count)[0] as BytesColumn, count) as ListVector
    const { start, length } = lists
    // A row that has none is there once where rows are kept.
    const least = relation.isOuter ? 1 : 0
    let total = 0
    for (let i = 0; i < count; i++) total += Math.max(length[i]!, least)
    const [at, element] = [new Int32Array(total), new Int32Array(total)]
    const position = new Float64Array(total)
    const lacks = new Uint8Array(total)
    for (let i = 0, k = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      for (let n = 0; n < Math.max(length[i]!, least); n++, k++) {
        at[k] = row
        position[k] = n + 1
        if (length[i] === 0) lacks[k] = 1
        else element[k] = start[i]! + n
      }
    }
    const columns = [
      ...batch.columns.map((column) => selectColumn(column, at, total)),
      itemsOf(lists.parts[0] as Column, element, lacks, type),
      { kind: 'integer', values: position, big: null, nulls: relation.isOuter ? lacks : null } as const,
    ]
    return { batch: { shape, rows: total, columns }, rows: null, count: total, sift: siftAt(at, sift) }
  }
}

/** `lacks`: rows that have no element. */
function itemsOf(elements: Column, at: Int32Array, lacks: Uint8Array, type: Type): Column {
  if (!lacks.includes(1)) return selectColumn(elements, at, at.length)
  if (!lacks.includes(0)) return nullColumn(laneOf(type), at.length)
  const items = selectColumn(elements, at, at.length)
  return { ...items, nulls: lacks.map((lack, i) => (lack === 1 ? 1 : (items.nulls?.[i] ?? 0))) }
}

// Groups over rows that are replaced and can go: what the group reads of a row is computed first, row by row, and kept with the
// row's key, so that the row of before can be taken out of its group exactly as it was put in.
import { type ColumnExpression, type Expression, isOptional, sameExpression } from './expression.ts'
import type { GroupRelation, NamedExpression } from './relation.ts'
import { hiddenKey } from './source.ts'

/** `key`: the columns of the group's input by which its rows are replaced and go. */
export function overLatest(group: GroupRelation, key: readonly ColumnExpression[]): GroupRelation {
  const columns: NamedExpression[] = key.map((column) => ({ name: column.name, value: column }))
  const keep = (value: Expression): Expression => {
    if (value.op === 'constant') return value
    const same = columns.find((known) => sameExpression(known.value, value))
    const name = same?.name ?? `#in${columns.length}`
    if (!same) columns.push({ name, value })
    return { op: 'column', name, type: value.type, optional: isOptional(value) }
  }
  const keys = group.keys.map(({ name, value }) => ({ name, value: keep(value) }))
  const aggregates = group.aggregates.map((aggregate) => ({
    ...aggregate,
    of: aggregate.of.map(keep),
    where: aggregate.where && keep(aggregate.where),
  }))
  const rows = { op: 'project', input: group.input, columns } as const
  return { ...group, keys, aggregates, input: { op: 'latest', input: rows, key: key.map(({ name }) => name) } }
}

/** The columns, and where they leave out some of the key, those too, hidden; and the key as it is called then. */
export function carryKey(
  columns: readonly NamedExpression[],
  key: readonly ColumnExpression[],
): { readonly columns: readonly NamedExpression[]; readonly rowKey: readonly ColumnExpression[] } {
  const all = [...columns]
  const rowKey = key.map((column, at) => {
    const found = columns.find(({ value }) => sameExpression(value, column))
    const name = found?.name ?? hiddenKey(at)
    if (!found) all.push({ name, value: column })
    return { ...column, name }
  })
  return { columns: all, rowKey }
}

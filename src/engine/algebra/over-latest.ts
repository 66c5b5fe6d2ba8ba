// Operators over rows that are replaced and can go: what they read of a row is computed first, row by row, and kept with the row's
// key (`LatestRelation`), so that the row of before can be taken out exactly as it was put in.
import { type ColumnExpression, type Expression, isOptional, sameExpression } from './expression.ts'
import type { GroupRelation, LatestRelation, NamedExpression, Relation } from './relation.ts'
import { hiddenKey } from './source.ts'

/** What is kept of the rows of a relation. */
export class Kept {
  readonly #key: readonly ColumnExpression[]
  readonly #columns: NamedExpression[]

  /** `key`: the columns by which the rows are replaced and go. */
  constructor(key: readonly ColumnExpression[]) {
    this.#key = key
    this.#columns = key.map((column) => ({ name: column.name, value: column }))
  }

  /** An expression over the rows as one over what is kept. */
  of(value: Expression): Expression {
    if (value.op === 'constant') return value
    const same = this.#columns.find((known) => sameExpression(known.value, value))
    const name = same?.name ?? `#in${this.#columns.length}`
    if (!same) this.#columns.push({ name, value })
    return { op: 'column', name, type: value.type, optional: isOptional(value) }
  }

  /** Of the rows of the relation. */
  over(input: Relation): LatestRelation {
    return { op: 'latest', input: { op: 'project', input, columns: this.#columns }, key: this.#key.map(({ name }) => name) }
  }
}

/** `key`: the columns of the group's input by which its rows are replaced and go. */
export function overLatest(group: GroupRelation, key: readonly ColumnExpression[]): GroupRelation {
  const kept = new Kept(key)
  const keys = group.keys.map(({ name, value }) => ({ name, value: kept.of(value) }))
  const aggregates = group.aggregates.map((aggregate) => ({
    ...aggregate,
    of: aggregate.of.map((value) => kept.of(value)),
    where: aggregate.where && kept.of(aggregate.where),
  }))
  return { ...group, keys, aggregates, input: kept.over(group.input) }
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

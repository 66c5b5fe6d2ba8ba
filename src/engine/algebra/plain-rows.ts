// The rows of a SELECT that neither groups nor numbers them: as they come, as the watermark lets them, or replaced by their key.
import { beforeGroup, boundTimes } from './closing-window.ts'
import { type ColumnExpression, sameExpression } from './expression.ts'
import { followed, keyNames, type Output, UNSELECTED } from './output-rows.ts'
import { carryKey } from './over-latest.ts'
import type { Selection } from './read-outputs.ts'
import type { Reading } from './read-source.ts'
import { refuse } from './refuse.ts'
import type { NamedExpression } from './relation.ts'
import { ARRIVAL, isHidden } from './source.ts'

/** @throws MR_PLAN_LIVE_SHAPE. */
export function plainRows(selection: Selection, { isModel, isLookup }: Pick<Reading, 'isModel' | 'isLookup'>): Output {
  const { select, source, outputs } = selection
  const { window, result, key, rowKey, isRetracted, loses } = source
  if (window && window.kind !== 'tumble')
    refuse(`${window.kind}(...) without GROUP BY`, select, 'GROUP BY the key of the session, window_start and window_end')
  const all = isLookup && !isModel ? [...outputs, ...arrivalOf(selection)] : outputs
  const columns = all.map(({ name, value }) => ({ name, value: beforeGroup(value, window, select) }))
  if (rowKey) return rowsThatGo({ ...selection, outputs: columns }, rowKey, isModel)
  if (isModel && key.includes(UNSELECTED))
    refuse('rows that are replaced by what the subquery does not select', select, 'select every column that it groups or partitions by')
  const relation = { op: 'project', input: source.relation, columns } as const
  if (result === 'keyed') {
    const keys = source.columns.map(({ column }) => column).filter(({ name }) => key.includes(name))
    const unselected = key.filter((name) => name === UNSELECTED)
    return { relation, result, key: [...keyNames(keys, outputs), ...unselected], isRetracted, ...(loses ? { loses } : {}) }
  }
  const times = followed(outputs, new Map([...source.times, ...(window ? boundTimes(window) : [])]))
  return { relation, result, key: [], times }
}

/** When a row came, for a lookup above, where it is not selected. */
function arrivalOf({ source: { arrival, columns }, outputs }: Selection): readonly NamedExpression[] {
  const column = columns.find((known) => known.column.name === arrival)?.column
  return column && !outputs.some(({ value }) => sameExpression(value, column)) ? [{ name: ARRIVAL, value: column }] : []
}

function rowsThatGo({ select, source, outputs }: Selection, key: readonly ColumnExpression[], isModel: boolean): Output {
  const { relation, columns: own, isRetracted } = source
  const missing = key.filter((column) => !outputs.some(({ value }) => sameExpression(value, column)))
  if (isModel && missing.length > 0) {
    const called = missing.map(({ name }) => own.find(({ column }) => column.name === name)?.name ?? 'the key of the subquery')
    refuse('a selection of rows that can go without the whole of their key', select, `select ${called.join(', ')} as well`)
  }
  const { columns, rowKey } = carryKey(outputs, key)
  const names = rowKey.map(({ name }) => name).filter((name) => !isHidden(name))
  return { relation: { op: 'project', input: relation, columns }, result: 'keyed', key: names, isRetracted, rowKey }
}

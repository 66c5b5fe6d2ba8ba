// The rows of a SELECT, for whatever reads them: its output columns, which of them still follow the watermark, and what is known of
// them as a whole.
import type { Node } from '../ast.ts'
import { type Expression, isOptional, sameExpression } from './expression.ts'
import { refuse } from './refuse.ts'
import type { NamedExpression, Relation } from './relation.ts'
import { ARRIVAL, isHidden, LOG_ORDER, type NamedColumn, type Rows } from './source.ts'

/** In the key of a subquery, for a column that it does not select: a group above goes without it, rows do not. */
export const UNSELECTED = ''

/** What is left out is false or empty. */
export type Output = Pick<Rows, 'relation' | 'result' | 'key'> &
  Partial<Pick<Rows, 'isRetracted' | 'times' | 'rowKey' | 'loses'>> & { readonly final?: Output | null }

/** The output columns that are the key of a keyed result. */
export const keyNames = (key: readonly Expression[], outputs: readonly NamedExpression[]): readonly string[] =>
  key.map((value) => outputs.find((output) => sameExpression(output.value, value))?.name ?? UNSELECTED)

/** `times` of the columns that the outputs are computed from, for those that are such a column. */
export const followed = (outputs: readonly NamedExpression[], times: Rows['times']): Rows['times'] =>
  new Map(
    outputs.flatMap(({ name, value }) => {
      const delayUs = value.op === 'column' ? times.get(value.name) : undefined
      return delayUs === undefined ? [] : [[name, delayUs] as const]
    }),
  )

/** `source`: the rows of FROM. Columns of a subquery have unlike names; those of a model are its key too. @throws MR_PLAN_LIVE_SHAPE. */
export function outputRows(output: Output, source: Rows, select: Node, isModel: boolean): Rows {
  const { relation, result, key, isRetracted = false, times = new Map(), rowKey, loses } = output
  if (isModel && key.includes(UNSELECTED))
    refuse('grouping or partitioning by what is not selected', select, 'select every column of the key')
  const projected = (relation as Extract<Relation, { op: 'project' }>).columns
  const outputs = projected.filter(({ name }) => !isHidden(name))
  const names = outputs.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined && !isModel) refuse(`two columns "${twice}" of a subquery`, select, 'give one of them an alias')
  const handedOn = result === 'append' ? projected.find(({ name }) => name === ARRIVAL) : undefined
  const columns = [...outputs, ...(handedOn ? [handedOn] : [])].map(({ name, value }): NamedColumn => {
    const column = { op: 'column', name, type: value.type, optional: isOptional(value) } as const
    return { from: '', name, column }
  })
  const isPlain = result === 'append' && source.isLogged
  const called = (name: string): string | undefined => outputs.find(({ value }) => value.op === 'column' && value.name === name)?.name
  const arrival = result === 'append' && source.arrival !== undefined ? (handedOn?.name ?? called(source.arrival)) : undefined
  const isLogged = isPlain && LOG_ORDER.every((name) => called(name) === name)
  const unique = isLogged ? source.unique.map(called) : []
  return {
    relation,
    columns,
    times,
    result,
    key,
    isRetracted,
    rowKey,
    loses,
    unique: unique.every((name) => name !== undefined) ? unique : [],
    isLogged,
    arrival,
    final: output.final && !isModel ? outputRows(output.final, source, select, isModel) : null,
  }
}

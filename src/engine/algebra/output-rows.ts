// The rows of a SELECT, for whatever reads them: its output columns, which of them still follow the watermark, and what is known of
// them as a whole.
import type { Node } from '../ast.ts'
import { isOptional } from './expression.ts'
import { refuse } from './refuse.ts'
import type { NamedExpression, Relation } from './relation.ts'
import { ARRIVAL, isHidden, LOG_ORDER, type NamedColumn, type Rows } from './source.ts'

export interface Output extends Pick<Rows, 'relation' | 'result' | 'key' | 'isRetracted' | 'rowKey'> {
  /** Of the columns that the outputs are computed from. */
  readonly times: Rows['times']
  /** The outputs as expressions over those columns. */
  readonly values: readonly NamedExpression[]
}

/** `subquery`: the SELECT where its columns must have unlike names. */
export function outputRows(
  { relation, result, key, isRetracted, rowKey, times, values }: Output,
  source: Rows,
  subquery: Node | null,
): Rows {
  const projected = (relation as Extract<Relation, { op: 'project' }>).columns
  const outputs = projected.filter(({ name }) => !isHidden(name))
  const names = outputs.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined && subquery) refuse(`two columns "${twice}" of a subquery`, subquery, 'give one of them an alias')
  const handedOn = result === 'append' ? projected.find(({ name }) => name === ARRIVAL) : undefined
  const columns = [...outputs, ...(handedOn ? [handedOn] : [])].map(({ name, value }): NamedColumn => {
    const column = { op: 'column', name, type: value.type, optional: isOptional(value) } as const
    return { from: '', name, column }
  })
  const followed = values.flatMap(({ name, value }) => {
    const delayUs = value.op === 'column' ? times.get(value.name) : undefined
    return delayUs === undefined ? [] : [[name, delayUs] as const]
  })
  const isPlain = result === 'append' && source.isLogged
  const called = (name: string): string | undefined => outputs.find(({ value }) => value.op === 'column' && value.name === name)?.name
  const arrival = result === 'append' && source.arrival !== undefined ? (handedOn?.name ?? called(source.arrival)) : undefined
  const isLogged = isPlain && LOG_ORDER.every((name) => called(name) === name)
  const unique = isLogged ? source.unique.map(called) : []
  return {
    relation,
    columns,
    times: new Map(followed),
    result,
    key,
    isRetracted,
    rowKey,
    unique: unique.every((name) => name !== undefined) ? unique : [],
    isLogged,
    arrival,
  }
}

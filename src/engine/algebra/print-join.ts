// Joins as DuckDB's batch SQL. Columns of the two sides have unlike names, so that conditions need no qualifiers.
import { quoteName } from '../sql-text.ts'
import { type Expression, isOptional } from './expression.ts'
import { printExpression } from './print-expression.ts'
import type { JoinRelation, JoinSide, Relation } from './relation.ts'
import { LOG_ORDER } from './source.ts'

const KINDS: Readonly<Record<JoinRelation['kind'], string>> = {
  inner: 'JOIN',
  left: 'LEFT JOIN',
  right: 'RIGHT JOIN',
  full: 'FULL JOIN',
  semi: 'SEMI JOIN',
}

export function printJoin({ kind, left, right, on, where }: JoinRelation, print: (input: Relation) => string): string {
  const keys = left.keys.map((key, index) => `${printExpression(key)} = ${printExpression(right.keys[index]!)}`)
  const [a, b] = [left, right].map(({ time }) => (time ? printExpression(time) : ''))
  const further = where ? [printExpression(where)] : []
  const [from, other] = [print(left.input), print(right.input)]
  const joined = (first: string, called: string, second: string, conditions: readonly string[]): string =>
    `SELECT * FROM (${first}) AS "#l" ${called} (${second}) AS "#r" ON ${conditions.join(' AND ')}`
  switch (on.kind) {
    case 'interval': {
      const moved = (micros: number): string => `${a} + to_microseconds(${micros})`
      return joined(from, KINDS[kind], other, [...keys, `${b} BETWEEN ${moved(on.fromUs)} AND ${moved(on.untilUs)}`, ...further])
    }
    case 'latest':
      return joined(from, `ASOF ${KINDS[kind]}`, newestOf(right, on.ties, other), [...keys, `${a} ${on.isStrict ? '>' : '>='} ${b}`])
    case 'lookup': {
      const found = joined(from, `ASOF ${KINDS[kind]}`, newestOf(right, on.ties, other), [...keys, `${a} > ${b}`])
      if (!where) return found
      if (kind === 'inner') return `SELECT * FROM (${found}) WHERE ${further[0]}`
      // A pair that does not fulfil the condition is none: its left row stays.
      const columns = right.input.op === 'project' ? right.input.columns : []
      const kept = columns.map(({ name }) => `CASE WHEN ${further[0]} THEN ${quoteName(name)} END AS ${quoteName(name)}`)
      return `SELECT * REPLACE (${kept.join(', ')}) FROM (${found})`
    }
    case 'unbounded': {
      const rows = (side: JoinSide, text: string, isUnique: boolean): string =>
        isUnique
          ? firstOf(
              text,
              side.keys.map((key) => printExpression(key)),
              logOrder(side),
            )
          : text
      const sides = [rows(left, from, on.unique === 'left'), rows(right, other, on.unique === 'right')] as const
      return joined(sides[0], KINDS[kind], sides[1], [...keys, ...further])
    }
  }
}

/** Of each key and time the row that counts. DuckDB's ASOF joins pair null with null in all keys but the first: no such row is there. */
function newestOf({ keys, time }: JoinSide, ties: readonly Expression[], from: string): string {
  const known = keys.filter(isOptional).map((key) => `${printExpression(key)} IS NOT NULL`)
  const rows = known.length === 0 ? from : `SELECT * FROM (${from}) WHERE ${known.join(' AND ')}`
  const by = [...keys, time!].map((value) => printExpression(value))
  return firstOf(
    rows,
    by,
    ties.map((value) => `${printExpression(value)} DESC NULLS LAST`),
  )
}

const firstOf = (from: string, by: readonly string[], order: readonly string[]): string =>
  `SELECT * FROM (${from}) QUALIFY row_number() OVER (PARTITION BY ${by.join(', ')} ORDER BY ${order.join(', ')}) = 1`

/** The columns of the side that are the order of the log, whatever they are called there. */
function logOrder({ input }: JoinSide): string[] {
  if (input.op === 'filter') return logOrder({ input: input.input } as JoinSide)
  const columns = input.op === 'project' ? input.columns : []
  return LOG_ORDER.map((name) => quoteName(columns.find(({ value }) => value.op === 'column' && value.name === name)!.name))
}

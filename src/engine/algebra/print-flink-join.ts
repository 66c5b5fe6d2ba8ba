// Joins as Flink SQL: of windows, within bounds between times, and without bounds. ASOF joins are `print-flink-latest.ts`.
import { refuseFlink } from './print-flink-call.ts'
import { flinkInterval, flinkName, printFlinkExpression } from './print-flink-expression.ts'
import { printLatest } from './print-flink-latest.ts'
import { boundsOf, columnsOver, type PrintRelation } from './print-flink-time.ts'
import type { JoinRelation, JoinSide } from './relation.ts'

const JOINS = { inner: 'JOIN', left: 'LEFT JOIN', right: 'RIGHT JOIN', full: 'FULL JOIN' } as const

/**
 * Bounds of windows are compared as Flink's own, which makes it a window join; times within bounds make it an interval join. `from`: a
 * relation as it stands behind FROM. @throws MR_PLAN_FLINK.
 */
export function printJoin(join: JoinRelation, from: PrintRelation): string {
  const { kind, left, right, on, where } = join
  if (on.kind === 'latest') return printLatest(join, on.isStrict, from)
  if (on.kind === 'lookup')
    refuseFlink(
      `a lookup in the table "${on.table}"`,
      'keep this model in Millrace: in Flink it depends on the clock (FOR SYSTEM_TIME AS OF)',
    )
  if (kind === 'semi')
    refuseFlink('a SEMI JOIN within bounds of time', 'keep this model in Millrace: Flink would keep the rows of both sides for good')
  const bounds = [boundsOf(left.input), boundsOf(right.input)]
  const [own, other] = [columnsOver(left.input), columnsOver(right.input)]
  const conditions = left.keys.map((key, i) => {
    const pair = [key, right.keys[i]!]
    if (pair.every((side, at) => side.op === 'column' && bounds[at]!.get(side.name) === 0))
      return pair.map((side) => flinkName((side as { name: string }).name)).join(' = ')
    return `${printFlinkExpression(key, own)} = ${printFlinkExpression(right.keys[i]!, other)}`
  })
  if (on.kind === 'interval' && !(on.fromUs === 0 && on.untilUs === 0 && conditions.length > 0 && isBound(left, bounds[0]!))) {
    const [first, second] = [printFlinkExpression(left.time!, own), printFlinkExpression(right.time!, other)]
    conditions.push(`${second} >= ${first} + ${flinkInterval(on.fromUs)}`, `${second} <= ${first} + ${flinkInterval(on.untilUs)}`)
  }
  if (where) conditions.push(printFlinkExpression(where, columnsOver(left.input, right.input)))
  return `SELECT * FROM ${from(left.input, false)} AS l ${JOINS[kind]} ${from(right.input, false)} AS r ON ${conditions.join(' AND ')}`
}

const isBound = ({ time }: JoinSide, bounds: ReadonlyMap<string, unknown>): boolean => time?.op === 'column' && bounds.has(time.name)

// ASOF joins as Flink SQL. Its temporal join would need a view of the newest row of each key (ROW_NUMBER), which forgets rows that come
// after a later one, and so they come wherever a stream has partitions. Instead the rows of both sides are put in one order of time, and
// each of the left takes the last values of the right that are not after it: of several of one time, those of the last that comes.
import { isOptional, type ValueType } from './expression.ts'
import { refuseFlink } from './print-flink-call.ts'
import { flinkName, flinkType, printFlinkExpression } from './print-flink-expression.ts'
import { columnsOf, columnsOver, type FlinkTime, type PrintRelation, timeOf, WINDOW_TIME } from './print-flink-time.ts'
import type { JoinRelation, JoinSide, NamedExpression } from './relation.ts'

const [TIME, IS_RIGHT, FOUND] = ['#time', '#is_right', '#found'].map(flinkName) as [string, string, string]

/** Of a side, in the order of the union of both. */
interface Part {
  readonly side: JoinSide
  readonly time: FlinkTime
  readonly isRight: boolean
}

/** `print`: a relation as it stands behind FROM. @throws MR_PLAN_FLINK. */
export function printLatest({ kind, left, right }: JoinRelation, isStrict: boolean, print: PrintRelation): string {
  const [time, other] = [timeOfSide(left), timeOfSide(right)]
  if (time.shiftUs - other.shiftUs !== (isStrict ? 1_000 : 0))
    refuseFlink('an ASOF join by these times', 'write >= between times of streams, or between bounds of windows of one length')
  const [own, found] = [columnsOf(left.input), columnsOf(right.input)]
  const keys = left.keys.map((_, i) => flinkName(`#key${i}`))
  const part = ({ side, time: { column }, isRight }: Part): string => {
    const read = columnsOver(side.input)
    const printValue = ({ name, value: { type } }: NamedExpression, isOf: boolean): string =>
      `CAST(${isOf ? read(name) : 'NULL'} AS ${flinkType(type)}) AS ${flinkName(name)}`
    const columns = [
      `${flinkName(column)} AS ${TIME}`,
      `${isRight ? 'TRUE' : 'FALSE'} AS ${IS_RIGHT}`,
      ...side.keys.map((key, i) => `${printFlinkExpression(key, read)} AS ${keys[i]}`),
      ...own.map((named) => printValue(named, !isRight)),
      ...found.map((named) => printValue(named, isRight)),
    ]
    // Null equals nothing.
    const known = isRight ? side.keys.filter(isOptional).map((key) => `${printFlinkExpression(key, read)} IS NOT NULL`) : []
    const from = print(side.input, column === WINDOW_TIME)
    return `(SELECT ${columns.join(', ')} FROM ${from}${known.length > 0 ? ` WHERE ${known.join(' AND ')}` : ''})`
  }
  const rows = [part({ side: left, time, isRight: false }), part({ side: right, time: other, isRight: true })].join(' UNION ALL ')
  const over = `OVER (PARTITION BY ${keys.join(', ')} ORDER BY ${TIME} RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)`
  const names = own.map(({ name }) => flinkName(name))
  const last = found.map((named) => `${lastOf(named, over)} AS ${flinkName(named.name)}`)
  const counted = `COUNT(CASE WHEN ${IS_RIGHT} THEN 1 END) ${over} AS ${FOUND}`
  const both = `SELECT ${[TIME, IS_RIGHT, ...names, counted, ...last].join(', ')} FROM (${rows})`
  // The time of the left stays the one that Flink knows.
  const out = own.map(({ name }, i) => (name === time.column ? `${TIME} AS ${names[i]}` : names[i]!))
  const where = `NOT ${IS_RIGHT}${kind === 'inner' ? ` AND ${FOUND} > 0` : ''}`
  return `SELECT ${[...out, ...found.map(({ name }) => flinkName(name))].join(', ')} FROM (${both}) WHERE ${where}`
}

const timeOfSide = ({ input, time }: JoinSide): FlinkTime =>
  (time?.op === 'column' ? timeOf(input, time.name) : undefined) ??
  refuseFlink('an ASOF join of rows whose time Flink loses', 'join the streams themselves, or the rows of windows by their bounds')

/** LAST_VALUE passes over nulls, which all rows of the left have: that the last of the right has one is its own value. */
function lastOf({ name, value }: NamedExpression, over: string): string {
  const column = flinkName(name)
  const isNull = `LAST_VALUE(CASE WHEN ${IS_RIGHT} THEN ${column} IS NULL END) ${over}`
  const last = lastNotNull(column, value.type, over)
  return isOptional(value) ? `CASE WHEN ${isNull} THEN NULL ELSE ${last} END` : last
}

/** Flink has no LAST_VALUE of times, which their texts carry exactly, nor of some types at all. */
function lastNotNull(column: string, type: ValueType, over: string): string {
  if (['time', 'binary', 'struct', 'list', 'map'].includes(type.kind))
    refuseFlink(`an ASOF join with a column of type ${type.kind} on its right side`, 'leave the column out')
  if (!['date', 'timestamp', 'datetime'].includes(type.kind)) return `LAST_VALUE(${column}) ${over}`
  return `CAST(LAST_VALUE(CAST(${column} AS STRING)) ${over} AS ${flinkType(type)})`
}

// Values of rows before as Flink SQL: aggregates over frames and `lag`, all as OVER in the order of the time that Flink knows.
import type { Expression } from './expression.ts'
import { printOver } from './print-flink-aggregate.ts'
import { refuseFlink } from './print-flink-call.ts'
import { flinkInterval, flinkName, printFlinkExpression } from './print-flink-expression.ts'
import { columnsOver, type FlinkTime, type PrintRelation, timeOf, WINDOW_TIME } from './print-flink-time.ts'
import type { Frame, FrameRelation, LagRelation, Relation } from './relation.ts'

/** `from`: a relation as it stands behind FROM. @throws MR_PLAN_FLINK. */
export function printFrame(relation: FrameRelation, from: PrintRelation): string {
  const column = columnsOver(relation.input)
  const over = overOf(relation, relation.frame)
  const columns = relation.aggregates.map((aggregate) => `${printOver(aggregate, column, over)} AS ${flinkName(aggregate.name)}`)
  const rows = rowsOf(relation, from)
  if (!holdsFrame(relation.input)) return `SELECT *, ${columns.join(', ')} FROM ${rows}`
  // Flink's planner fails where a frame stands right over another, since both give a column of one name: another column parts them.
  return `SELECT *, ${columns.join(', ')} FROM (SELECT *, TRUE AS ${flinkName(`${relation.aggregates[0]!.name}below`)} FROM ${rows})`
}

const holdsFrame = (relation: Relation): boolean =>
  relation.op === 'frame' || ((relation.op === 'filter' || relation.op === 'project') && holdsFrame(relation.input))

/**
 * Flink's LAG gives all rows of one time what the last of them has before it, so that the row before is taken out of a frame that begins with it.
 * Its column is computed, and parts it from other frames.
 */
export function printLag(relation: LagRelation, from: PrintRelation): string {
  const column = columnsOver(relation.input)
  const offsets = new Set(relation.columns.map(({ offset }) => offset))
  if (offsets.size > 1) refuseFlink('lag by several numbers of rows over one order', 'write each in a subquery of its own')
  const [offset] = offsets
  const over = overOf(relation, { unit: 'rows', preceding: offset! })
  const columns = relation.columns.map(({ name, value }) => {
    const first = `(ARRAY_AGG(${printFlinkExpression(value, column)})${over})[1]`
    return `CASE WHEN COUNT(*)${over} > ${offset} THEN ${first} END AS ${flinkName(name)}`
  })
  return `SELECT *, ${columns.join(', ')} FROM ${rowsOf(relation, from)}`
}

function overOf({ input, partition, time }: FrameRelation | LagRelation, { unit, preceding }: Frame): string {
  const column = columnsOver(input)
  const by = partition.length === 0 ? '' : `PARTITION BY ${partition.map((value) => printFlinkExpression(value, column)).join(', ')} `
  const first = preceding === null ? 'UNBOUNDED' : unit === 'rows' ? preceding : flinkInterval(preceding)
  const order = flinkName(timeBelow(input, time).column)
  return ` OVER (${by}ORDER BY ${order} ${unit.toUpperCase()} BETWEEN ${first} PRECEDING AND CURRENT ROW)`
}

/** A fixed length apart from our time, so that it puts rows in the same order and as far apart. */
const timeBelow = (input: Relation, time: Expression): FlinkTime =>
  (time.op === 'column' ? timeOf(input, time.name) : undefined) ??
  refuseFlink(
    'a value of the rows before, of rows whose time Flink loses,',
    'take the rows of a stream, or of windows by their window_start or window_end',
  )

const rowsOf = ({ input, time }: FrameRelation | LagRelation, from: PrintRelation): string =>
  from(input, timeBelow(input, time).column === WINDOW_TIME)

// Values of rows before as Flink SQL: aggregates over frames and `lag`, all as OVER in the order of the time that Flink knows.
import { printOver } from './print-flink-aggregate.ts'
import { refuseFlink } from './print-flink-call.ts'
import { flinkInterval, flinkName, printFlinkExpression } from './print-flink-expression.ts'
import { columnsOver } from './print-flink-time.ts'
import type { Frame, FrameRelation, LagRelation, Relation } from './relation.ts'

/** `from`: a relation as it stands behind FROM. */
export function printFrame(relation: FrameRelation, from: (relation: Relation) => string): string {
  const { input, frame, aggregates } = relation
  const column = columnsOver(input)
  const over = overOf(relation, frame)
  return printBefore(
    relation,
    aggregates.map((aggregate) => `${printOver(aggregate, column, over)} AS ${flinkName(aggregate.name)}`),
    from,
  )
}

/** Flink's LAG gives all rows of one time what the last of them has before it, so that the row before is taken out of a frame of two. */
export function printLag(relation: LagRelation, from: (relation: Relation) => string): string {
  const column = columnsOver(relation.input)
  const over = overOf(relation, { unit: 'rows', preceding: 1 })
  return printBefore(
    relation,
    relation.columns.map(({ name, value }) => {
      const first = `(ARRAY_AGG(${printFlinkExpression(value, column)})${over})[1]`
      return `CASE WHEN COUNT(*)${over} > 1 THEN ${first} END AS ${flinkName(name)}`
    }),
    from,
  )
}

function overOf({ input, partition, time }: FrameRelation | LagRelation, { unit, preceding }: Frame): string {
  const column = columnsOver(input)
  const by = partition.length === 0 ? '' : `PARTITION BY ${partition.map((value) => printFlinkExpression(value, column)).join(', ')} `
  const first = preceding === null ? 'UNBOUNDED' : unit === 'rows' ? preceding : flinkInterval(preceding)
  return ` OVER (${by}ORDER BY ${printFlinkExpression(time, column)} ${unit.toUpperCase()} BETWEEN ${first} PRECEDING AND CURRENT ROW)`
}

/**
 * Over the rows of one stream, whose time Flink still knows: over those of windows, unions and joins it may not. Over another frame its
 * planner fails: both give a column of one name.
 */
function printBefore({ op, input }: FrameRelation | LagRelation, columns: readonly string[], from: (relation: Relation) => string): string {
  if (!isOfStream(input))
    refuseFlink(
      `${op === 'lag' ? 'lag' : 'an aggregate over the rows before,'} of other than the rows of a stream,`,
      'take rows of one stream, with one PARTITION BY and frame for all aggregates, or keep this model in Millrace',
    )
  return `SELECT *, ${columns.join(', ')} FROM ${from(input)}`
}

/** What `lag` gives is computed of a frame, so that its column has a name of its own. */
const isOfStream = (relation: Relation): boolean =>
  relation.op === 'scan' || ((relation.op === 'filter' || relation.op === 'project' || relation.op === 'lag') && isOfStream(relation.input))

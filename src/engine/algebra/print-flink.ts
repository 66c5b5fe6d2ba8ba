// A live query as Flink SQL (1.20): windows as table functions, aggregates, ROW_NUMBER for deduplication and tops, and the tables of
// its streams with their watermarks. It says what Flink can say; anything else is refused by name. What stays different is in
// docs/reference/flink.md: late rows, the order of equal rows, overflow. Where the bytes come from (WITH) is the reader's to write.
import type { Shape } from '../../schema/type.ts'
import { isOptional } from './expression.ts'
import { printAggregate } from './print-flink-aggregate.ts'
import { refuseFlink } from './print-flink-call.ts'
import { flinkInterval, flinkName, flinkType, printFlinkExpression, quoteFlink } from './print-flink-expression.ts'
import { printJoin } from './print-flink-join.ts'
import { printFrame, printLag } from './print-flink-over.ts'
import { BOUNDS, boundsOf, columnsOver, hasBounds, ofLog, timeOf, WINDOW_TIME } from './print-flink-time.ts'
import { columnsWithin, printWindow } from './print-flink-window.ts'
import type { GroupRelation, LiveQuery, NamedExpression, OrderBy, Relation, ScanRelation, TopRelation } from './relation.ts'

const ARRIVAL = '_ingested_at'

/** Flink's table of a stream. Without an event time, rows have the time at which Flink sees them. */
export interface FlinkStream {
  readonly name: string
  readonly shape: Shape
  readonly time?: string
  readonly latenessMs: number
}

/** CREATE TABLE for a stream; `how` is the text of its WITH clause. */
export function printFlinkStream({ name, shape, time, latenessMs }: FlinkStream, how: string): string {
  const columns = shape.fields.map(
    (field) => `${quoteFlink(field.name)} ${flinkType(field.type, field.name === time)}${field.optional ? '' : ' NOT NULL'}`,
  )
  const order = time
    ? `WATERMARK FOR ${quoteFlink(time)} AS ${quoteFlink(time)} - ${flinkInterval(latenessMs * 1_000)}`
    : `${quoteFlink(ARRIVAL)} AS PROCTIME()`
  return `CREATE TABLE ${quoteFlink(name)} (\n  ${[...columns, order].join(',\n  ')}\n) WITH (${how})`
}

/** One SELECT over tables named as the streams. @throws MR_PLAN_FLINK naming what has no equal. */
export function printFlink(query: LiveQuery): string {
  const { root } = query
  return root.op === 'project' ? printProject(root.input, root.columns, true) : printRelation(root)
}

/** `timed`: with Flink's time of the rows of windows, as `window_time`, for what stands in its order above. */
function printRelation(relation: Relation, timed = false): string {
  switch (relation.op) {
    case 'scan':
      return `SELECT * FROM ${printTable(relation)}`
    case 'filter':
      return `SELECT * FROM ${printFrom(relation.input, timed)} WHERE ${printFlinkExpression(relation.where, columnsOver(relation.input))}`
    case 'project':
      return printProject(relation.input, withoutLogOrder(relation.columns), false, timed)
    case 'union':
      return relation.inputs.map((input) => `(${printPart(input, timed)})`).join(' UNION ALL ')
    case 'join':
      return printJoin(relation, printFrom)
    case 'expand':
      return refuseFlink('a join of the windows of hop', 'group by the window in subqueries and join those')
    case 'unnest':
      return refuseFlink('unnest(...)', 'keep this model in Millrace')
    case 'group':
      return printGroup(relation, timed)
    case 'top':
      return relation.function === 'row_number' ? printNumbered(relation, timed) : printFirstRank(relation, timed)
    case 'compute':
      return refuseFlink('an expression that DuckDB computes', 'keep this model in Millrace')
    case 'latest':
      return printRelation(relation.input)
    case 'frame':
      return printFrame(relation, printFrom)
    case 'lag':
      return printLag(relation, printFrom)
  }
}

/** Bounds stay Flink's own until rows come out, so that joins and tops by window are seen as such; in parts of a union they are values. */
function printProject(input: Relation, columns: readonly NamedExpression[], asValues: boolean, timed = false): string {
  const column = columnsOver(input)
  const bounds = asValues ? null : boundsOf(input)
  const texts = columns.map(({ name, value }) => {
    const isBound = value.op === 'column' && bounds?.has(value.name)
    return `${isBound ? flinkName(value.name) : printFlinkExpression(value, column)} AS ${flinkName(name)}`
  })
  return `SELECT ${[...texts, ...(timed ? [quoteFlink(WINDOW_TIME)] : [])].join(', ')} FROM ${printFrom(input, timed)}`
}

const printPart = (part: Relation, timed: boolean): string =>
  part.op === 'project' ? printProject(part.input, withoutLogOrder(part.columns), true, timed) : printRelation(part, timed)

/** What carries the order of the log from one operator to the next: Flink has no such order. */
const withoutLogOrder = (columns: readonly NamedExpression[]): readonly NamedExpression[] =>
  columns.filter(({ name, value }) => value.op !== 'column' || ![name, value.name].every(ofLog))

const printFrom = (relation: Relation, timed = false): string =>
  relation.op === 'scan' ? printTable(relation) : `(${printRelation(relation, timed)})`

const printTable = ({ stream, key }: ScanRelation): string =>
  key
    ? refuseFlink(
        `the rows of the table "${stream}"`,
        'keep this model in Millrace: in Flink it needs a connector that tells what was replaced',
      )
    : quoteFlink(stream)

function printGroup({ input, window, keys, aggregates }: GroupRelation, timed: boolean): string {
  const column = columnsWithin(window, input)
  const groups = keys.map(({ value }) => printFlinkExpression(value, column))
  const bounds = window ? [...BOUNDS, ...(timed ? [WINDOW_TIME] : [])].map(quoteFlink) : []
  const columns = [
    ...bounds,
    ...keys.map(({ name }, i) => `${groups[i]} AS ${flinkName(name)}`),
    ...aggregates.map((aggregate) => `${printAggregate(aggregate, column)} AS ${flinkName(aggregate.name)}`),
  ]
  const from = window ? printWindow(window, input, printRelation) : printFrom(input)
  const by = [...bounds, ...groups]
  return `SELECT ${columns.join(', ')} FROM ${from}${by.length === 0 ? '' : ` GROUP BY ${by.join(', ')}`}`
}

/** Rows with Flink's window bounds, where there is a window. */
function printRows({ input, window }: TopRelation, timed: boolean): string {
  if (window?.kind !== 'instant') return window ? printWindow(window, input, printRelation) : printFrom(input, timed)
  // Rows of one start are those of one window, but for sessions.
  if (hasBounds(input) && timeOf(input, 'window_start')) return printFrom(input, timed)
  return refuseFlink('a rank over these rows of windows', 'select window_start and window_end of tumble or hop below it')
}

const isBoundedTop = ({ input, window }: TopRelation): boolean => window !== null || hasBounds(input)

/** ROW_NUMBER: Flink's pattern of deduplication and top-N, by window where there is one. */
function printNumbered(top: TopRelation, timed: boolean): string {
  const column = columnsOver(top)
  const bounds = isBoundedTop(top) ? BOUNDS.map(quoteFlink) : []
  const by = [...bounds, ...top.partition.map((value) => printFlinkExpression(value, column))]
  // The order of the log is not there; that of a key is.
  const ties = top.input.op === 'latest' ? top.ties! : []
  const order = [...top.order, ...ties.map((value) => ({ value, descending: false, nullsFirst: false }))]
  const of = by.length === 0 ? '' : `PARTITION BY ${by.join(', ')} `
  const over = `OVER (${of}ORDER BY ${order.map((item) => printOrder(item, column)).join(', ')})`
  const rank = flinkName(top.name)
  return `SELECT * FROM (SELECT *, ROW_NUMBER() ${over} AS ${rank} FROM ${printRows(top, timed)}) WHERE ${rank} <= ${top.limit}`
}

function printOrder({ value, descending, nullsFirst }: OrderBy, column: (name: string) => string): string {
  const nulls = isOptional(value) ? ` NULLS ${nullsFirst ? 'FIRST' : 'LAST'}` : ''
  return `${printFlinkExpression(value, column)} ${descending ? 'DESC' : 'ASC'}${nulls}`
}

/** Flink has no RANK over streams: the rows of the first rank are those that meet the extreme of their window, by a window join. */
function printFirstRank(top: TopRelation, timed: boolean): string {
  const [order, ...more] = top.order
  if (top.limit > 1) refuseFlink('rank() beyond the first', 'use row_number(), or rank() = 1')
  if (!isBoundedTop(top)) refuseFlink('rank() without a window', 'use row_number()')
  if (more.length > 0 || isOptional(order!.value))
    refuseFlink('rank() by several values, or by one that may be null,', 'use row_number(), or order by one value')
  const column = columnsOver(top)
  const rows = printRows(top, timed)
  const by = top.partition.map((value) => printFlinkExpression(value, column))
  const value = printFlinkExpression(order!.value, column)
  const parts = [...BOUNDS.map((name) => quoteFlink(name)), ...by.map((text, i) => `${text} AS ${flinkName(`#p${i}`)}`)]
  const extreme = `${order!.descending ? 'MAX' : 'MIN'}(${value}) AS \`_extreme\``
  const best = `SELECT ${parts.join(', ')}, ${extreme} FROM ${rows} GROUP BY ${[...BOUNDS.map(quoteFlink), ...by].join(', ')}`
  const same = [...BOUNDS.map(quoteFlink), ...by.map((_, i) => flinkName(`#p${i}`))].map((name) => `l.${name} = r.${name}`)
  const own = [...parts.slice(BOUNDS.length), `${value} AS \`_value\``, `CAST(1 AS BIGINT) AS ${flinkName(top.name)}`]
  return `SELECT l.* FROM (SELECT *, ${own.join(', ')} FROM ${rows}) AS l JOIN (${best}) AS r ON ${[...same, 'l.`_value` = r.`_extreme`'].join(' AND ')}`
}

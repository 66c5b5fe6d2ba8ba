// A live query as Flink SQL (1.20): windows as table functions, aggregates, ROW_NUMBER for deduplication and tops, and the tables of
// its streams with their watermarks. It says what Flink can say; anything else is refused by name. What stays different is in
// docs/reference/flink.md: late rows, the order of equal rows, overflow. Where the bytes come from (WITH) is the reader's to write.
import type { Shape } from '../../schema/type.ts'
import { type Expression, isOptional } from './expression.ts'
import { printAggregate } from './print-flink-aggregate.ts'
import { refuseFlink } from './print-flink-call.ts'
import { flinkInterval, flinkName, flinkType, printFlinkExpression, quoteFlink } from './print-flink-expression.ts'
import { printJoin } from './print-flink-join.ts'
import { printFrame, printLag } from './print-flink-over.ts'
import { BOUNDS, boundsOf, columnsOver, hasBounds, ofLog } from './print-flink-time.ts'
import type { GroupRelation, LiveQuery, NamedExpression, OrderBy, Relation, ScanRelation, TopRelation, Window } from './relation.ts'

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
  return root.op === 'project' ? printProject(root, true) : printRelation(root)
}

function printRelation(relation: Relation): string {
  switch (relation.op) {
    case 'scan':
      return `SELECT * FROM ${printTable(relation)}`
    case 'filter':
      return `SELECT * FROM ${printFrom(relation.input)} WHERE ${printFlinkExpression(relation.where, columnsOver(relation.input))}`
    case 'project':
      return printProject(relation, false)
    case 'union':
      return relation.inputs.map((input) => `(${printRelation(input)})`).join(' UNION ALL ')
    case 'join':
      return printJoin(relation, printFrom)
    case 'expand':
      return refuseFlink('a join of the windows of hop', 'group by the window in subqueries and join those')
    case 'group':
      return printGroup(relation)
    case 'top':
      return relation.function === 'rank' ? printFirstRank(relation) : printNumbered(relation)
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

/** Bounds stay Flink's own until rows come out, so that joins and tops by window are seen as such. */
function printProject({ input, columns }: Extract<Relation, { op: 'project' }>, isLast: boolean): string {
  const column = columnsOver(input)
  const bounds = boundsOf(input)
  const texts = columns
    .filter((named) => isLast || !isLogOrder(named))
    .map(({ name, value }) => {
      const isBound = !isLast && value.op === 'column' && bounds.has(value.name)
      return `${isBound ? flinkName((value as { name: string }).name) : printFlinkExpression(value, column)} AS ${flinkName(name)}`
    })
  return `SELECT ${texts.join(', ')} FROM ${printFrom(input)}`
}

/** What carries the order of the log from one operator to the next: Flink has no such order. */
const isLogOrder = ({ name, value }: NamedExpression): boolean => value.op === 'column' && [name, value.name].every(ofLog)
const printFrom = (relation: Relation): string => (relation.op === 'scan' ? printTable(relation) : `(${printRelation(relation)})`)

const printTable = ({ stream, key }: ScanRelation): string =>
  key
    ? refuseFlink(
        `the rows of the table "${stream}"`,
        'keep this model in Millrace: in Flink it needs a connector that tells what was replaced',
      )
    : quoteFlink(stream)

function printGroup({ input, window, keys, aggregates }: GroupRelation): string {
  const column = columnsOver(input)
  const groups = keys.map(({ value }) => printFlinkExpression(value, column))
  const bounds = window ? BOUNDS.map(quoteFlink) : []
  const columns = [
    ...bounds,
    ...keys.map(({ name }, i) => `${groups[i]} AS ${flinkName(name)}`),
    ...aggregates.map((aggregate) => `${printAggregate(aggregate, column)} AS ${flinkName(aggregate.name)}`),
  ]
  const from = window ? printWindow(window, input) : printFrom(input)
  const by = [...bounds, ...groups]
  return `SELECT ${columns.join(', ')} FROM ${from}${by.length === 0 ? '' : ` GROUP BY ${by.join(', ')}`}`
}

/** The table function of a window. A filter stands behind it, since Flink's functions take a table; before it for sessions. */
function printWindow(window: Window, input: Relation): string {
  if (window.kind === 'instant') return refuseFlink('a group over the rows of windows', 'use rank() = 1 or row_number() over them')
  const rest = input.op === 'filter' ? input : null
  const table = rest ? rest.input : input
  if (table.op !== 'scan') return refuseFlink('a window over computed rows', 'take the window of the stream itself')
  const time = window.time as Extract<Expression, { op: 'column' }>
  const called = printWindowCall(window, table.stream, time.name, rest)
  if (!rest || window.kind === 'session') return called
  return `(SELECT * FROM ${called} WHERE ${printFlinkExpression(rest.where, columnsOver(table))})`
}

function printWindowCall(
  window: Exclude<Window, { kind: 'instant' }>,
  stream: string,
  time: string,
  rest: Extract<Relation, { op: 'filter' }> | null,
): string {
  const by = `DESCRIPTOR(${quoteFlink(time)})`
  const table = `TABLE ${quoteFlink(stream)}`
  if (window.kind === 'tumble') return `TABLE(TUMBLE(${table}, ${by}, ${flinkInterval(window.widthUs)}))`
  if (window.kind === 'hop') return `TABLE(HOP(${table}, ${by}, ${flinkInterval(window.slideUs)}, ${flinkInterval(window.widthUs)}))`
  if (window.by.op !== 'column') return refuseFlink('a session by an expression', 'take a column of the stream as the key')
  const rows = rest ? `(${printRelation(rest)})` : table
  // Flink joins rows that are exactly a gap apart: with a millisecond less it does not, and each end is put back where it is read.
  return `TABLE(SESSION(${rows} PARTITION BY ${flinkName(window.by.name)}, ${by}, ${flinkInterval(window.gapUs - 1_000)}))`
}

/** Rows with Flink's window bounds, where there is a window. */
const printRows = ({ input, window }: TopRelation): string => (window ? printWindow(window, input) : printFrom(input))

const isBoundedTop = ({ input, window }: TopRelation): boolean => window !== null || hasBounds(input)

/** ROW_NUMBER: Flink's pattern of deduplication and top-N, by window where there is one. */
function printNumbered(top: TopRelation): string {
  const column = columnsOver(top.input)
  const bounds = isBoundedTop(top) ? BOUNDS.map(quoteFlink) : []
  const by = [...bounds, ...top.partition.map((value) => printFlinkExpression(value, column))]
  const order = top.order.map((item) => printOrder(item, column)).join(', ')
  const over = `OVER (PARTITION BY ${by.join(', ')} ORDER BY ${order})`
  const rank = flinkName(top.name)
  return `SELECT * FROM (SELECT *, ROW_NUMBER() ${over} AS ${rank} FROM ${printRows(top)}) WHERE ${rank} <= ${top.limit}`
}

function printOrder({ value, descending, nullsFirst }: OrderBy, column: (name: string) => string): string {
  const nulls = isOptional(value) ? ` NULLS ${nullsFirst ? 'FIRST' : 'LAST'}` : ''
  return `${printFlinkExpression(value, column)} ${descending ? 'DESC' : 'ASC'}${nulls}`
}

/** Flink has no RANK over streams: the rows of the first rank are those that meet the extreme of their window, by a window join. */
function printFirstRank(top: TopRelation): string {
  const [order, ...more] = top.order
  if (top.limit > 1) refuseFlink('rank() beyond the first', 'use row_number(), or rank() = 1')
  if (!isBoundedTop(top)) refuseFlink('rank() without a window', 'use row_number()')
  if (more.length > 0 || isOptional(order!.value))
    refuseFlink('rank() by several values, or by one that may be null,', 'use row_number(), or order by one value')
  const column = columnsOver(top.input)
  const rows = printRows(top)
  const by = top.partition.map((value) => printFlinkExpression(value, column))
  const value = printFlinkExpression(order!.value, column)
  const parts = [...BOUNDS.map((name) => quoteFlink(name)), ...by.map((text, i) => `${text} AS ${flinkName(`#p${i}`)}`)]
  const extreme = `${order!.descending ? 'MAX' : 'MIN'}(${value}) AS \`_extreme\``
  const best = `SELECT ${parts.join(', ')}, ${extreme} FROM ${rows} GROUP BY ${[...BOUNDS.map(quoteFlink), ...by].join(', ')}`
  const same = [...BOUNDS.map(quoteFlink), ...by.map((_, i) => flinkName(`#p${i}`))].map((name) => `l.${name} = r.${name}`)
  const own = [...parts.slice(BOUNDS.length), `${value} AS \`_value\``, `CAST(1 AS BIGINT) AS ${flinkName(top.name)}`]
  return `SELECT l.* FROM (SELECT *, ${own.join(', ')} FROM ${rows}) AS l JOIN (${best}) AS r ON ${[...same, 'l.`_value` = r.`_extreme`'].join(' AND ')}`
}

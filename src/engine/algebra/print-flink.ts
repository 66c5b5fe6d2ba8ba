// A live query as Flink SQL (1.20): windows as table functions, aggregates, ROW_NUMBER for deduplication and tops, and the tables of
// its streams with their watermarks. It says what Flink can say; anything else is refused by name. What stays different is in
// docs/reference/flink.md: late rows, the order of equal rows, overflow. Where the bytes come from (WITH) is the reader's to write.
import type { Shape } from '../../schema/type.ts'
import { constant, DOUBLE, type Expression, INT, isOptional, LONG } from './expression.ts'
import { refuseFlink } from './print-flink-call.ts'
import { flinkInterval, flinkName, flinkType, printFlinkExpression, quoteFlink } from './print-flink-expression.ts'
import type {
  Aggregate,
  FrameRelation,
  GroupRelation,
  JoinRelation,
  JoinSide,
  LiveQuery,
  NamedExpression,
  OrderBy,
  Relation,
  ScanRelation,
  TopRelation,
  Window,
} from './relation.ts'

const BOUNDS = ['window_start', 'window_end']
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

/** Columns that are Flink's own bounds of a window, which it must know to close windows. `endsLate`: of a session, see `printWindowCall`. */
function boundsOf(relation: Relation): ReadonlyMap<string, { readonly endsLate: boolean }> {
  switch (relation.op) {
    case 'filter':
      return boundsOf(relation.input)
    case 'group':
    case 'top': {
      if (relation.window === null) return relation.op === 'top' ? boundsOf(relation.input) : new Map()
      const isSession = relation.window.kind === 'session'
      return new Map(BOUNDS.map((name) => [name, { endsLate: isSession && name === 'window_end' }]))
    }
    case 'project': {
      const below = boundsOf(relation.input)
      const kept = relation.columns.flatMap(({ name, value }) => {
        const bound = value.op === 'column' ? below.get(value.name) : undefined
        return bound ? [[name, bound] as const] : []
      })
      return new Map(kept)
    }
    case 'join':
      return new Map([...boundsOf(relation.left.input), ...boundsOf(relation.right.input)])
    default:
      return new Map()
  }
}

const hasBounds = (relation: Relation): boolean => BOUNDS.every((name) => boundsOf(relation).has(name))

/** Bounds have no time zone in Flink; outside of its own clauses they are instants. */
function columnsOver(...inputs: readonly Relation[]): (name: string) => string {
  const bounds = new Map(inputs.flatMap((input) => [...boundsOf(input)]))
  return (name) => {
    if (ofLog(name)) refuseFlink(`${name}, which Flink's tables do not have,`, 'leave the column out')
    const bound = bounds.get(name)
    if (!bound) return flinkName(name)
    return `CAST(${flinkName(name)}${bound.endsLate ? ` + ${flinkInterval(1_000)}` : ''} AS TIMESTAMP_LTZ(3))`
  }
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
      return printJoin(relation)
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
      return printFrame(relation)
    case 'lag':
      return refuseFlink('lag', 'keep this model in Millrace')
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
const ofLog = (name: string): boolean => /(?:^|\.)(?:_partition|_offset|_ingested_at)$/.test(name)

const JOINS = { inner: 'JOIN', left: 'LEFT JOIN', right: 'RIGHT JOIN', full: 'FULL JOIN' } as const

/** Bounds of windows are compared as Flink's own, which makes it a window join; times within bounds make it an interval join. */
function printJoin({ kind, left, right, on, where }: JoinRelation): string {
  if (on.kind === 'latest') refuseFlink('an ASOF join', 'join with bounds between the times of both sides')
  if (on.kind === 'lookup')
    refuseFlink(
      `a lookup in the table "${on.table}"`,
      'keep this model in Millrace: in Flink it depends on the clock (FOR SYSTEM_TIME AS OF)',
    )
  const bounds = [boundsOf(left.input), boundsOf(right.input)]
  const [own, other] = [columnsOver(left.input), columnsOver(right.input)]
  const conditions = left.keys.map((key, i) => {
    const pair = [key, right.keys[i]!]
    if (pair.every((side, at) => side.op === 'column' && bounds[at]!.get(side.name)?.endsLate === false))
      return pair.map((side) => flinkName((side as { name: string }).name)).join(' = ')
    return `${printFlinkExpression(key, own)} = ${printFlinkExpression(right.keys[i]!, other)}`
  })
  if (on.kind === 'interval' && !(on.fromUs === 0 && on.untilUs === 0 && conditions.length > 0 && isBound(left, bounds[0]!))) {
    const [from, to] = [printFlinkExpression(left.time!, own), printFlinkExpression(right.time!, other)]
    conditions.push(`${to} >= ${from} + ${flinkInterval(on.fromUs)}`, `${to} <= ${from} + ${flinkInterval(on.untilUs)}`)
  }
  if (where) conditions.push(printFlinkExpression(where, columnsOver(left.input, right.input)))
  return `SELECT * FROM ${printFrom(left.input)} AS l ${JOINS[kind]} ${printFrom(right.input)} AS r ON ${conditions.join(' AND ')}`
}

const isBound = ({ time }: JoinSide, bounds: ReadonlyMap<string, unknown>): boolean => time?.op === 'column' && bounds.has(time.name)

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

/**
 * Over the rows of one stream, whose time Flink still knows: over those of windows, unions and joins it may not. Over another frame its
 * planner fails: both give a column of one name.
 */
function printFrame({ input, partition, time, frame, aggregates }: FrameRelation): string {
  if (!isOfStream(input))
    refuseFlink(
      'an aggregate over the rows before, of other than the rows of a stream,',
      'take rows of one stream, with one PARTITION BY and frame for all aggregates, or keep this model in Millrace',
    )
  const column = columnsOver(input)
  const by = partition.length === 0 ? '' : `PARTITION BY ${partition.map((value) => printFlinkExpression(value, column)).join(', ')} `
  const { unit, preceding } = frame
  const first = preceding === null ? 'UNBOUNDED' : unit === 'rows' ? preceding : flinkInterval(preceding)
  const order = `ORDER BY ${printFlinkExpression(time, column)} ${unit.toUpperCase()} BETWEEN ${first} PRECEDING AND CURRENT ROW`
  const columns = aggregates.map((aggregate) => `${printOver(aggregate, column, ` OVER (${by}${order})`)} AS ${flinkName(aggregate.name)}`)
  return `SELECT *, ${columns.join(', ')} FROM ${printFrom(input)}`
}

const isOfStream = (relation: Relation): boolean =>
  relation.op === 'scan' || ((relation.op === 'filter' || relation.op === 'project') && isOfStream(relation.input))

/** Flink takes no FILTER beside OVER: a row that it leaves out counts as null. */
function printOver(aggregate: Aggregate, column: (name: string) => string, over: string): string {
  const { where, of } = aggregate
  if (!where) return printAggregate(aggregate, column, over)
  const [value = constant(1, INT)] = of
  const kept: Expression = {
    op: 'case',
    when: [{ test: where, value }],
    else: constant(null, value.type),
    type: value.type,
    optional: true,
  }
  return printAggregate({ ...aggregate, of: [kept], where: null }, column, over)
}

function printAggregate({ function: name, of, distinct, where }: Aggregate, column: (name: string) => string, over = ''): string {
  const texts = of.map((value) => printFlinkExpression(value, column))
  const rest = `${where ? ` FILTER (WHERE ${printFlinkExpression(where, column)})` : ''}${over}`
  const [first] = of
  const as = (type: string): string => (flinkType(first!.type) === type ? texts[0]! : `CAST(${texts[0]} AS ${type})`)
  const call = (called: string, text: string): string => `${called.toUpperCase()}(${distinct ? 'DISTINCT ' : ''}${text})${rest}`
  switch (name) {
    case 'count':
      return call(name, texts[0] ?? '*')
    case 'sum':
      return call(name, first!.type.kind === 'int' ? as(flinkType(LONG)) : texts[0]!)
    case 'avg':
    case 'var_samp':
    case 'var_pop':
    case 'stddev_samp':
    case 'stddev_pop':
      return call(name, as(flinkType(DOUBLE)))
    case 'min':
    case 'max':
      return call(name, texts[0]!)
    case 'bool_and':
    case 'bool_or':
      return `(${call(name === 'bool_and' ? 'min' : 'max', `CASE WHEN ${texts[0]} THEN 1 WHEN NOT ${texts[0]} THEN 0 END`)} = 1)`
    case 'approx_count_distinct':
      return refuseFlink('approx_count_distinct over a stream', 'use count(DISTINCT ...)')
    case 'quantile_cont':
    case 'quantile_disc':
      return refuseFlink(`${name}(...)`, 'keep this model in Millrace')
    default:
      return refuseFlink(`${name}(...)`, 'use QUALIFY row_number() OVER (...) = 1 for the row of an extreme')
  }
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

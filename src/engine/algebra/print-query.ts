// A live query as DuckDB's batch SQL over the streams' tables: the batch twin, which gives the same rows. Windows are rewritten:
// hop repeats a row for each of its windows, a session begins where the row before is a gap away. Joins are `print-join.ts`.
import { quoteName, quoteText } from '../sql-text.ts'
import { printExpression } from './print-expression.ts'
import { printJoin } from './print-join.ts'
import {
  type Aggregate,
  type FrameRelation,
  type GroupRelation,
  groupBelow,
  type LagRelation,
  type LiveQuery,
  type OrderBy,
  type Relation,
  type TopRelation,
  type UnnestRelation,
  type Window,
} from './relation.ts'
import { LOG_ORDER, tumbleBounds } from './source.ts'

/** SQL of a stream's table with all columns of the stream, the system columns too. */
export type TableOf = (stream: string) => string

export const printLive = (query: LiveQuery, tableOf: TableOf): string => printRelation(query.root, tableOf)

function printRelation(relation: Relation, stream: TableOf): string {
  switch (relation.op) {
    case 'scan':
      return `SELECT * FROM ${stream(relation.stream)}`
    case 'union':
      return relation.inputs.map((input) => printRelation(input, stream)).join(' UNION ALL ')
    case 'join':
      return printJoin(relation, (input) => printRelation(input, stream))
    case 'expand':
      return withBounds(relation.window, printRelation(relation.input, stream))
    case 'unnest':
      return printUnnest(relation, printRelation(relation.input, stream))
    case 'compute':
      return `SELECT *, ${relation.columns.map(({ name, value }) => `${printExpression(value)} AS ${quoteName(name)}`).join(', ')} FROM (${printRelation(relation.input, stream)})`
    case 'latest':
      return printRelation(relation.input, stream)
    case 'frame':
      return printFrame(relation, printRelation(relation.input, stream))
    case 'lag':
      return printLag(relation, printRelation(relation.input, stream))
    case 'filter':
      return `SELECT * FROM (${printRelation(relation.input, stream)}) WHERE ${printExpression(relation.where)}`
    case 'project':
      return `SELECT ${relation.columns.map(({ name, value }) => `${printExpression(value)} AS ${quoteName(name)}`).join(', ')} FROM (${printRelation(relation.input, stream)})`
    case 'group':
      return printGroup(relation, stream)
    case 'top':
      return printTop(relation, stream)
  }
}

function printUnnest({ list, item, position, isOuter }: UnnestRelation, from: string): string {
  const of = printExpression(list, (name) => `r.${quoteName(name)}`)
  const elements = `unnest(${of}) WITH ORDINALITY AS u(${quoteName(item)}, ${quoteName(position)})`
  return `SELECT * FROM (${from}) AS r ${isOuter ? `LEFT JOIN ${elements} ON true` : `CROSS JOIN ${elements}`}`
}

function printGroup({ input, window, keys, aggregates }: GroupRelation, stream: TableOf): string {
  const columns = [
    ...keys.map(({ name, value }) => `${printExpression(value)} AS ${quoteName(name)}`),
    ...aggregates.map((aggregate) => `${printAggregate(aggregate)} AS ${quoteName(aggregate.name)}`),
  ]
  const groups = keys.map(({ value }) => printExpression(value))
  const from = printRelation(input, stream)
  if (!window) return `SELECT ${columns.join(', ')} FROM (${from})${groups.length === 0 ? '' : ` GROUP BY ${groups.join(', ')}`}`
  if (window.kind === 'session') {
    const time = printExpression(window.time)
    const bounds = [`min(${time}) AS window_start`, `max(${time}) + ${microseconds(window.gapUs)} AS window_end`]
    return `SELECT ${[...bounds, ...columns].join(', ')} FROM (${printSessions(window, from)}) GROUP BY ${[...groups, '"#session"'].join(', ')}`
  }
  if (window.kind === 'instant') {
    const time = printExpression(window.time)
    const own = [`${time} AS window_start`, `${time} AS window_end`]
    return `SELECT ${[...own, ...columns].join(', ')} FROM (${from}) GROUP BY ${[time, ...groups].join(', ')}`
  }
  return `SELECT ${[boundsOf(window), ...columns].join(', ')} FROM (${printWindowed(window, from)}) GROUP BY ${['"#start"', ...groups].join(', ')}`
}

const microseconds = (micros: number): string => `to_microseconds(${micros})`

/** Each row with the starts of its windows as `#start`; `#n` of a hop is there too. */
function printWindowed(window: Extract<Window, { kind: 'tumble' | 'hop' }>, from: string): string {
  const slideUs = window.kind === 'hop' ? window.slideUs : window.widthUs
  const last = printExpression(tumbleBounds({ kind: 'tumble', time: window.time, widthUs: slideUs }).window_start)
  if (window.kind === 'tumble') return `SELECT *, ${last} AS "#start" FROM (${from})`
  return `SELECT *, ${last} - to_microseconds("#n" * ${slideUs}) AS "#start" FROM (${from}) AS r, range(${window.widthUs / slideUs}) AS n("#n")`
}

/** Rows with the number of their session as `#session`, and `#new`. Rows of one time are peers: the sum takes them together, whatever their order. */
export function printSessions(window: Extract<Window, { kind: 'session' }>, from: string): string {
  const over = `OVER (PARTITION BY ${printExpression(window.by)} ORDER BY ${printExpression(window.time)})`
  const time = printExpression(window.time)
  const isNew = `CASE WHEN ${time} - lag(${time}) ${over} < ${microseconds(window.gapUs)} THEN 0 ELSE 1 END`
  return `SELECT *, sum("#new") ${over} AS "#session" FROM (SELECT *, ${isNew} AS "#new" FROM (${from}))`
}

function printAggregate({ function: name, of, distinct, fraction, list, where }: Aggregate): string {
  const texts = [...of.map((value) => printExpression(value)), ...(fraction === undefined ? [] : [fraction])]
  const conditions = where ? [printExpression(where)] : []
  let called = `${name}(${distinct ? 'DISTINCT ' : ''}${texts.length === 0 ? '*' : texts.join(', ')})`
  if (list)
    called = `string_agg(${distinct ? 'DISTINCT ' : ''}${texts[0]}, ${quoteText(list.separator)} ORDER BY ${texts[0]} ${list.descending ? 'DESC' : 'ASC'})`
  if (name === 'arg_min' || name === 'arg_max') {
    // Of several rows with the extreme the one whose value is extreme too, so that no order of rows matters.
    called = `${name}(${texts[0]}, {'by': ${texts[1]}, 'value': ${texts[0]}})`
    conditions.push(`${texts[0]} IS NOT NULL`, `${texts[1]} IS NOT NULL`)
  }
  return conditions.length > 0 ? `${called} FILTER (WHERE ${conditions.join(' AND ')})` : called
}

function printTop(top: TopRelation, stream: TableOf): string {
  const { input, window, partition, order, limit } = top
  const from = printRelation(input, stream)
  const fixed = window?.kind === 'tumble' || window?.kind === 'hop' ? window : null
  const rows = fixed ? printWindowed(fixed, from) : from
  const start = window?.kind === 'instant' ? printExpression(window.time) : fixed ? '"#start"' : 'window_start'
  const by = [...partition.map((value) => printExpression(value)), ...(window || top.overGroups ? [start] : [])]
  const ties = top.function === 'row_number' ? tiesOf(top) : []
  const of = by.length === 0 ? '' : `PARTITION BY ${by.join(', ')} `
  const over = `OVER (${of}ORDER BY ${[...order.map(printOrder), ...ties].join(', ')})`
  const numbered = `SELECT *, ${top.function}() ${over} AS ${quoteName(top.name)} FROM (${rows})`
  const first = `SELECT * FROM (${numbered}) WHERE ${quoteName(top.name)} <= ${limit}`
  // Bounds come last: what is numbered by reads the rows as they were.
  return fixed ? boundedRows(fixed, first) : first
}

function tiesOf(top: TopRelation): readonly string[] {
  if (top.ties) return top.ties.map((value) => `${printExpression(value)} ASC NULLS LAST`)
  return top.overGroups ? groupBelow(top.input).keys.map(({ name }) => quoteName(name)) : LOG_ORDER
}

const printLag = (lag: LagRelation, from: string): string => {
  const lags = lag.columns.map(
    ({ name, value, offset }) => `lag(${printExpression(value)}, ${offset}) OVER (${printOver(lag)}) AS ${quoteName(name)}`,
  )
  return `SELECT *, ${lags.join(', ')} FROM (${from})`
}

const printFrame = (frame: FrameRelation, from: string): string => {
  const { unit, preceding } = frame.frame
  const first = preceding === null ? 'UNBOUNDED' : unit === 'rows' ? preceding : microseconds(preceding)
  // Rows of one time are in the frames of each other where a range is meant: nothing puts them in order.
  const order = unit === 'rows' ? frame : { ...frame, ties: [] }
  const over = `OVER (${printOver(order)} ${unit.toUpperCase()} BETWEEN ${first} PRECEDING AND CURRENT ROW)`
  const texts = frame.aggregates.map((aggregate) => `${printAggregate(aggregate)} ${over} AS ${quoteName(aggregate.name)}`)
  return `SELECT *, ${texts.join(', ')} FROM (${from})`
}

function printOver({ partition, time, ties }: Pick<LagRelation, 'partition' | 'time' | 'ties'>): string {
  const by = partition.length === 0 ? '' : `PARTITION BY ${partition.map((value) => printExpression(value)).join(', ')} `
  return `${by}ORDER BY ${[printExpression(time), ...ties.map((value) => `${printExpression(value)} ASC NULLS FIRST`)].join(', ')}`
}

/** Of rows with `#start`. */
const boundsOf = ({ widthUs }: { readonly widthUs: number }): string =>
  `"#start" AS window_start, "#start" + ${microseconds(widthUs)} AS window_end`

/**
 * What is windowed may be windows, whose own bounds the new ones hide. `#start` or `#session` stays, and is left out where the bounds are
 * there: the windows may have no other column, and DuckDB takes no COLUMNS of none.
 */
export const OWN_COLUMNS = `COLUMNS("#name" -> lower("#name") NOT IN ('window_start', 'window_end', '#n', '#new', '#key'))`

/** Rows that have `#start`, with the bounds in its place. */
const boundedRows = (window: { readonly widthUs: number }, rows: string): string =>
  `SELECT * EXCLUDE ("#start"), ${boundsOf(window)} FROM (SELECT ${OWN_COLUMNS} FROM (${rows}))`

/** Each row once for each of its windows, with their bounds. */
export const withBounds = (window: Extract<Window, { kind: 'tumble' | 'hop' }>, from: string): string =>
  boundedRows(window, printWindowed(window, from))

const printOrder = ({ value, descending, nullsFirst }: OrderBy): string =>
  `${printExpression(value)} ${descending ? 'DESC' : 'ASC'} NULLS ${nullsFirst ? 'FIRST' : 'LAST'}`

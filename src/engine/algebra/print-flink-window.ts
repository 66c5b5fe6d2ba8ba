// Windows as Flink's table functions, over a stream and over whatever rows still have the time that Flink's watermark follows.
import { refuseFlink } from './print-flink-call.ts'
import { flinkInterval, flinkName, flinkType, printFlinkExpression, quoteFlink } from './print-flink-expression.ts'
import {
  BOUNDS,
  boundsOf,
  columnsOf,
  columnsOver,
  type FlinkTime,
  isOfStream,
  type PrintRelation,
  placeOf,
  timeOfWindow,
  WINDOW_TIME,
} from './print-flink-time.ts'
import { inputsOf, type Relation, type Window } from './relation.ts'
import { isNestedValue } from './source.ts'

const TIME = '#time'
const MOVED = '#moved'
const BEGINS = '#begins'

/** A filter of a stream stands behind its window, since Flink's functions take a table; before it for sessions. @throws MR_PLAN_FLINK. */
export function printWindow(window: Window, input: Relation, print: PrintRelation): string {
  const time = timeOfWindow(window, input)
  if (!isOfStream(input)) return printCall(window, ...rowsWithin(input, time, placeOf(window, input).delayUs, print))
  if (input.op !== 'filter') return printCall(window, tableOf(input), time.column)
  if (window.kind === 'session') return printCall(window, `(${print(input, false)})`, time.column)
  const called = printCall(window, tableOf(input.input), time.column)
  return `(SELECT * FROM ${called} WHERE ${printFlinkExpression(input.where, columnsOver(input.input))})`
}

const tableOf = (scan: Relation): string => `TABLE ${quoteFlink((scan as Extract<Relation, { op: 'scan' }>).stream)}`

/** How columns of the input are read beside the bounds of the window. */
export function columnsWithin(window: Window | null, input: Relation): (name: string) => string {
  const column = columnsOver(input)
  return (name) => (window && !isOfStream(input) && BOUNDS.includes(name) ? flinkName(`#${name}`) : column(name))
}

/**
 * The rows as a table function takes them, and what it calls their time. Their own bounds have other names beside those of the window.
 * Flink's planner fails where a column of a union has other lengths of text or may be null in one part alone: all may be, after TRY_CAST.
 */
function rowsWithin(input: Relation, time: FlinkTime, delayUs: number, print: PrintRelation): readonly [rows: string, time: string] {
  const columns = columnsOf(input)
  const isRenamed = [WINDOW_TIME, ...BOUNDS].includes(time.column)
  const rows = `(${print(input, time.column === WINDOW_TIME)})`
  const isOfUnion = holdsUnion(input)
  if (!isRenamed && !isOfUnion && !columns.some(({ name }) => BOUNDS.includes(name))) return [rows, time.column]
  const bounds = boundsOf(input)
  const column = columnsOver(input)
  const texts = columns.map(({ name, value: { type } }) => {
    if (BOUNDS.includes(name)) return `${column(name)} AS ${flinkName(`#${name}`)}`
    if (!isOfUnion || name === time.column || bounds.has(name) || isNestedValue(type)) return flinkName(name)
    return `TRY_CAST(${flinkName(name)} AS ${flinkType(type)}) AS ${flinkName(name)}`
  })
  const own = isRenamed ? [`${flinkName(time.column)} AS ${flinkName(TIME)}`] : []
  const selected = (more: readonly string[]): string => `(SELECT ${[...texts, ...own, ...more].join(', ')} FROM ${rows})`
  if (delayUs === 0) return [selected([]), isRenamed ? TIME : time.column]
  const begins = `CAST(${flinkName(time.column)} AS TIMESTAMP(3)) AS ${flinkName(BEGINS)}`
  const names = columns.map(({ name }) => flinkName(BOUNDS.includes(name) ? `#${name}` : name))
  return [movedRows(selected([begins]), names, delayUs), MOVED]
}

/** Of the windows of a row the one that begins with it, and ends so much later: its time is that of the row, moved. */
function movedRows(rows: string, names: readonly string[], delayUs: number): string {
  const called = `TABLE(HOP(${rows}, DESCRIPTOR(${flinkName(TIME)}), ${flinkInterval(1_000)}, ${flinkInterval(delayUs + 1_000)}))`
  const columns = [...names, `${quoteFlink(WINDOW_TIME)} AS ${flinkName(MOVED)}`]
  return `(SELECT ${columns.join(', ')} FROM ${called} WHERE ${quoteFlink(BOUNDS[0]!)} = ${flinkName(BEGINS)})`
}

const holdsUnion = (relation: Relation): boolean => relation.op === 'union' || inputsOf(relation).some(holdsUnion)

function printCall(window: Window, rows: string, time: string): string {
  const by = `DESCRIPTOR(${flinkName(time)})`
  switch (window.kind) {
    case 'tumble':
      return `TABLE(TUMBLE(${rows}, ${by}, ${flinkInterval(window.widthUs)}))`
    case 'hop':
      return `TABLE(HOP(${rows}, ${by}, ${flinkInterval(window.slideUs)}, ${flinkInterval(window.widthUs)}))`
    case 'instant':
      return `TABLE(TUMBLE(${rows}, ${by}, ${flinkInterval(1_000)}))`
    case 'session':
      if (window.by.op !== 'column') return refuseFlink('a session by an expression', 'take a column of the stream as the key')
      // Flink joins rows that are exactly a gap apart: with a millisecond less it does not, and each end is put back where it is read.
      return `TABLE(SESSION(${rows} PARTITION BY ${flinkName(window.by.name)}, ${by}, ${flinkInterval(window.gapUs - 1_000)}))`
  }
}

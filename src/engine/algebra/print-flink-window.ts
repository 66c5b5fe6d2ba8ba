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
  timeOfWindow,
  WINDOW_TIME,
} from './print-flink-time.ts'
import { inputsOf, type Relation, type Window } from './relation.ts'
import { isNestedValue } from './source.ts'

const TIME = '#time'

/** A filter of a stream stands behind its window, since Flink's functions take a table; before it for sessions. @throws MR_PLAN_FLINK. */
export function printWindow(window: Window, input: Relation, print: PrintRelation): string {
  const time = timeOfWindow(window, input)
  if (!isOfStream(input)) return printCall(window, ...rowsWithin(input, time, print), time.shiftUs)
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
function rowsWithin(input: Relation, time: FlinkTime, print: PrintRelation): readonly [rows: string, time: string] {
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
  return [`(SELECT ${[...texts, ...own].join(', ')} FROM ${rows})`, isRenamed ? TIME : time.column]
}

const holdsUnion = (relation: Relation): boolean => relation.op === 'union' || inputsOf(relation).some(holdsUnion)

/** `shiftUs`: how far our time lies after Flink's, whose windows begin so much earlier. */
function printCall(window: Window, rows: string, time: string, shiftUs = 0): string {
  const call = (name: string, lengths: readonly number[]): string =>
    `TABLE(${name}(${[rows, `DESCRIPTOR(${flinkName(time)})`, ...lengths.map(flinkInterval)].join(', ')}))`
  const offset = (everyUs: number): readonly number[] => [((-shiftUs % everyUs) + everyUs) % everyUs].filter((us) => us > 0)
  switch (window.kind) {
    case 'tumble':
      return call('TUMBLE', [window.widthUs, ...offset(window.widthUs)])
    case 'hop':
      return call('HOP', [window.slideUs, window.widthUs, ...offset(window.slideUs)])
    case 'instant':
      return call('TUMBLE', [1_000])
    case 'session': {
      if (window.by.op !== 'column') return refuseFlink('a session by an expression', 'take a column of the stream as the key')
      // Flink joins rows that are exactly a gap apart: with a millisecond less it does not, and each end is put back where it is read.
      const by = `DESCRIPTOR(${flinkName(time)})`
      return `TABLE(SESSION(${rows} PARTITION BY ${flinkName(window.by.name)}, ${by}, ${flinkInterval(window.gapUs - 1_000)}))`
    }
  }
}

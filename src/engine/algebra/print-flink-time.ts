// What Flink knows of time in the rows of a relation: which columns are its own bounds of windows, which it must know to close windows,
// and which column is the time that its watermark follows. What a column is here may lie a fixed length after what it is there; both
// are printed as the instants that they are here.
import { refuseFlink } from './print-flink-call.ts'
import { flinkInterval, flinkName } from './print-flink-expression.ts'
import type { GroupRelation, NamedExpression, Relation, TopRelation, Window } from './relation.ts'

export const BOUNDS = ['window_start', 'window_end']

/** Rows of a window have its end less a millisecond as their time in Flink, in a column of this name. */
export const WINDOW_TIME = 'window_time'

const MILLISECOND = 1_000

/** `timed`: with `window_time`, which is the time of the rows there. */
export type PrintRelation = (relation: Relation, timed: boolean) => string

/** Columns that are Flink's own bounds of a window: how far they lie after what Flink has there, in microseconds. */
export function boundsOf(relation: Relation): ReadonlyMap<string, number> {
  switch (relation.op) {
    case 'filter':
    case 'frame':
    case 'lag':
      return boundsOf(relation.input)
    case 'group':
    case 'top': {
      const { input } = relation
      const window = windowOf(relation)
      if (!window) return relation.op === 'top' ? boundsOf(input) : new Map()
      return new Map(BOUNDS.map((name) => [name, boundShift(name, window, input)]))
    }
    case 'project': {
      const below = boundsOf(relation.input)
      const kept = relation.columns.flatMap(({ name, value }) => {
        const shiftUs = value.op === 'column' ? below.get(value.name) : undefined
        return shiftUs === undefined ? [] : [[name, shiftUs] as const]
      })
      return new Map(kept)
    }
    case 'join':
      // Both sides of an ASOF join are printed as values.
      if (relation.on.kind === 'latest') return new Map()
      return new Map([...boundsOf(relation.left.input), ...boundsOf(relation.right.input)])
    default:
      return new Map()
  }
}

/** Rows of one time that are numbered stay those of their windows. */
const windowOf = ({ op, window }: GroupRelation | TopRelation): Window | null =>
  op === 'top' && window?.kind === 'instant' ? null : window

export const hasBounds = (relation: Relation): boolean => BOUNDS.every((name) => boundsOf(relation).has(name))

/** The gap of a session is a millisecond shorter in Flink, and so is what comes after its last row. */
const boundShift = (name: string, window: Window, input: Relation): number =>
  placeOf(window, input).shiftUs + (window.kind === 'session' && name === 'window_end' ? MILLISECOND : 0)

/** Flink's column, and how far the one that is asked for lies after it. Microseconds. */
export interface FlinkTime {
  readonly column: string
  readonly shiftUs: number
  /** Of the starts of tumbling windows: their length. */
  readonly everyUs?: number
}

/** The time that Flink's watermark follows, where the column is that time, moved; undefined where Flink has lost it. */
export function timeOf(relation: Relation, name: string): FlinkTime | undefined {
  switch (relation.op) {
    case 'scan':
      return ofLog(name) ? undefined : { column: name, shiftUs: 0 }
    case 'filter':
    case 'frame':
    case 'lag':
      return timeOf(relation.input, name)
    case 'project': {
      const value = relation.columns.find((column) => column.name === name)?.value
      const time = value?.op === 'column' ? timeOf(relation.input, value.name) : undefined
      return time && time.column !== WINDOW_TIME ? { ...time, column: name } : time
    }
    case 'union': {
      const [first, ...others] = relation.inputs.map((input) => timeOf(input, name))
      return others.every((time) => time?.column === first?.column && time?.shiftUs === first?.shiftUs && time?.everyUs === first?.everyUs)
        ? first
        : undefined
    }
    case 'join': {
      const { on, kind, left, right } = relation
      // An outer interval join gives rows without a partner when Flink's watermark has passed them.
      const sides = on.kind === 'latest' ? [left] : on.kind === 'interval' && kind === 'inner' ? [left, right] : []
      const [time] = sides.flatMap(({ input }) => timeOf(input, name) ?? [])
      return time?.column === WINDOW_TIME ? undefined : time
    }
    case 'group':
    case 'top': {
      const { input } = relation
      const window = windowOf(relation)
      if (!window) return relation.op === 'top' ? timeOf(input, name) : undefined
      return timeOfBound(name, window, input)
    }
    default:
      return undefined
  }
}

/** Not of a clock: what a row has there is not what Flink goes by. */
function timeOfBound(name: string, window: Window, input: Relation): FlinkTime | undefined {
  if (ofLog(timeOfWindow(window, input).column)) return undefined
  const end = { column: WINDOW_TIME, shiftUs: boundShift('window_end', window, input) + MILLISECOND }
  if (name === 'window_end') return end
  if (name !== 'window_start' || window.kind === 'session') return undefined
  const startOf = (lengthUs: number): FlinkTime => ({ ...end, shiftUs: end.shiftUs - lengthUs })
  if (window.kind === 'hop') return startOf(window.widthUs)
  if (window.kind === 'tumble') return { ...startOf(window.widthUs), everyUs: window.widthUs }
  const { everyUs } = timeOfWindow(window, input)
  return { ...startOf(MILLISECOND), ...(everyUs === undefined ? {} : { everyUs }) }
}

/** The most that a row is moved: by each millisecond it is there once more before it is chosen. */
const DELAY_MAX_US = 10 * MILLISECOND

/**
 * Windows of Flink begin where ours do, so that rows are moved on in time until they fall into the same: `delayUs`. `shiftUs`: how far the
 * bounds of our windows lie after those that the rows are in then. Windows with an offset would do, but Flink (1.20) loses rows in them.
 * @throws MR_PLAN_FLINK.
 */
export function placeOf(window: Window, input: Relation): { readonly delayUs: number; readonly shiftUs: number } {
  const { shiftUs, everyUs } = timeOfWindow(window, input)
  if (window.kind === 'session' || window.kind === 'instant') return { delayUs: 0, shiftUs }
  const slideUs = window.kind === 'hop' ? window.slideUs : window.widthUs
  if (everyUs !== undefined && slideUs % everyUs === 0) {
    // A window that begins in one of a multiple of its length ends in it.
    const apartUs = shiftUs + everyUs - MILLISECOND
    if (apartUs % slideUs === 0) return { delayUs: 0, shiftUs: apartUs }
  }
  const delayUs = ((shiftUs % slideUs) + slideUs) % slideUs
  if (delayUs > DELAY_MAX_US)
    refuseFlink('a window over the starts of windows, whose length does not fit,', 'take window_end, or a multiple of their length')
  return { delayUs, shiftUs: shiftUs - delayUs }
}

/** @throws MR_PLAN_FLINK where Flink has lost it. */
export function timeOfWindow({ time }: Window, input: Relation): FlinkTime {
  const name = time.op === 'column' ? time.name : ''
  // A stream without a time of its own has the time at which Flink sees the rows.
  if (isOfStream(input)) return { column: name, shiftUs: 0 }
  return timeOf(input, name) ?? refuseFlink('a window over these rows, whose time Flink loses,', 'take the window of the stream itself')
}

/** Flink's functions of windows take its table, and the condition stands behind them. */
export const isOfStream = (input: Relation): boolean => input.op === 'scan' || (input.op === 'filter' && input.input.op === 'scan')

/** Bounds have no time zone in Flink; outside of its own clauses they are instants. */
export function columnsOver(...inputs: readonly Relation[]): (name: string) => string {
  const bounds = new Map(inputs.flatMap((input) => [...boundsOf(input)]))
  return (name) => {
    if (ofLog(name)) refuseFlink(`${name}, which Flink's tables do not have,`, 'leave the column out')
    const shiftUs = bounds.get(name)
    if (shiftUs === undefined) return flinkName(name)
    return `CAST(${flinkName(name)}${shiftUs === 0 ? '' : ` + ${flinkInterval(shiftUs)}`} AS TIMESTAMP_LTZ(3))`
  }
}

/** Columns of the log, which Flink does not have. */
export const ofLog = (name: string): boolean => /(?:^|\.)(?:_partition|_offset|_ingested_at)$/.test(name)

/** What Flink has of the columns. Whatever is no stream's is a selection, below its conditions. */
export function columnsOf(relation: Relation): readonly NamedExpression[] {
  if (relation.op === 'filter') return columnsOf(relation.input)
  return relation.op === 'project' ? relation.columns.filter(({ name }) => !ofLog(name)) : []
}

// What Flink knows of time in the rows of a relation: which columns are its own bounds of windows, which it must know to close windows,
// and how both are read as the instants that they are here.
import { refuseFlink } from './print-flink-call.ts'
import { flinkInterval, flinkName } from './print-flink-expression.ts'
import type { Relation } from './relation.ts'

export const BOUNDS = ['window_start', 'window_end']

/** Columns that are Flink's own bounds of a window. `endsLate`: of a session, whose gap is a millisecond shorter there. */
export function boundsOf(relation: Relation): ReadonlyMap<string, { readonly endsLate: boolean }> {
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

export const hasBounds = (relation: Relation): boolean => BOUNDS.every((name) => boundsOf(relation).has(name))

/** Bounds have no time zone in Flink; outside of its own clauses they are instants. */
export function columnsOver(...inputs: readonly Relation[]): (name: string) => string {
  const bounds = new Map(inputs.flatMap((input) => [...boundsOf(input)]))
  return (name) => {
    if (ofLog(name)) refuseFlink(`${name}, which Flink's tables do not have,`, 'leave the column out')
    const bound = bounds.get(name)
    if (!bound) return flinkName(name)
    return `CAST(${flinkName(name)}${bound.endsLate ? ` + ${flinkInterval(1_000)}` : ''} AS TIMESTAMP_LTZ(3))`
  }
}

/** Columns of the log, which Flink does not have. */
export const ofLog = (name: string): boolean => /(?:^|\.)(?:_partition|_offset|_ingested_at)$/.test(name)

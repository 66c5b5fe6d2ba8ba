// Rows of a SELECT with values of those before them, which `lag` and aggregates over frames ask for. They wait for the time that they
// are in order of, and that one alone follows the watermark then.
import type { Selection } from './read-outputs.ts'
import type { Framed, Lag } from './read-window-function.ts'
import { refuse } from './refuse.ts'
import type { Relation } from './relation.ts'
import { isNestedValue, type Source, tiesOf } from './source.ts'

/** One operator for all calls that stand over the same rows, and the next over its rows. `before`: at least one, all over one time. */
export function withRowsBefore(selection: Selection, before: readonly (Lag | Framed)[]): Selection {
  const { select, source, outputs } = selection
  const nested = outputs.find(({ value }) => isNestedValue(value.type))
  if (nested) refuse(`OVER (...) beside the column "${nested.name}", which is nested,`, select, `leave "${nested.name}" out`)
  if (source.result === 'keyed') refuse('OVER (...) of rows that are replaced', select)
  const ties = tiesOf(source)
  const alike = Map.groupBy(before, (own) => JSON.stringify([own.partition, 'frame' in own ? own.frame : null]))
  const relation = [...alike.values()].reduce<Relation>((rows, own) => {
    const { partition, time, delayUs } = own[0]!
    const over = { input: rows, partition, time, delayUs, ties }
    const frames = own.filter((one) => 'frame' in one)
    if (frames.length > 0) return { ...over, op: 'frame', frame: frames[0]!.frame, aggregates: frames.map(({ aggregate }) => aggregate) }
    return { ...over, op: 'lag', columns: own.flatMap((one) => ('column' in one ? [one.column] : [])) }
  }, source.relation)
  // How long another time may lag behind the watermark is not known.
  const { time, delayUs } = before[0]!
  const times: Source['times'] = new Map(time.op === 'column' ? [[time.name, delayUs]] : [])
  return { ...selection, source: { ...source, relation, times, result: 'closing' } }
}

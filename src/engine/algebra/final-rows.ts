// The first rows of each partition in the order of a time that the watermark follows: which they are is known when it has passed them,
// and then they are counted up to the bound and never replaced. So they may stand where rows that are replaced may not: below windows,
// joins, unions, groups. What reads them by themselves has them at once instead, and replaced (`top-rows.ts`).
import { BOOLEAN, call, constant, LONG } from './expression.ts'
import type { Output } from './output-rows.ts'
import { plainRows } from './plain-rows.ts'
import type { Selection } from './read-outputs.ts'
import type { Framed } from './read-window-function.ts'
import { filtered } from './relation.ts'
import { RANK, type Rank } from './select-calls.ts'
import { withRowsBefore } from './with-rows-before.ts'

/** Null where their order is another. */
export function finalRows(selection: Selection, { function: called, order, partition, limit }: Rank): Output | null {
  const [first, ...more] = order
  const time = first?.value
  const delayUs = time?.op === 'column' ? selection.source.times.get(time.name) : undefined
  if (called !== 'row_number' || !time || more.length > 0 || first.descending || delayUs === undefined) return null
  const count = { name: RANK, function: 'count', of: [], distinct: false, where: null, type: LONG } as const
  const over: Framed = { partition, time, delayUs, frame: { unit: 'rows', preceding: null }, aggregate: count }
  const counted = withRowsBefore(selection, [over])
  const rank = { op: 'column', name: RANK, type: LONG, optional: false } as const
  const isFirst = call('<=', [rank, constant(String(limit), LONG)], BOOLEAN)
  const relation = filtered(counted.source.relation, [isFirst])
  return plainRows({ ...counted, source: { ...counted.source, relation } }, { isModel: false })
}

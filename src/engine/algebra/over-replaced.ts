// Groups over rows that are replaced by their key: what is taken back must be known. Where a row can leave a group for another one, or
// for good, groups go with their last row; where rows themselves go, `over-latest.ts` knows what they were.
import type { Node } from '../ast.ts'
import { columnsIn } from './expression.ts'
import { overLatest } from './over-latest.ts'
import { REMOVABLE } from './read-aggregate.ts'
import { refuse } from './refuse.ts'
import type { GroupRelation } from './relation.ts'
import type { Rows } from './source.ts'

/** The group as it follows the rows of its input, which are `rows`; as it is where these are final. @throws MR_PLAN_LIVE_SHAPE. */
export function overReplaced(group: GroupRelation, rows: Rows, select: Node): GroupRelation {
  const { result, key, isRetracted, rowKey, loses } = rows
  if (result !== 'keyed') return group
  if (!isRetracted) refuse('a group over rows that are replaced by QUALIFY', select, 'group over a group: max(...), arg_max(...)')
  for (const { function: called, distinct } of group.aggregates)
    if (distinct || !REMOVABLE.includes(called))
      refuse(
        `${called}(${distinct ? 'DISTINCT ' : ''}...) over rows that are replaced`,
        select,
        distinct
          ? `group over the rows of SELECT DISTINCT: SELECT a, ${called}(b) FROM (SELECT DISTINCT a, b FROM ...) GROUP BY a`
          : `use ${REMOVABLE.join(', ')}`,
      )
  const following: GroupRelation = { ...group, replaces: true }
  if (rowKey) return overLatest(following, rowKey)
  const isWithinKey = group.keys.every(({ value }) => [...columnsIn([value])].every((name) => key.includes(name)))
  const staysFilled = group.keys.length === 0 || (isWithinKey && !loses)
  return staysFilled ? following : { ...following, loses: true }
}

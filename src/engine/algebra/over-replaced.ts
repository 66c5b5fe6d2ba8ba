// Groups over rows that are replaced by their key: what is taken back must be known, and no group may become empty unless rows can
// go (`over-latest.ts`).
import type { Node } from '../ast.ts'
import { columnsIn } from './expression.ts'
import { UNSELECTED } from './output-rows.ts'
import { overLatest } from './over-latest.ts'
import { REMOVABLE } from './read-aggregate.ts'
import { refuse } from './refuse.ts'
import type { GroupRelation } from './relation.ts'
import type { Rows } from './source.ts'

/** The group as it follows the rows of its input, which are `rows`; as it is where these are final. @throws MR_PLAN_LIVE_SHAPE. */
export function overReplaced(group: GroupRelation, rows: Rows, select: Node): GroupRelation {
  const { result, key, isRetracted, rowKey, loses } = rows
  if (result !== 'keyed') return group
  if (loses) refuse('a group over groups that a condition takes away', select, 'write FILTER (WHERE ...) of the aggregates')
  if (!isRetracted) refuse('a group over rows that are replaced by QUALIFY', select, 'group over a group: max(...), arg_max(...)')
  for (const { value } of group.keys)
    if (!rowKey && [...columnsIn([value])].some((name) => !key.includes(name)))
      refuse(
        'a group by what may change in rows that are replaced',
        select,
        key.length === 0
          ? 'what is below gives one row: leave GROUP BY out'
          : `group by columns of the inner key: ${key.filter((name) => name !== UNSELECTED).join(', ')}`,
      )
  for (const { function: called, distinct } of group.aggregates)
    if (distinct || !REMOVABLE.includes(called))
      refuse(
        `${called}(${distinct ? 'DISTINCT ' : ''}...) over rows that are replaced`,
        select,
        rowKey && distinct
          ? `group over the rows of SELECT DISTINCT: SELECT a, ${called}(b) FROM (SELECT DISTINCT a, b FROM ...) GROUP BY a`
          : `use ${REMOVABLE.join(', ')}`,
      )
  const following: GroupRelation = { ...group, replaces: true }
  return rowKey ? overLatest(following, rowKey) : following
}

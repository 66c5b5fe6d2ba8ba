// Conditions on whether there is a row: `EXISTS (SELECT ... FROM b WHERE ...)`, `x IN (SELECT y FROM b WHERE ...)` and their NOT, as
// the SEMI and ANTI joins that they are. Names within are of the subquery's own relation where it has them, else of the rows around.
import { type Node, nodes } from '../ast.ts'
import { refuse } from './refuse.ts'
import { joined, partsOf } from './select-clauses.ts'

/** Of a join that a condition was: what IN compares, of the rows around and of the subquery. */
export interface Compared {
  readonly around: Node
  readonly within: Node
}

const NEAREST = 'write FROM a SEMI JOIN (SELECT ...) b ON a.key = b.key AND b.time BETWEEN a.time AND a.time + INTERVAL 10 MINUTE'

/** The FROM clause with those of the parts of WHERE as joins, which are taken out of them. @throws MR_PLAN_LIVE_SHAPE. */
export function withExistence(from: Node, where: Node[]): Node {
  const parts = where.splice(0)
  let source = from
  for (const part of parts) {
    const isNot = part.type === 'OPERATOR_NOT'
    const subquery = isNot ? nodes(part['children'])[0]! : part
    if (subquery.class === 'SUBQUERY') source = joinOf(source, subquery, isNot)
    else where.push(part)
  }
  return source
}

function joinOf(from: Node, subquery: Node, isNot: boolean): Node {
  const select = (subquery['subquery'] as { node: Node }).node
  const isAny = subquery['subquery_type'] === 'ANY' && subquery['comparison_type'] === 'COMPARE_EQUAL'
  if (subquery['subquery_type'] !== 'EXISTS' && !isAny)
    refuse('a subquery that is compared other than by [NOT] IN or [NOT] EXISTS', subquery, NEAREST)
  const isGrouped = nodes(select['group_expressions']).length > 0 || select['aggregate_handling'] === 'FORCE_AGGREGATES'
  const isPlain = select.type === 'SELECT_NODE' && !isGrouped && !select['having'] && !select['qualify'] && !select['sample']
  if (!isPlain || nodes(select['modifiers']).some(({ type }) => type !== 'DISTINCT_MODIFIER'))
    refuse('a condition on more than FROM and WHERE of a subquery', subquery, NEAREST)
  const where = select['where_clause'] as Node | null
  const conditions = where ? partsOf(where) : []
  const right = withExistence(select['from_table'] as Node, conditions)
  const [within] = nodes(select['select_list'])
  return {
    type: 'JOIN',
    alias: '',
    query_location: subquery.query_location,
    ref_type: 'REGULAR',
    join_type: isNot ? 'ANTI' : 'SEMI',
    left: from,
    right,
    condition: joined(conditions),
    using_columns: [],
    is_subquery: true,
    compared: isAny ? ({ around: subquery['child'] as Node, within: within! } satisfies Compared) : null,
  }
}

// The GROUP BY clause of a SELECT: expressions, places in the list of columns, or all of them that are no aggregates. What
// becomes of the groups is `group-rows.ts`.
import { type Node, nodes } from '../ast.ts'
import { type Literal, literalValue } from '../literal.ts'
import type { Expression } from './expression.ts'
import { readExpression } from './read-expression.ts'
import type { Selection } from './read-outputs.ts'
import { refuse } from './refuse.ts'
import type { SelectCalls } from './select-calls.ts'

/** Null when nothing is grouped; empty where all rows are one group. @throws MR_PLAN_LIVE_SHAPE, MR_PLAN_UNKNOWN. */
export function readGroups(selection: Selection, calls: SelectCalls): readonly Expression[] | null {
  const { select, outputs } = selection
  const listed = nodes(select['group_expressions'])
  if (nodes(select['group_sets']).length > 1) refuse('GROUPING SETS, ROLLUP or CUBE', select)
  if (select['aggregate_handling'] === 'FORCE_AGGREGATES')
    return outputs.map(({ value }) => value).filter((value) => !calls.areIn(value) && value.op !== 'constant')
  if (listed.length === 0 && calls.aggregates.length === 0) return null
  return listed.map((node) => groupOf(node, selection, calls))
}

function groupOf(node: Node, { outputs }: Selection, { scope }: SelectCalls): Expression {
  const position = node.class === 'CONSTANT' ? Number(literalValue(node['value'] as Literal)) : Number.NaN
  if (outputs[position - 1]) return outputs[position - 1]!.value
  return readExpression(node, scope)
}

// The output columns of a SELECT: the list behind its first word, with what `*` stands for.
import { type Node, nodes } from '../ast.ts'
import { nameOf } from './output-names.ts'
import { readExpression, type Scope } from './read-expression.ts'
import { refuse } from './refuse.ts'
import type { NamedExpression } from './relation.ts'
import { isPlain } from './select-clauses.ts'
import { isNestedValue, type Source } from './source.ts'

/** A SELECT over the rows that WHERE leaves it. */
export interface Selection {
  /** Where it stands, for what is refused. */
  readonly select: Node
  readonly source: Source
  /** Expressions over these rows, or over what becomes of them. */
  readonly outputs: readonly NamedExpression[]
}

/** `source`: the rows of FROM. @throws MR_PLAN_LIVE_SHAPE, MR_PLAN_UNKNOWN. */
export function readOutputs(select: Node, source: Source, scope: Scope, isModel: boolean): readonly NamedExpression[] {
  // Rows of one stream as they come, or each element of their lists, which may have nested columns: nothing is done with them.
  const { relation } = source
  const isOfStream = relation.op === 'scan' || (relation.op === 'unnest' && relation.input.op === 'scan')
  const isPassing = isModel && isOfStream && !source.window && isPlain(select)
  return nodes(select['select_list']).flatMap((node, index) => {
    if (node.class === 'STAR') return source.star(node, isPassing, (changed) => readExpression(changed, scope))
    const column = node.class === 'COLUMN_REF' ? source.lookUp(node['column_names'] as string[]) : undefined
    const name = nameOf(node, index, column?.name)
    if (isPassing && column && isNestedValue(column.column.type)) return [{ name, value: column.column }]
    const value = readExpression(node, scope)
    if (value.op === 'interval') refuse('an interval as a column', node)
    return [{ name, value }]
  })
}

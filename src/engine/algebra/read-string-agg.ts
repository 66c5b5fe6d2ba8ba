// string_agg(x, ', ' ORDER BY x), which listagg and group_concat are too. Texts stand in their own order: in another, those that are
// equal in it would stand by chance.
import { isSameNode, type Node, nodes } from '../ast.ts'
import { type Literal, literalValue } from '../literal.ts'
import { refuse } from './refuse.ts'
import type { TextListing } from './relation.ts'

export interface StringAggCall {
  readonly value: Node
  readonly list: TextListing
}

/** `node`: a call of one of them. @throws MR_PLAN_LIVE_SHAPE. */
export function readStringAgg(node: Node): StringAggCall {
  const called = String(node['function_name'])
  const nearest = `write ${called}(x, ', ' ORDER BY x)`
  const [value, between, ...rest] = nodes(node['children'])
  const [order, more] = nodes((node['order_bys'] as { orders?: unknown } | null)?.orders)
  if (!value || rest.length > 0) return refuse(`this ${called}(...)`, node, nearest)
  const separator = between ? (between.class === 'CONSTANT' ? literalValue(between['value'] as Literal) : undefined) : ','
  if (typeof separator !== 'string') return refuse(`${called}(...) with a separator that is no constant text`, node, nearest)
  if (!order || more || !isSameNode(order['expression'] as Node, value))
    return refuse(`${called}(...) of texts in another order than their own`, node, nearest)
  return { value, list: { separator, descending: order.type === 'DESCENDING' } }
}

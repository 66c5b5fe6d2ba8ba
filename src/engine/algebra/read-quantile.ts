// Quantiles as DuckDB's parser gives them: quantile_cont(x, 0.9), quantile_disc(x, 0.9) or quantile(x, 0.9), median(x), and
// percentile_cont(0.9) WITHIN GROUP (ORDER BY x), which is quantile_cont(0.9 ORDER BY x).
import { type Node, nodes } from '../ast.ts'
import { type Literal, literalValue } from '../literal.ts'
import { refuse } from './refuse.ts'

export interface QuantileCall {
  readonly value: Node
  /** See `Aggregate`. */
  readonly fraction: string
}

/** `node`: a call of one of them. @throws MR_PLAN_LIVE_SHAPE. */
export function readQuantile(node: Node): QuantileCall {
  const called = String(node['function_name'])
  const given = nodes(node['children'])
  const orders = nodes((node['order_bys'] as { orders?: unknown } | null)?.orders)
  const wanted = called === 'median' ? 0 : 1
  const [first] = orders
  if (orders.length === 0 && given.length === wanted + 1)
    return { value: given[0]!, fraction: wanted === 0 ? '0.5' : fractionOf(given[1]!, called) }
  if (orders.length !== 1 || given.length !== wanted || wanted === 0)
    refuse(`this ${called}(...)`, node, `write ${called}(x${wanted === 0 ? '' : ', 0.9'})`)
  if (String(first!.type) === 'DESCENDING')
    refuse('a percentile in descending order', node, 'take 1 less the fraction of the ascending one')
  return { value: first!['expression'] as Node, fraction: fractionOf(given[0]!, called) }
}

function fractionOf(node: Node, called: string): string {
  const value = node.class === 'CONSTANT' ? literalValue(node['value'] as Literal) : undefined
  const isOne = typeof value === 'bigint' || typeof value === 'number' || (typeof value === 'string' && /^\d*\.?\d*$/.test(value))
  if (!isOne || Number(value) < 0 || Number(value) > 1)
    refuse(`${called}(...) of other than one constant fraction from 0 to 1`, node, `write ${called}(x, 0.9), once for each fraction`)
  return typeof value === 'number' ? value.toExponential() : String(value)
}

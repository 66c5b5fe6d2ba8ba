// The elements of a list, each in a row of its own: `FROM stream s, unnest(s.items) AS t(item)`, `LEFT JOIN unnest(...) ON true`, which
// keeps rows without any, and `SELECT unnest(items)`, which is read as the first. The list is a column, or what DuckDB computes.
import { type Node, nodes, someNode, walk } from '../ast.ts'
import { valueTypeOf } from './coerce.ts'
import { type ColumnExpression, type Expression, LONG } from './expression.ts'
import { nameOf } from './output-names.ts'
import { type Known, readComputedList } from './read-computed.ts'
import { refuse } from './refuse.ts'
import type { UnnestRelation } from './relation.ts'
import { isPlain } from './select-clauses.ts'
import { type NamedColumn, POSITION, type Rows, sourceOf } from './source.ts'

const NEAREST = 'write SELECT ... FROM stream s, unnest(s.list) AS t(item), in a subquery where more is done with its rows'

export const isUnnest = (from: Node): boolean =>
  from.type === 'TABLE_FUNCTION' && String((from['function'] as Node)['function_name']) === 'unnest'

/** `a, unnest(...) JOIN b ON ...` is `(a, unnest(...)) JOIN b ON ...`: a comma binds less than JOIN. Null for what is not so. */
export function withUnnestFirst(join: Node): Node | null {
  const right = join['right'] as Node
  if (join['ref_type'] !== 'CROSS' || right.type !== 'JOIN') return null
  const first = right['left'] as Node
  const left = isUnnest(first) ? { ...join, right: first } : first.type === 'JOIN' ? withUnnestFirst({ ...join, right: first }) : null
  return left && ['INNER', 'LEFT'].includes(String(right['join_type'])) ? { ...right, left } : null
}

/** `join`: its right side is the call. `left`: the rows whose lists they are. @throws MR_PLAN_LIVE_SHAPE. */
export function unnestRows(join: Node, left: Rows, known: Known | null): Rows {
  const from = join['right'] as Node
  const isOuter = join['join_type'] === 'LEFT'
  if ((join['join_type'] !== 'INNER' && !isOuter) || !isAlways(join['condition'] as Node | null))
    refuse(
      'unnest(...) in a join with a condition',
      from,
      'write CROSS JOIN or LEFT JOIN unnest(...) AS t(item) ON true, and conditions in WHERE',
    )
  if (left.table)
    refuse(
      `unnest(...) over the rows of the table "${left.table.name}"`,
      from,
      'unnest the lists of a stream, or in a model that is not live',
    )
  if (left.result === 'keyed') refuse('unnest(...) over rows that are replaced', from, 'unnest the lists of a stream')
  const { list, element } = readList(from['function'] as Node, left, known)
  const [itemName = 'unnest', positionName] = from['column_name_alias'] as readonly string[]
  const isNumbered = from['with_ordinality'] === 'WITH_ORDINALITY'
  const alias = from.alias || 'unnest'
  if (left.columns.some((column) => column.from.toLowerCase() === alias.toLowerCase()))
    refuse(`"${alias}" twice in FROM`, from, 'give each unnest(...) an alias of its own')
  const column = (name: string, type: ColumnExpression['type'], optional: boolean): NamedColumn => ({
    from: alias,
    name,
    column: { op: 'column', name: `${alias}.${name}`, type, optional: optional || isOuter },
  })
  const item = column(itemName, valueTypeOf(element.type), element.optional)
  const position = column(isNumbered ? (positionName ?? 'ordinality') : POSITION, LONG, false)
  const relation: UnnestRelation = {
    op: 'unnest',
    input: left.relation,
    list,
    item: item.column.name,
    type: item.column.type,
    position: position.column.name,
    isOuter,
  }
  return { ...left, relation, columns: [...left.columns, item, position], unique: [], isLogged: false, final: undefined }
}

function isAlways(condition: Node | null): boolean {
  if (!condition) return true
  const child = (condition['child'] as Node | undefined) ?? condition
  return child.class === 'CONSTANT' && ['t', 'true', '1'].includes(String((child['value'] as { value?: unknown }).value))
}

function readList(call: Node, left: Rows, known: Known | null) {
  const [of, more] = nodes(call['children'])
  if (!of || more) return refuse('this unnest(...)', call, NEAREST)
  const source = sourceOf(left, null)
  const path = of.class === 'COLUMN_REF' ? (of['column_names'] as string[]) : null
  const column = path && (source.lookUp(path)?.column ?? source.member(path))
  const list: Expression | undefined = column ?? (known ? readComputedList(of, source, known) : undefined)
  if (list?.type.kind !== 'list')
    return refuse('unnest(...) of what is no list of text, numbers or booleans, and no column that is a list,', of, NEAREST)
  return { list, element: list.type.element }
}

/** `SELECT a, unnest(list) AS item FROM stream` is `SELECT a, t.item FROM stream, unnest(list) AS t(item)`. */
export function withUnnest(select: Node): Node {
  const outputs = nodes(select['select_list'])
  const calls = outputs.flatMap(callsIn)
  const [call, second] = calls
  if (!call) return select
  if (second) refuse('a second unnest(...) in one list of columns', second, NEAREST)
  if (!isPlain({ ...select, modifiers: [] }) || outputs.some(isNumbering))
    refuse('unnest(...) beside what groups or numbers rows', call, NEAREST)
  const place = { alias: '', query_location: call.query_location }
  const item: Node = { ...place, class: 'COLUMN_REF', type: 'COLUMN_REF', column_names: [ALIAS, 'item'] }
  const listed = outputs.map((output, index) =>
    callsIn(output).length === 0 ? output : { ...(replaced(output, call, item) as Node), alias: nameOf(output, index) },
  )
  const right = { ...place, type: 'TABLE_FUNCTION', alias: ALIAS, function: call, column_name_alias: ['item'] }
  const join = { ...place, type: 'JOIN', ref_type: 'CROSS', join_type: 'INNER', condition: null, left: select['from_table'], right }
  return { ...select, select_list: listed, from_table: join }
}

/** No relation of a user is called so. */
const ALIAS = '#unnest'

function callsIn(output: Node): readonly Node[] {
  const calls: Node[] = []
  walk(output, (node) => {
    if (node.class === 'FUNCTION' && String(node['function_name']) === 'unnest') calls.push(node)
  })
  return calls
}

const isNumbering = (output: Node): boolean => someNode(output, (node) => node.class === 'WINDOW')

function replaced(value: unknown, call: Node, item: Node): unknown {
  if (value === call) return item
  if (value === null || typeof value !== 'object' || JSON.isRawJSON(value)) return value
  if (Array.isArray(value)) return value.map((inner) => replaced(inner, call, item))
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replaced(inner, call, item)]))
}

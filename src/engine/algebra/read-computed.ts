// Expressions of rows that the expression compiler does not have, and that DuckDB computes for each batch: functions whose value
// follows from the row alone, parts of structs, elements of lists and maps. Their type and their text come from DuckDB, which is
// asked once for each; reading itself asks nobody, so it is begun again when there is an answer (`readLive`).
import { type Node, nodes } from '../ast.ts'
import { isRowFunction } from '../row-functions.ts'
import type { ColumnExpression, ComputedExpression, ValueType } from './expression.ts'
import { canCompute } from './lower-computed.ts'
import { isNestedValue, type Source } from './source.ts'

/** SQL with columns in between: `text[0]`, the column `of[0]`, `text[1]`, ... */
export interface Described {
  readonly text: readonly string[]
  /** By place: which of the columns that were asked with. */
  readonly of: readonly number[]
  readonly type: ValueType
}

/** What is known of expressions; null: DuckDB does not take it, or gives a type that a live model does not compute with. */
export class Known {
  readonly #known = new Map<string, Described | null>()

  learn(question: Question, answer: Described | null): void {
    this.#known.set(question.key, answer)
  }

  /** @throws Question when it is not known yet. */
  find(node: Node, columns: readonly ColumnExpression[]): Described | null {
    const key = JSON.stringify([node, columns.map(({ type }) => type)], (name, value) => (name === 'query_location' ? undefined : value))
    const known = this.#known.get(key)
    if (known === undefined) throw new Question(key, node, columns)
    return known
  }
}

/** Thrown where a type has to be known: not an error, it never leaves `readLive`. */
export class Question extends Error {
  readonly key: string
  /** With `argName(i)` for the columns. */
  readonly node: Node
  readonly columns: readonly ColumnExpression[]

  constructor(key: string, node: Node, columns: readonly ColumnExpression[]) {
    super('cannot be: a question that nobody answered')
    this.key = key
    this.node = node
    this.columns = columns
  }
}

/** No column of a user has such a name. */
export const argName = (index: number): string => `#millrace_arg_${index}`

const CLASSES = new Set(['CONSTANT', 'CAST', 'COMPARISON', 'CONJUNCTION', 'BETWEEN', 'OPERATOR', 'CASE', 'LAMBDA'])

/** Undefined for what is not of the row alone, or not for DuckDB either. */
export function readComputed(node: Node, source: Source, known: Known): ComputedExpression | undefined {
  const value = computedOf(node, source, known)
  return value && !isNestedValue(value.type) ? value : undefined
}

/** As `readComputed`, of a list. */
export function readComputedList(node: Node, source: Source, known: Known): ComputedExpression | undefined {
  const value = computedOf(node, source, known)
  return value?.type.kind === 'list' ? value : undefined
}

function computedOf(node: Node, source: Source, known: Known): ComputedExpression | undefined {
  const columns: ColumnExpression[] = []
  const written = rewrite(node, { source, columns, params: new Set() })
  if (!written || !canCompute(source.relation, new Set(columns.map(({ name }) => name)))) return undefined
  const described = known.find(written as Node, columns)
  if (!described) return undefined
  return {
    op: 'computed',
    text: described.text,
    of: described.of.map((i) => columns[i]!),
    type: described.type,
    optional: isOptionalValue(node),
  }
}

interface Rewriting {
  readonly source: Source
  readonly columns: ColumnExpression[]
  /** Of the lambdas around. */
  readonly params: ReadonlySet<string>
}

/** The same tree over the names of its arguments; undefined where something stands in it that DuckDB must not compute. */
function rewrite(value: unknown, rewriting: Rewriting): unknown {
  if (value === null || typeof value !== 'object' || JSON.isRawJSON(value)) return value
  if (Array.isArray(value)) {
    const items = value.map((item) => rewrite(item, rewriting))
    return items.includes(undefined) ? undefined : items
  }
  const node = value as Node
  if (node.class === 'COLUMN_REF') return rewriteColumn(node, rewriting)
  if (node.class === 'FUNCTION' && !isPlainCall(node)) return undefined
  if (node.class !== undefined && node.class !== 'FUNCTION' && !CLASSES.has(node.class)) return undefined
  const params = node.class === 'LAMBDA' ? paramsOf(node, rewriting) : rewriting.params
  const copy: Node = {}
  for (const [key, inner] of Object.entries(node)) {
    const written = rewrite(inner, { ...rewriting, params })
    if (written === undefined) return undefined
    copy[key] = key === 'alias' ? '' : written
  }
  return copy
}

/** What is a column on the left of an arrow is no parameter: `detail -> '$.channel'` is a part of JSON. */
const paramsOf = (lambda: Node, { source, params }: Rewriting): ReadonlySet<string> =>
  new Set([...params, ...namesIn(lambda['lhs']).filter((name) => !source.lookUp([name]))])

/** `[a, b]` calls a function of the schema `main`. */
function isPlainCall(node: Node): boolean {
  const isOfMany = node['distinct'] === true || Boolean(node['filter'])
  const isPlain = ['', 'main'].includes(String(node['schema'] ?? '')) && !node['catalog']
  return isRowFunction(String(node['function_name'])) && isPlain && !isOfMany
}

/** Only of coalesce(..., constant) is it known without DuckDB. */
function isOptionalValue(node: Node): boolean {
  const constants = nodes(node['children']).filter((child) => child.class === 'CONSTANT')
  return node.type !== 'OPERATOR_COALESCE' || constants.every((child) => (child['value'] as { is_null?: boolean }).is_null === true)
}

function namesIn(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return []
  const names = (value as Node)['column_names'] as string[] | undefined
  return names ? [names.at(-1)!] : Object.values(value).flatMap(namesIn)
}

/** What stands behind the column is a part of it: `address.city`. */
function rewriteColumn(node: Node, { source, columns, params }: Rewriting): Node | undefined {
  const path = node['column_names'] as string[]
  if (params.has(path[0]!)) return { ...node, alias: '' }
  for (let length = path.length; length > 0; length--) {
    const column = source.lookUp(path.slice(0, length))?.column
    if (!column) continue
    const same = columns.findIndex(({ name }) => name === column.name)
    const index = same < 0 ? columns.push(column) - 1 : same
    return { ...node, alias: '', column_names: [argName(index), ...path.slice(length)] }
  }
  return undefined
}

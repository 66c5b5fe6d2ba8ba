// What a WHERE clause says about one relation, as terms by which the lake leaves out files: conjuncts that compare a column
// with constants or bound parameters. Whatever is not certain gives no term, which is always right. Terms are about the
// relation's stored values: the caller drops those on columns that a mask changes.
import type { PruneTerm } from '../lake/types.ts'
import type { Field, Shape } from '../schema/type.ts'
import { type Node, type Statement, walk } from './ast.ts'
import type { SqlValues } from './bind-values.ts'
import { type Literal, literalValue } from './literal.ts'

type Value = PruneTerm['values'][number]

/** `node`: a BASE_TABLE of the statement (see `relationsOf`), before its name is replaced; `shape`: of what it names. */
export function pruneTerms(statement: Statement, node: Node, shape: Shape, values: SqlValues = []): PruneTerm[] {
  const select = selectOf(statement, node)
  if (!select || isSet(select['sample']) || isSet(node['sample'])) return []
  if (((node['column_name_alias'] as unknown[] | undefined) ?? []).length > 0) return []
  const path = joinsTo(select['from_table'] as Node, node)
  if (!path || path.some((join) => !['REGULAR', 'CROSS', 'NATURAL'].includes(String(join['ref_type'])))) return []
  if (path.some((join) => !['INNER', 'LEFT', 'RIGHT', 'OUTER', 'FULL'].includes(String(join['join_type'])))) return []
  const isInner = path.every((join) => join['join_type'] === 'INNER')
  const context: Context = { name: nameOf(node), shape, values: new Map(Object.entries(named(values))), isInner }
  return conjunctsOf(select['where_clause']).flatMap((conjunct) => termsOf(conjunct, context))
}

interface Context {
  readonly name: string
  readonly shape: Shape
  readonly values: ReadonlyMap<string, unknown>
  /** Outer joins make nulls, so that `IS NULL` says nothing about what is stored. */
  readonly isInner: boolean
}

const isSet = (value: unknown): boolean => value !== null && value !== undefined

const nameOf = (node: Node): string => String(node.alias || node['table_name']).toLowerCase()

const named = (values: SqlValues): Record<string, unknown> =>
  Array.isArray(values)
    ? Object.fromEntries(values.map((value, index) => [String(index + 1), value]))
    : Object.fromEntries(Object.entries(values).map(([name, value]) => [name.toLowerCase(), value]))

function selectOf(statement: Statement, node: Node): Node | undefined {
  let found: Node | undefined
  walk(statement.node, (candidate) => {
    if (candidate.type === 'SELECT_NODE' && joinsTo(candidate['from_table'] as Node, node)) found = candidate
  })
  return found
}

/** The joins between the FROM clause and a table in it; undefined when it is elsewhere. */
function joinsTo(from: Node | null, node: Node): Node[] | undefined {
  if (from === node) return []
  if (from?.type !== 'JOIN') return undefined
  const below = joinsTo(from['left'] as Node, node) ?? joinsTo(from['right'] as Node, node)
  return below && [from, ...below]
}

function conjunctsOf(where: unknown): Node[] {
  const node = where as Node | null
  if (!node) return []
  return node.type === 'CONJUNCTION_AND' ? (node['children'] as Node[]).flatMap(conjunctsOf) : [node]
}

const OPERATORS: Readonly<Record<string, readonly [op: PruneTerm['op'], mirrored: PruneTerm['op']]>> = {
  COMPARE_EQUAL: ['=', '='],
  COMPARE_NOT_DISTINCT_FROM: ['=', '='],
  COMPARE_LESSTHAN: ['<', '>'],
  COMPARE_LESSTHANOREQUALTO: ['<=', '>='],
  COMPARE_GREATERTHAN: ['>', '<'],
  COMPARE_GREATERTHANOREQUALTO: ['>=', '<='],
}

function termsOf(node: Node, context: Context): PruneTerm[] {
  const operators = OPERATORS[String(node.type)]
  if (operators) {
    const [left, right] = [node['left'] as Node, node['right'] as Node]
    return [...compared(left, operators[0], [right], context), ...compared(right, operators[1], [left], context)]
  }
  const children = (node['children'] as Node[] | undefined) ?? []
  switch (node.type) {
    case 'COMPARE_BETWEEN':
      return [
        ...compared(node['input'] as Node, '>=', [node['lower'] as Node], context),
        ...compared(node['input'] as Node, '<=', [node['upper'] as Node], context),
      ]
    case 'COMPARE_IN':
      return compared(children[0]!, 'in', children.slice(1), context)
    case 'OPERATOR_IS_NULL':
      return context.isInner ? compared(children[0]!, 'is null', [], context) : []
    case 'OPERATOR_IS_NOT_NULL':
      return compared(children[0]!, 'is not null', [], context)
    case 'CONJUNCTION_OR':
      return alternatives(children, context)
    default:
      return []
  }
}

/** `a = 1 OR a IN (2, 3)` is one list. */
function alternatives(children: readonly Node[], context: Context): PruneTerm[] {
  const terms = children.map((child) => termsOf(child, context))
  const [first] = terms[0]!
  const isOneList = terms.every((each) => each.length === 1 && each[0]!.column === first?.column && ['=', 'in'].includes(each[0]!.op))
  return isOneList ? [{ column: first!.column, op: 'in', values: terms.flatMap((each) => each[0]!.values) }] : []
}

function compared(column: Node, op: PruneTerm['op'], constants: readonly Node[], context: Context): PruneTerm[] {
  const field = fieldOf(column, context)
  if (!field) return []
  const values = constants.map((constant) => fitting(field, constantOf(constant, context)))
  return values.every((value) => value !== undefined) ? [{ column: field.name, op, values }] : []
}

function fieldOf(node: Node, { name, shape }: Context): Field | undefined {
  if (node.class !== 'COLUMN_REF') return undefined
  const parts = (node['column_names'] as string[]).map((part) => part.toLowerCase())
  if (parts.length > 2 || (parts.length === 2 && parts[0] !== name)) return undefined
  return shape.fields.find((field) => field.name.toLowerCase() === parts.at(-1))
}

/** A constant and the type that it is cast to, if any. */
interface Constant {
  readonly value: Value
  readonly cast: string | null
  /** Text in the question, not a number whose digits are kept as text. */
  readonly isText: boolean
}

function constantOf(node: Node, context: Context): Constant | undefined {
  if (node.class === 'CONSTANT') return literalOf(node['value'] as Literal)
  if (node.class === 'PARAMETER') {
    const value = context.values.get(String(node['identifier']).toLowerCase())
    return value === null || value === undefined || typeof value === 'object'
      ? undefined
      : { value: value as Value, cast: null, isText: typeof value === 'string' }
  }
  if (node.class !== 'CAST') return undefined
  const inner = constantOf(node['child'] as Node, context)
  const cast = (node['cast_type'] as { id: string }).id
  return inner && inner.cast === null ? { ...inner, cast } : undefined
}

function literalOf(literal: Literal): Constant | undefined {
  const value = literalValue(literal)
  return value === undefined ? undefined : { value, cast: null, isText: literal.type.id === 'VARCHAR' }
}

const WHOLE_CASTS = new Set(['INTEGER', 'BIGINT', 'HUGEINT'])
const DAY = /^\d{4}-\d\d-\d\d$/
const TIME_OF_DAY = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?$/

/** The value in the domain of the column, when DuckDB compares it there; undefined when it may cast the column instead. */
function fitting({ type }: Field, constant: Constant | undefined): Value | undefined {
  if (!constant) return undefined
  const { value, cast } = constant
  const isText = typeof value === 'string'
  switch (type.kind) {
    case 'string':
    case 'enum':
    case 'json':
      return isText && (cast === null || cast === 'VARCHAR') ? value : undefined
    case 'int':
    case 'long':
      if (constant.isText && !isWhole(constant)) return undefined
      // An integer meets a decimal as a decimal, and 15 digits are as exact in a double.
      if (isText && cast === null && /^-?\d*\.\d+$/.test(value)) return value.length <= 15 ? Number(value) : undefined
      return numeric(constant)
    case 'decimal':
      return constant.isText && !isWhole(constant) ? undefined : numeric(constant)
    case 'float':
    case 'double':
      return numeric(constant)
    case 'boolean':
      return typeof value === 'boolean' ? value : cast === 'BOOLEAN' && (value === 't' || value === 'f') ? value === 't' : undefined
    case 'date':
      return isText && (cast === null || cast === 'DATE') && DAY.test(value) ? value : undefined
    case 'timestamp':
      return isText ? instant(value, cast) : undefined
    case 'datetime':
      return isText ? clockTime(value, cast) : undefined
    case 'uuid':
      return isText && (cast === null || cast === 'UUID') ? value : undefined
    default:
      return undefined
  }
}

/** Text becomes a number of the column's type, and is rounded to it: '5.4' equals 5. */
const isWhole = ({ value }: Constant): boolean => /^-?\d{1,18}$/.test(String(value))

const numeric = ({ value, cast }: Constant): Value | undefined =>
  typeof value !== 'boolean' && (cast === null || (WHOLE_CASTS.has(cast) && typeof value === 'bigint')) ? value : undefined

function instant(text: string, cast: string | null): string | undefined {
  if (DAY.test(text)) return `${text} 00:00:00`
  if (cast === null || cast === 'TIMESTAMP WITH TIME ZONE') return text
  return cast === 'TIMESTAMP' && TIME_OF_DAY.test(text) ? text : undefined
}

/** Text without a zone is the same time of day for DuckDB whatever it is cast to, since the session is UTC. */
function clockTime(text: string, cast: string | null): string | undefined {
  if (DAY.test(text)) return `${text} 00:00:00`
  return TIME_OF_DAY.test(text) && (cast === null || cast.startsWith('TIMESTAMP')) ? text : undefined
}

// Which uses of strict functions really need two stages. A use whose arguments are the same for every row cannot tell rows
// apart; and `+` and `-` fail unsafely only on times and intervals, so they are left alone where an operand is a number.
// What cannot be told from the tree counts as needing them.
import { type Node, type Statement, walk } from '../engine/ast.ts'
import type { Shape } from '../schema/type.ts'

/** A strict function or form, where it stands. */
export interface StrictUse {
  readonly name: string
  readonly node: Node
}

/** The uses that need two stages. `shapes`: of the relations that the question names; null when one is not known. */
export function needTwoStages(statement: Statement, uses: readonly StrictUse[], shapes: readonly Shape[] | null): readonly StrictUse[] {
  const open = uses.filter((use) => dependsOnRows(use.node))
  if (!open.some((use) => use.name === '+' || use.name === '-') || shapes === null) return open
  const numbers = numericColumns(statement, shapes)
  return open.filter(({ name, node }) => {
    const operands = node['children'] as Node[]
    return !((name === '+' || name === '-') && operands.some((operand) => isNumber(operand, numbers)))
  })
}

const ROW_CLASSES = new Set(['COLUMN_REF', 'STAR', 'POSITIONAL_REFERENCE', 'SUBQUERY', 'WINDOW'])

function dependsOnRows(use: Node): boolean {
  let isDependent = false
  walk(use, (node) => {
    if (ROW_CLASSES.has(String(node.class))) isDependent = true
  })
  return isDependent
}

const NUMBER_KINDS = new Set(['int', 'long', 'decimal', 'float', 'double'])
/** Names that the engine gives to columns of table functions. */
const TAKEN = ['range', 'unnest', 'generate_series', 'ordinality']

/** Names that can only mean a column of numbers: every relation that has one agrees, and the question defines none itself. */
function numericColumns(statement: Statement, shapes: readonly Shape[]): ReadonlySet<string> {
  const numbers = new Set<string>()
  const others = new Set<string>(TAKEN)
  for (const { fields } of shapes)
    for (const field of fields) (NUMBER_KINDS.has(field.type.kind) ? numbers : others).add(field.name.toLowerCase())
  let hasPivot = false
  walk(statement.node, (node) => {
    if (node.type === 'PIVOT') hasPivot = true
    if (node.class !== undefined && node.alias) others.add(node.alias.toLowerCase())
    for (const name of [...namesIn(node['column_name_alias']), ...namesIn(node['aliases'])]) others.add(name.toLowerCase())
    for (const { value } of (node['rename_list'] as { value: string }[] | undefined) ?? []) others.add(String(value).toLowerCase())
    if (node.class === 'LAMBDA')
      walk(node['lhs'], (inner) => namesIn(inner['column_names']).forEach((name) => void others.add(name.toLowerCase())))
  })
  return hasPivot ? new Set() : new Set([...numbers].filter((name) => !others.has(name)))
}

const namesIn = (value: unknown): readonly string[] => (Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [])

const NUMBER_TYPES = new Set(['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'FLOAT', 'DOUBLE', 'DECIMAL', 'INTEGER_LITERAL'])
/** Give a number whatever they get. */
const NUMBER_FUNCTIONS = new Set([
  'count',
  'count_star',
  'length',
  'len',
  'strlen',
  'date_diff',
  'datediff',
  'epoch',
  'date_part',
  'row_number',
  'rank',
  'round',
  'floor',
  'sqrt',
  'ln',
  'power',
])
/** Give a number when all that they get are numbers. */
const NUMBER_KEEPERS = new Set([
  '+',
  '-',
  '*',
  '/',
  '//',
  '%',
  'abs',
  'sum',
  'avg',
  'min',
  'max',
  'coalesce',
  'greatest',
  'least',
  'first',
  'any_value',
  'lag',
  'lead',
])

function isNumber(node: Node, columns: ReadonlySet<string>): boolean {
  const areAll = (nodes: unknown): boolean =>
    Array.isArray(nodes) && nodes.length > 0 && nodes.every((child) => isNumber(child as Node, columns))
  switch (node.class) {
    case 'CONSTANT':
      return NUMBER_TYPES.has(String((node['value'] as { type: { id: string } }).type.id))
    case 'COLUMN_REF':
      return columns.has((node['column_names'] as string[]).at(-1)!.toLowerCase())
    case 'CAST':
      return NUMBER_TYPES.has(String((node['cast_type'] as { id: string }).id))
    case 'FUNCTION':
    case 'WINDOW': {
      const name = String(node['function_name']).toLowerCase()
      return NUMBER_FUNCTIONS.has(name) || (NUMBER_KEEPERS.has(name) && areAll(node['children']))
    }
    case 'OPERATOR':
      return node.type === 'OPERATOR_COALESCE' && areAll(node['children'])
    case 'CASE':
      return (
        isNumber(node['else_expr'] as Node, columns) ||
        areAll((node['case_checks'] as { then_expr: Node }[]).map((branch) => branch.then_expr))
      )
    default:
      return false
  }
}
